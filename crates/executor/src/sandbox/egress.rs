//! The gate on a container's way out: a table of the packet filter for this container alone, and who
//! answers when it asks for names.
//!
//! The host's end of the container's cable is the only resolver that the container has. Names that
//! are denied are refused; the addresses of a name that is allowed are put into a set of the filter's
//! before the answer is given, for as long as the answer holds. What the gate lets through may still
//! be kept back by the rules that hold for all containers.

mod names;

use super::{
    network::WayOut,
    outside::{OPEN, filter, without},
};
use crate::{
    Fault,
    egress::{Destination, Effect, Egress},
    fault::Doing,
};
use rustix::net::sockopt::set_ip_freebind;
use std::{
    fmt::Write,
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket},
};
use tokio::{sync::mpsc::UnboundedSender, task::JoinHandle};

/// A container's gate, which is served for as long as this is kept.
#[derive(Debug)]
pub(super) struct Gate {
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Gate {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Gate {
    /// Puts a gate on a way out, before there is a cable or after; the one that was there before goes.
    /// `resolvers` are asked for what is allowed; each name that is denied is told.
    pub(super) fn put(
        way_out: &WayOut,
        egress: &Egress,
        resolvers: &[Ipv4Addr],
        denied: UnboundedSender<String>,
    ) -> Result<Self, Fault> {
        let doing = "answer a container that asks for names";
        let (datagrams, streams) = sockets(way_out.host).doing(doing)?;
        let ports = Ports {
            datagrams: datagrams.local_addr().doing(doing)?.port(),
            streams: streams.local_addr().doing(doing)?.port(),
        };
        filter(&rules(way_out, egress, ports))?;
        let desk =
            names::Desk::new(egress.clone(), table(&way_out.interface), resolvers.to_vec(), denied);
        let datagrams = tokio::net::UdpSocket::from_std(datagrams).doing(doing)?;
        let streams = tokio::net::TcpListener::from_std(streams).doing(doing)?;
        let tasks = [
            tokio::spawn(desk.clone().serve_datagrams(datagrams)),
            tokio::spawn(desk.serve_streams(streams)),
        ];
        Ok(Self { tasks })
    }

    /// Takes the rules away that a gate on this interface has left.
    pub(super) fn remove(interface: &str) -> Result<(), Fault> {
        filter(&without(&table(interface)))
    }
}

/// Where names are asked for, behind the usual port.
#[derive(Clone, Copy)]
struct Ports {
    datagrams: u16,
    streams: u16,
}

fn table(interface: &str) -> String {
    format!("{interface}_egress")
}

/// The set of the addresses of the names that a rule is about.
fn set(rule: usize) -> String {
    format!("names_{rule}")
}

/// Sockets on an address that need not be there yet.
fn sockets(host: Ipv4Addr) -> io::Result<(UdpSocket, TcpListener)> {
    use rustix::net::{
        AddressFamily as Family, SocketFlags as Flags, SocketType as Type, bind, listen,
        socket_with,
    };
    let address = SocketAddr::V4(SocketAddrV4::new(host, 0));
    let make = |kind| -> rustix::io::Result<_> {
        let socket = socket_with(Family::INET, kind, Flags::CLOEXEC | Flags::NONBLOCK, None)?;
        set_ip_freebind(&socket, true)?;
        bind(&socket, &address)?;
        Ok(socket)
    };
    let (datagrams, streams) = (make(Type::DGRAM)?, make(Type::STREAM)?);
    listen(&streams, 64)?;
    Ok((datagrams.into(), streams.into()))
}

fn rules(way_out: &WayOut, egress: &Egress, ports: Ports) -> String {
    let (interface, host) = (&way_out.interface, way_out.host);
    let table = table(interface);
    let mut text = format!("{}table inet {table} {{\n", without(&table));
    for (number, rule) in egress.rules.iter().enumerate() {
        if let Destination::Names(_) = rule.to {
            let name = set(number);
            let _ = writeln!(text, "set {name} {{ type ipv4_addr; flags timeout; }}");
        }
    }
    let _ = write!(
        text,
        "chain names {{ type nat hook prerouting priority -100; policy accept;\n\
         iifname \"{interface}\" ip daddr {host} udp dport 53 redirect to :{0}\n\
         iifname \"{interface}\" ip daddr {host} tcp dport 53 redirect to :{1}\n}}\n\
         chain input {{ type filter hook input priority -6; policy accept;\n\
         iifname \"{interface}\" ip daddr {host} udp dport {0} meta mark set {OPEN}\n\
         iifname \"{interface}\" ip daddr {host} tcp dport {1} meta mark set {OPEN}\n}}\n\
         chain forward {{ type filter hook forward priority -7; policy accept;\n\
         iifname != \"{interface}\" accept\n\
         ct state established,related accept\n",
        ports.datagrams, ports.streams
    );
    for (number, rule) in egress.rules.iter().enumerate() {
        let to = match &rule.to {
            Destination::Names(_) => format!("@{}", set(number)),
            Destination::Addresses(ranges) => {
                let ranges: Vec<_> = ranges.iter().map(ToString::to_string).collect();
                format!("{{ {} }}", ranges.join(", "))
            }
        };
        let _ = writeln!(text, "ip daddr {to} {}", verdict(rule.effect));
    }
    // Who asks others for names could be told what nobody here has judged.
    let _ = write!(
        text,
        "meta l4proto {{ tcp, udp }} th dport {{ 53, 853 }} drop\n{}\n}}\n}}\n",
        verdict(egress.otherwise)
    );
    text
}

fn verdict(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "accept",
        Effect::Deny => "drop",
    }
}
