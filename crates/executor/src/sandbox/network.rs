//! The container's network, inside and outside.
//!
//! Inside, its first process brings up loopback, the addresses that are listened on and the way
//! out. Outside, the helper lays a cable into it, or a [porter](super::porter) does. A way out leads to
//! everywhere but to the ranges that the configuration keeps back; of those it leads to the machine's
//! resolvers alone.

use super::{
    netlink::{By, Cable, Ipv4Range, OtherNetwork, Requests, Table},
    porter::Outlet,
};
use crate::{Fault, fault::Doing};
use rustix::{
    process::Pid,
    thread::{LinkNameSpaceType, move_into_link_name_space},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    os::fd::{AsFd, OwnedFd},
};

/// The loopback interface's index in a new network namespace.
const LOOPBACK: u32 = 1;
/// The way out's name in the container.
const WAY_OUT: &str = "eth0";
/// How many bits the two ends of a cable share: the smallest range with two usable addresses.
pub(super) const CABLE_BITS: u8 = 30;

/// A container's way to the outside: a cable to the host, which forwards, or to a porter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WayOut {
    /// The host's end of the cable.
    pub interface: String,
    /// The host's address on it.
    pub host: Ipv4Addr,
    /// The container's address on it.
    pub container: Ipv4Addr,
    /// The largest packet, in bytes.
    pub mtu: u32,
    /// What must not be reached.
    pub kept_back: Vec<Ipv4Range>,
    /// What of that may be reached all the same.
    #[serde(default)]
    pub openings: Vec<Ipv4Range>,
    /// Who may be asked for names all the same.
    pub resolvers: Vec<Ipv4Addr>,
    /// What a porter needs, if one stands at the other end of the cable in the host's place.
    #[serde(default)]
    pub outlet: Option<Outlet>,
}

impl WayOut {
    /// Lays the cable, from the host's side.
    pub(super) fn lay(&self, container: Pid) -> Result<(), Fault> {
        self.lay_into(OtherNetwork::Of(container))?;
        // Only what comes from the container's own address is let through.
        for (setting, value) in [("rp_filter", "1"), ("forwarding", "1")] {
            let file = format!("/proc/sys/net/ipv4/conf/{}/{setting}", self.interface);
            fs::write(&file, value).doing_to("set", &file)?;
        }
        Ok(())
    }

    /// Lays the cable, from the side that is called the host's.
    pub(super) fn lay_into(&self, network: OtherNetwork<'_>) -> Result<(), Fault> {
        let doing = "lay a cable to the container";
        let mut requests = Requests::default();
        let (here, mtu) = (self.interface.as_str(), self.mtu);
        requests.make_cable(Cable { here, there: WAY_OUT, network, mtu });
        requests.perform().doing(doing)?;
        let index = interface_index(here).doing(doing)?;
        let mut requests = Requests::default();
        requests.add_address(index, self.host, CABLE_BITS);
        requests.bring_up(index);
        requests.perform().doing(doing)
    }

    /// Opens the way, from the container's side.
    fn open(&self) -> io::Result<()> {
        let index = interface_index(WAY_OUT)?;
        let mut requests = Requests::default();
        requests.add_address(index, self.container, CABLE_BITS);
        requests.bring_up(index);
        requests.add_route(Table::MAIN, Ipv4Range::ALL, By::Gateway(self.host));
        let is_open = |range: &&Ipv4Range| self.openings.iter().any(|open| open.contains(range));
        for range in self.kept_back.iter().filter(|range| !is_open(range)) {
            requests.add_route(Table::MAIN, *range, By::Nobody);
        }
        // The other end of the cable is there without a route.
        let resolvers = self.resolvers.iter().filter(|resolver| **resolver != self.host);
        let resolvers = resolvers.map(|first| Ipv4Range { first: *first, prefix_bits: 32 });
        let resolvers = resolvers.filter(|range| !self.openings.contains(range));
        for range in self.openings.iter().copied().chain(resolvers) {
            requests.add_route(Table::MAIN, range, By::Gateway(self.host));
        }
        requests.perform()
    }
}

/// Brings loopback up with the addresses that are listened on, opens the way out, and listens.
pub(super) fn open(
    listen: &[SocketAddrV4],
    way_out: Option<&WayOut>,
) -> Result<Vec<OwnedFd>, Fault> {
    let mut requests = Requests::default();
    requests.bring_up(LOOPBACK);
    let mut extra: Vec<Ipv4Addr> = listen.iter().map(|address| *address.ip()).collect();
    extra.retain(Ipv4Addr::is_link_local);
    extra.sort_unstable();
    extra.dedup();
    for address in extra {
        requests.add_address(LOOPBACK, address, 32);
    }
    requests.perform().doing("bring loopback up")?;
    if let Some(way_out) = way_out {
        way_out.open().doing("open the container's way out")?;
    }
    listen
        .iter()
        .map(|address| {
            let listener = TcpListener::bind(address);
            listener.doing_to("listen on", address.to_string()).map(OwnedFd::from)
        })
        .collect()
}

/// Makes the network of another process that of this one.
pub(super) fn enter(process: Pid) -> Result<(), Fault> {
    let file = format!("/proc/{}/ns/net", process.as_raw_nonzero());
    let network = File::open(&file).doing_to("open", &file)?;
    let kind = Some(LinkNameSpaceType::Network);
    move_into_link_name_space(network.as_fd(), kind).doing_to("enter", &file)
}

/// The number of an interface of this process's network.
pub(super) fn interface_index(name: &str) -> io::Result<u32> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    Ok(rustix::net::netdevice::name_to_index(&socket, name)?)
}

/// Whether this process's network has an interface of this name.
pub(super) fn interface_exists(name: &str) -> bool {
    interface_index(name).is_ok()
}
