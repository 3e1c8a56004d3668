//! The host as a router for its containers: what has to be arranged once, and who has which cable.
//! Where the service is not root, each container has a porter instead, and nothing is arranged.

use super::{
    config::OutboundNetwork,
    egress::Gate,
    netlink::Ipv4Range,
    network::{CABLE_BITS, WayOut, interface_exists},
    opening::Opening,
    porter::{self, Outlet},
};
use crate::{Fault, egress::Egress, fault::Doing};
use rustix::process::geteuid;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    net::Ipv4Addr,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, OnceLock},
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// How the host's ends of all cables are called, with a number after it.
const PREFIX: &str = "buildyard";
/// The packet size of networks that say nothing else.
const USUAL_MTU: u32 = 1500;
/// The mark of packets to what is open, for as long as they are in the filter.
pub(super) const OPEN: &str = "0x02790000";
/// Where programs are looked for: the packet filter's, and `pasta`.
const FOLDERS: [&str; 5] = ["/usr/sbin", "/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
/// The device that `pasta` makes its interface by.
const TUNNELS: &str = "/dev/net/tun";

/// The host's side of all ways out.
#[derive(Debug)]
pub(super) struct Outside {
    config: OutboundNetwork,
    /// The name of the filter's table of what this service alone has opened.
    openings_table: String,
    /// What was found out when the first way out was wanted; or why there can be none.
    ready: OnceLock<Result<Ready, String>>,
    /// The numbers of cables that containers have, each with its claim; without one for those that
    /// were laid before this service began.
    taken: Mutex<BTreeMap<u32, Option<Claim>>>,
}

/// Keeps every other service on this network from choosing the same number, between the choice and
/// the laying of the cable: a name that one process has, and that is free again when it ends.
#[derive(Debug)]
struct Claim {
    _name: UnixListener,
}

impl Claim {
    fn on(interface: &str) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("cable-{interface}")).ok()?;
        UnixListener::bind_addr(&name).ok().map(|name| Self { _name: name })
    }
}

#[derive(Debug)]
struct Ready {
    mtu: u32,
    resolvers: Vec<Ipv4Addr>,
    /// The program `pasta`, where the service is not root.
    pasta: Option<PathBuf>,
}

impl Outside {
    /// A host whose containers already have the cables of these names.
    pub(super) fn new(
        config: OutboundNetwork,
        instance: &str,
        interfaces: impl Iterator<Item = String>,
    ) -> Self {
        let taken = interfaces.filter_map(|name| Some((number_of(&name)?, None))).collect();
        let openings_table = format!("{PREFIX}_{}", instance.replace('-', "_"));
        Self { config, openings_table, ready: OnceLock::new(), taken: Mutex::new(taken) }
    }

    /// A way out for one more container; or why this machine allows none.
    pub(super) fn take(&self) -> Result<WayOut, String> {
        let ready = self.ready()?;
        if ready.pasta.is_some() {
            // Each porter has a network of its own, with the same addresses in all of them.
            return Ok(self.way_out(0, ready));
        }
        if let Err(error) = self.forward_from_opened() {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "containers may not hear from what builds.network_allow opens");
        }
        let mut taken = self.taken.lock().expect("no holder of this lock panics");
        let claimed = (0..self.cables()).find_map(|number| {
            let interface = format!("{PREFIX}{number}");
            if taken.contains_key(&number) {
                return None;
            }
            let claim = Claim::on(&interface)?;
            // In this order: whoever had the claim before has laid the cable by now.
            (!interface_exists(&interface)).then_some((number, claim))
        });
        let Some((number, claim)) = claimed else {
            tracing::warn!("all addresses for containers are taken: one starts without a network");
            return Err("all addresses for containers are taken".to_owned());
        };
        taken.insert(number, Some(claim));
        Ok(self.way_out(number, ready))
    }

    /// What was found out when the first way out was wanted.
    fn ready(&self) -> Result<&Ready, String> {
        let ready = self.ready.get_or_init(|| {
            let arranged = if geteuid().is_root() { self.arrange() } else { self.find_pasta() };
            arranged.map_err(|fault| {
                let error = &fault as &dyn std::error::Error;
                tracing::warn!(error, "containers cannot reach the outside");
                fault.source.to_string()
            })
        });
        ready.as_ref().map_err(String::clone)
    }

    fn way_out(&self, number: u32, ready: &Ready) -> WayOut {
        let first = self.config.range.first.to_bits() + (number << (32 - CABLE_BITS));
        let address = |number: u32| Ipv4Addr::from_bits(first + number);
        let beyond = 1 << (32 - CABLE_BITS);
        WayOut {
            interface: format!("{PREFIX}{number}"),
            host: address(1),
            container: address(2),
            outlet: ready.pasta.clone().map(|program| Outlet {
                program,
                gateway: address(beyond + 1),
                address: address(beyond + 2),
                openings: self.config.openings.clone(),
            }),
            mtu: ready.mtu,
            kept_back: self.config.kept_back.clone(),
            openings: self.opened(),
            resolvers: ready.resolvers.clone(),
        }
    }

    /// Puts a gate on a way out. Who is told of denied names is told as long as the gate is kept.
    pub(super) fn gate(
        &self,
        way_out: &mut WayOut,
        egress: &Egress,
    ) -> Result<(Gate, UnboundedReceiver<String>), Fault> {
        let (tell, told) = unbounded_channel();
        let resolvers = std::mem::replace(&mut way_out.resolvers, vec![way_out.host]);
        Ok((Gate::put(way_out, egress, &resolvers, tell)?, told))
    }

    /// Puts the gate back that a container had which is found again.
    pub(super) fn gate_again(
        &self,
        interface: &str,
        egress: &Egress,
    ) -> Result<(Gate, UnboundedReceiver<String>), Fault> {
        let doing = "find a container's way out";
        let number = number_of(interface);
        let number = number.ok_or_else(|| Fault::because(doing, "it has a strange name"))?;
        let ready = self.ready().map_err(|reason| Fault::because(doing, reason))?;
        self.gate(&mut self.way_out(number, ready), egress)
    }

    /// The ranges that are open, each once.
    fn opened(&self) -> Vec<Ipv4Range> {
        let mut opened = Vec::new();
        for opening in &self.config.openings {
            if !opened.contains(&opening.range) {
                opened.push(opening.range);
            }
        }
        opened
    }

    /// Has the answers from what is open let through to containers, whichever interface leads
    /// there: one that comes up later than the service too.
    fn forward_from_opened(&self) -> io::Result<()> {
        if self.config.openings.is_empty() {
            return Ok(());
        }
        for (interface, route) in routes()? {
            if self.config.openings.iter().any(|opening| opening.range.overlaps(&route)) {
                let file = format!("/proc/sys/net/ipv4/conf/{interface}/forwarding");
                if fs::read_to_string(&file)?.trim() != "1" {
                    fs::write(&file, "1")?;
                }
            }
        }
        Ok(())
    }

    /// Gives a container's cable back, which is gone.
    pub(super) fn give_back(&self, interface: &str) {
        if let Some(number) = number_of(interface) {
            self.taken.lock().expect("no holder of this lock panics").remove(&number);
        }
    }

    /// Takes what was opened for this service's containers away when none of them is left. Those that go
    /// on keep it, for a service that finds them again.
    pub(super) fn leave(&self) -> Result<(), Fault> {
        let has_opened = !(self.config.openings.is_empty() && self.config.resolvers.is_empty());
        let has_none = self.taken.lock().expect("no holder of this lock panics").is_empty();
        match has_opened && has_none && geteuid().is_root() {
            true => filter(&without(&self.openings_table)),
            false => Ok(()),
        }
    }

    /// The text of a container's `/etc/resolv.conf`.
    pub(super) fn resolv_conf(way_out: Option<&WayOut>) -> String {
        let resolvers = way_out.map(|way_out| &way_out.resolvers[..]).unwrap_or_default();
        resolvers.iter().map(|resolver| format!("nameserver {resolver}\n")).collect()
    }

    fn cables(&self) -> u32 {
        1 << CABLE_BITS.saturating_sub(self.config.range.prefix_bits).min(16)
    }

    /// Finds what there must be for porters.
    fn find_pasta(&self) -> Result<Ready, Fault> {
        let doing = "prepare ways out by pasta";
        let pasta = program("pasta").ok_or_else(|| {
            Fault::because(doing, "the program pasta is not installed (the package passt)")
        })?;
        let tunnels = File::options().read(true).write(true).open(TUNNELS);
        tunnels.map_err(|error| Fault::because(doing, format!("{TUNNELS}: {error}")))?;
        if uplinks().doing(doing)?.is_empty() {
            return Err(Fault::because(doing, "the machine has no default route"));
        }
        Ok(Ready { mtu: porter::MTU, resolvers: self.resolvers(), pasta: Some(pasta) })
    }

    fn arrange(&self) -> Result<Ready, Fault> {
        let doing = "find the interface to the outside";
        let uplinks = uplinks().doing(doing)?;
        let Some(uplink) = uplinks.first() else {
            return Err(Fault::because(doing, "the machine has no default route"));
        };
        let mtu = fs::read_to_string(format!("/sys/class/net/{uplink}/mtu")).ok();
        let mtu = mtu.and_then(|mtu| mtu.trim().parse().ok()).unwrap_or(USUAL_MTU);
        let resolvers = self.resolvers();
        filter(&self.rules(&resolvers))?;
        for uplink in &uplinks {
            let file = format!("/proc/sys/net/ipv4/conf/{uplink}/forwarding");
            fs::write(&file, "1").doing_to("set", &file)?;
        }
        Ok(Ready { mtu, resolvers, pasta: None })
    }

    /// The packet filter's rules: containers reach nothing of the host and nothing of each other,
    /// and the outside sees the host's address.
    ///
    /// All services of a machine share these. What each has opened is in a table of its own, which
    /// is looked at first and marks the packets that are let through.
    fn rules(&self, resolvers: &[Ipv4Addr]) -> String {
        let kept_back: Vec<String> =
            self.config.kept_back.iter().map(Ipv4Range::to_string).collect();
        let keep_back = if kept_back.is_empty() {
            String::new()
        } else {
            let ranges = kept_back.join(", ");
            let ask = |resolver: &Ipv4Addr| format!("{} accept\n", asking(*resolver));
            // The machine's own are the same for all of its services.
            let ask: String = match self.config.resolvers.is_empty() {
                true => resolvers.iter().map(ask).collect(),
                false => String::new(),
            };
            format!("{ask}iifname \"{PREFIX}*\" ip daddr {{ {ranges} }} drop\n")
        };
        let shared = format!(
            "table inet {PREFIX}\ndelete table inet {PREFIX}\ntable inet {PREFIX} {{\n\
             chain input {{ type filter hook input priority -5; policy accept;\n\
             iifname \"{PREFIX}*\" meta mark != {OPEN} drop\n}}\n\
             chain forward {{ type filter hook forward priority -5; policy accept;\n\
             iifname \"{PREFIX}*\" oifname \"{PREFIX}*\" drop\n\
             iifname \"{PREFIX}*\" meta nfproto ipv6 drop\n\
             iifname \"{PREFIX}*\" meta mark {OPEN} accept\n\
             {keep_back}\
             oifname \"{PREFIX}*\" ct state established,related accept\n\
             oifname \"{PREFIX}*\" drop\n}}\n\
             chain postrouting {{ type nat hook postrouting priority 100; policy accept;\n\
             ip saddr {} oifname != \"{PREFIX}*\" masquerade\n}}\n}}\n",
            self.config.range
        );
        shared + &self.openings(resolvers)
    }

    /// The rules of what this service has opened; without any, of their going. Resolvers of its own may
    /// be asked for names wherever they are.
    fn openings(&self, resolvers: &[Ipv4Addr]) -> String {
        let (table, openings) = (&self.openings_table, &self.config.openings);
        let begin = without(table);
        let resolvers = if self.config.resolvers.is_empty() { &[] } else { resolvers };
        if openings.is_empty() && resolvers.is_empty() {
            return begin;
        }
        let ask = |resolver: &Ipv4Addr| format!("{} meta mark set {OPEN}\n", asking(*resolver));
        let ask: String = resolvers.iter().map(ask).collect();
        let mark = |opening: &Opening| {
            format!("iifname \"{PREFIX}*\" {} meta mark set {OPEN}\n", opening.matcher())
        };
        let open: String = openings.iter().map(mark).collect();
        let own: String = openings.iter().filter(|open| open.is_one_port()).map(mark).collect();
        format!(
            "{begin}table inet {table} {{\n\
             chain input {{ type filter hook input priority -6; policy accept;\n{own}}}\n\
             chain forward {{ type filter hook forward priority -6; policy accept;\n{ask}{open}}}\n}}\n"
        )
    }

    /// Who containers ask for names: the configured, or the host's own resolvers. One on the host's
    /// loopback cannot be reached from a container; then those that it asks itself.
    fn resolvers(&self) -> Vec<Ipv4Addr> {
        if !self.config.resolvers.is_empty() {
            return self.config.resolvers.clone();
        }
        let files = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];
        let found = files.into_iter().map(|file| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let mut found = nameservers(&text);
            found.retain(|resolver| !resolver.is_loopback());
            found
        });
        let found = found.into_iter().find(|found| !found.is_empty()).unwrap_or_default();
        if found.is_empty() {
            tracing::warn!("the machine's resolver is its own: containers cannot ask for names");
        }
        found
    }
}

/// What a container's question for a name has, as the packet filter's rules say it.
fn asking(resolver: Ipv4Addr) -> String {
    format!("iifname \"{PREFIX}*\" ip daddr {resolver} meta l4proto {{ tcp, udp }} th dport 53")
}

fn number_of(interface: &str) -> Option<u32> {
    interface.strip_prefix(PREFIX)?.parse().ok()
}

fn nameservers(text: &str) -> Vec<Ipv4Addr> {
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let mut servers: Vec<_> = servers.filter_map(|server| server.trim().parse().ok()).collect();
    // As many as resolvers look at.
    servers.truncate(3);
    servers.dedup();
    servers
}

/// The interfaces of the default routes.
fn uplinks() -> io::Result<Vec<String>> {
    let defaults = routes()?.into_iter().filter(|(_, range)| range.prefix_bits == 0);
    let mut uplinks: Vec<String> = defaults.map(|(interface, _)| interface).collect();
    uplinks.dedup();
    Ok(uplinks)
}

/// Which ranges are reached through which interfaces.
fn routes() -> io::Result<Vec<(String, Ipv4Range)>> {
    let routes = fs::read_to_string("/proc/net/route")?;
    let address = |text: &str| Some(u32::from_str_radix(text, 16).ok()?.swap_bytes());
    let route = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [interface, first, _, _, _, _, _, mask, ..] = fields[..] else { return None };
        let prefix_bits = u8::try_from(address(mask)?.leading_ones()).ok()?;
        let range = Ipv4Range { first: Ipv4Addr::from_bits(address(first)?), prefix_bits };
        Some((interface.to_owned(), range))
    };
    // The first line has the names of the columns.
    Ok(routes.lines().skip(1).filter_map(route).collect())
}

/// The program of this name, where such programs are.
fn program(name: &str) -> Option<PathBuf> {
    let mut found = FOLDERS.iter().map(|folder| Path::new(folder).join(name));
    found.find(|program| program.exists())
}

/// The rules by which a table goes, whether it is there or not.
pub(super) fn without(table: &str) -> String {
    format!("table inet {table}\ndelete table inet {table}\n")
}

/// Has the packet filter do what the rules say: all of it or nothing.
pub(super) fn filter(rules: &str) -> Result<(), Fault> {
    let doing = "set the rules of the packet filter";
    let tool = program("nft").ok_or_else(|| {
        Fault::because(doing, "the program nft is not installed (the package nftables)")
    })?;
    let mut child = Command::new(tool)
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .doing(doing)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(rules.as_bytes()).doing(doing)?;
    }
    let done = child.wait_with_output().doing(doing)?;
    if done.status.success() {
        return Ok(());
    }
    Err(Fault::because(doing, String::from_utf8_lossy(&done.stderr).trim().to_owned()))
}
