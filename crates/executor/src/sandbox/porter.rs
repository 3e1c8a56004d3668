//! The way out of an ordinary user's containers: a porter, in a network between the container and `pasta`.
//!
//! An ordinary user can neither lay a cable into the machine's network nor set its packet filter.
//! `pasta` needs no privileges: it reads packets from an interface and opens sockets of the machine for
//! them, and so reaches whatever the machine reaches, its own services included. Routes inside the
//! container would not keep anything back: a program that binds its socket to an interface goes round
//! them. So the container gets a cable to a network that it has no part in, where routes decide what is
//! passed on to `pasta`.
//!
//! The porter, a copy of the helper, makes that network and stays in it for as long as the container is
//! there. It is the first process of a namespace of processes in which `pasta` is too, so that neither
//! outlives the container, nor `pasta` the porter, whatever happens to the service.

use super::{
    message::{Job, receive, send},
    netlink::{By, Ipv4Range, LinkNews, LocalRanges, OtherNetwork, Requests, Rule, Table},
    network::{WayOut, interface_index},
    opening::Opening,
    process::ProcessName,
    syscall::{self, Twin},
};
use crate::{
    Fault,
    fault::{Doing, ToldFault},
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{Mode, OFlags},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    process::{Pid, Signal, getegid, geteuid, pidfd_send_signal, setsid},
    thread::{CapabilitySet, CapabilitySets, UnshareFlags, set_capabilities},
};
use serde::{Deserialize, Serialize};
use std::{
    convert::Infallible,
    fs::{self, File},
    io,
    net::Ipv4Addr,
    os::{
        fd::{AsFd, OwnedFd, RawFd},
        unix::process::CommandExt,
    },
    path::PathBuf,
    process::{Command, Stdio},
};

/// What is being done when there will be no way out. The container can be made without one.
pub(super) const WAY: &str = "open a way out through pasta";
/// Where a porter notes which process it is, in the container's folder.
pub(super) const NOTE: &str = "porter.json";
/// Where `pasta` complains, in the container's folder.
const SAID: &str = "pasta";
/// The interface that `pasta` reads from.
const OUTER: &str = "pasta";
/// The largest packet that `pasta` takes, in bytes. It ends every connection itself, so that this says
/// nothing of the network outside.
pub(super) const MTU: u32 = 65_520;
/// The descriptor that the porter keeps its socket on, above all that it has inherited.
const FIRST: RawFd = 200;
/// The routes of what is let through although it is kept back.
const OPEN: Table = Table(100);
/// The routes of what is the machine itself.
const MACHINE: Table = Table(101);

/// What a porter needs to know beside the way out that it opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outlet {
    /// The program `pasta`.
    pub program: PathBuf,
    /// The address of the interface that it reads from.
    pub address: Ipv4Addr,
    /// Its own address there.
    pub gateway: Ipv4Addr,
    /// What is let through although it is kept back.
    pub openings: Vec<Opening>,
}

/// A porter, as the helper knows it.
pub(super) struct Porter {
    socket: OwnedFd,
}

impl Porter {
    /// Has a porter stand on the container's way out, if it needs one. This process has users of its
    /// own after it, and is their root.
    pub(super) fn call(job: &Job) -> Result<Option<Self>, Fault> {
        let Some((way_out, outlet)) = way_and_outlet(job) else { return Ok(None) };
        let call = || -> Result<Self, Fault> {
            enter_own_users()?;
            let (socket, theirs) =
                socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                    .doing("make a socket")?;
            match syscall::clone_into_namespaces(libc::CLONE_NEWPID, None)
                .doing("copy the helper")?
            {
                Twin::New => stand(job, way_out, outlet, &theirs),
                Twin::Caller { .. } => Ok(Self { socket }),
            }
        };
        call().map(Some).map_err(|fault| no_way(&fault))
    }

    /// Has it lay the cable to the container, and waits until the way is open.
    pub(super) fn open(self, container: Pid, process: &OwnedFd) -> Result<(), Fault> {
        let open = || -> Result<(), Fault> {
            let doing = "talk to the porter";
            let file = format!("/proc/{}/ns/net", container.as_raw_nonzero());
            let network = rustix::fs::open(&file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
            let network = network.doing_to("open", &file)?;
            send(&self.socket, &(), &[network.as_fd(), process.as_fd()]).doing(doing)?;
            match receive::<Option<ToldFault>>(&self.socket).doing(doing)? {
                Some((None, _)) => Ok(()),
                Some((Some(fault), _)) => Err(fault.into()),
                None => Err(Fault::because(doing, "it is gone")),
            }
        };
        open().map_err(|fault| no_way(&fault))
    }
}

fn way_and_outlet(job: &Job) -> Option<(&WayOut, &Outlet)> {
    let way_out = job.way_out.as_ref()?;
    Some((way_out, way_out.outlet.as_ref()?))
}

fn no_way(fault: &Fault) -> Fault {
    Fault::because(WAY, format!("failed to {}: {}", fault.doing, fault.source))
}

/// Makes this process root of users of its own, which only it is among.
fn enter_own_users() -> Result<(), Fault> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    syscall::enter_new(UnshareFlags::NEWUSER).doing("make a namespace of users")?;
    let maps = [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {uid} 1")),
        ("gid_map", format!("0 {gid} 1")),
    ];
    for (file, text) in maps {
        let file = format!("/proc/self/{file}");
        fs::write(&file, text).doing_to("write", &file)?;
    }
    Ok(())
}

/// Is the porter until the container is gone.
fn stand(job: &Job, way_out: &WayOut, outlet: &Outlet, helper: &OwnedFd) -> ! {
    let Ok(helper) = rustix::io::fcntl_dupfd_cloexec(helper, FIRST) else { syscall::end(1) };
    // The service waits until all who make the container have let go of its socket.
    if syscall::close_all_but(FIRST, 1).is_err() {
        syscall::end(1);
    }
    let Err(fault) = serve(job, way_out, outlet, &helper);
    // A helper that is gone needs not be told.
    let _ = send(&helper, &Some(ToldFault::from(fault)), &[]);
    syscall::end(1)
}

fn serve(
    job: &Job,
    way_out: &WayOut,
    outlet: &Outlet,
    helper: &OwnedFd,
) -> Result<Infallible, Fault> {
    let process = ProcessName::own().doing("read the process's start time")?;
    let note = job.folder.join(NOTE);
    let name = serde_json::to_vec(&process).map_err(io::Error::from);
    fs::write(&note, name.doing_to("spell", &note)?).doing_to("write", &note)?;
    setsid().doing("start a session")?;
    // Of the machine's network, which cannot be entered again once it is left.
    let machine = LocalRanges::listen().doing("hear of the machine's addresses")?;
    let network = format!("/proc/{}/ns/net", process.id());
    let pasta = Pasta::prepare(job, command(way_out, outlet, &network))?;
    syscall::enter_new(UnshareFlags::NEWNET).doing("make a network")?;
    let news = LinkNews::listen().doing("hear of interfaces")?;
    for (setting, value) in SETTINGS {
        let file = format!("/proc/sys/net/ipv4/{setting}");
        fs::write(&file, value).doing_to("set", &file)?;
    }
    keep_few_capabilities()?;
    pasta.begin()?;
    let mut kept = Kept { ranges: Vec::new() };
    kept.keep_back(machine.all().doing("ask for the machine's addresses")?)?;
    lay_rules(way_out, outlet).doing("say what is let through")?;
    let doing = "talk to the helper";
    // Nothing is heard when the container could not be made.
    let heard = receive::<()>(helper).doing(doing)?;
    let Some(Ok([network, container])) = heard.map(|(_, given)| <[OwnedFd; 2]>::try_from(given))
    else {
        return Err(Fault::because(doing, "it made no container"));
    };
    way_out.lay_into(OtherNetwork::Open(network.as_fd()))?;
    drop(network);
    pasta.wait_for_interface(&news)?;
    drop(news);
    lay_routes(way_out, outlet).doing("lay the way out")?;
    send(helper, &None::<ToldFault>, &[]).doing(doing)?;
    attend(&container, &pasta, &machine, &mut kept)
}

/// What the porter's network does: it passes packets on, wherever they come from, and tells of each that
/// it does not.
const SETTINGS: [(&str, &str); 4] = [
    ("ip_forward", "1"),
    ("conf/all/rp_filter", "0"),
    ("conf/default/rp_filter", "0"),
    ("icmp_ratelimit", "0"),
];

/// Keeps what the porter itself needs. `pasta`, which gives up more than this at once, could not look
/// for the network of a process that has more.
fn keep_few_capabilities() -> Result<(), Fault> {
    let kept = CapabilitySet::NET_ADMIN | CapabilitySet::SYS_ADMIN;
    let inheritable = CapabilitySet::empty();
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable };
    set_capabilities(None, sets).doing("give up capabilities")
}

/// Waits until the container is gone, and keeps back what comes to be the machine's meanwhile.
fn attend(
    container: &OwnedFd,
    pasta: &Pasta,
    machine: &LocalRanges,
    kept: &mut Kept,
) -> Result<Infallible, Fault> {
    loop {
        let mut polled =
            [PollFd::new(container, PollFlags::IN), PollFd::new(machine, PollFlags::IN)];
        rustix::io::retry_on_intr(|| poll(&mut polled, None)).doing("wait for the container")?;
        let (has_ended, has_news) =
            (!polled[0].revents().is_empty(), !polled[1].revents().is_empty());
        if has_ended {
            pasta.end();
            syscall::end(0);
        }
        if has_news {
            let ranges = machine.added().doing("hear of the machine's addresses");
            // Without it an address of the machine could be reached.
            if ranges.and_then(|ranges| kept.keep_back(ranges)).is_err() {
                pasta.end();
                syscall::end(1);
            }
        }
    }
}

/// The ranges of the machine's own that are kept back.
struct Kept {
    ranges: Vec<Ipv4Range>,
}

impl Kept {
    fn keep_back(&mut self, ranges: Vec<Ipv4Range>) -> Result<(), Fault> {
        let mut requests = Requests::default();
        for range in ranges {
            if !self.ranges.contains(&range) {
                requests.add_route(MACHINE, range, By::Nobody);
                self.ranges.push(range);
            }
        }
        requests.perform().doing("keep the machine's addresses back")
    }
}

/// Says which list of routes is for what: what is let through by its port comes before the machine's
/// own addresses, which come before ranges that are let through.
fn lay_rules(way_out: &WayOut, outlet: &Outlet) -> io::Result<()> {
    let mut requests = Requests::default();
    for resolver in &way_out.resolvers {
        let to = Ipv4Range { first: *resolver, prefix_bits: 32 };
        for protocol in [libc::IPPROTO_UDP, libc::IPPROTO_TCP] {
            requests.add_rule(Rule { place: 10, to, port: Some((protocol, 53)), table: OPEN });
        }
    }
    requests.add_rule(Rule { place: 30, to: Ipv4Range::ALL, port: None, table: MACHINE });
    for opening in &outlet.openings {
        let place = if opening.is_one_port() { 20 } else { 40 };
        let port = opening.port.map(|port| (libc::IPPROTO_TCP, port));
        requests.add_rule(Rule { place, to: opening.range, port, table: OPEN });
    }
    requests.perform()
}

/// Brings up the interface that `pasta` reads from, and has it reached by what is let through.
fn lay_routes(way_out: &WayOut, outlet: &Outlet) -> io::Result<()> {
    let index = interface_index(OUTER)?;
    let mut requests = Requests::default();
    requests.set_mtu(index, way_out.mtu);
    // Without a range: what is beside it is nobody's.
    requests.add_address(index, outlet.address, 32);
    requests.bring_up(index);
    for table in [Table::MAIN, OPEN] {
        requests.add_route(table, Ipv4Range::ALL, By::GatewayAt(outlet.gateway, index));
    }
    for range in &way_out.kept_back {
        requests.add_route(Table::MAIN, *range, By::Nobody);
    }
    requests.perform()
}

/// `pasta`, in a copy of the porter.
struct Pasta {
    process: OwnedFd,
    /// Whether it may begin.
    begin: OwnedFd,
    said: PathBuf,
}

impl Pasta {
    /// Copies the porter, while it is in the machine's network, for what will be `pasta`.
    fn prepare(job: &Job, mut command: Command) -> Result<Self, Fault> {
        let doing = "start pasta";
        let said = job.folder.join(SAID);
        let errors = File::create(&said).doing_to("make", &said)?;
        let (begin, wait) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .doing(doing)?;
        match syscall::fork().doing(doing)? {
            Twin::Caller { pidfd, .. } => Ok(Self { process: pidfd, begin, said }),
            Twin::New => {
                drop(begin);
                if !matches!(receive::<()>(&wait), Ok(Some(_))) {
                    syscall::end(1);
                }
                // It takes a signal that is ignored for one that cannot be set.
                syscall::reset_signals();
                let error = command.stderr(errors).exec();
                // The porter tells it.
                let _ = fs::write(&said, error.to_string());
                syscall::end(1)
            }
        }
    }

    /// Lets it begin, with the network that the porter is in by now.
    fn begin(&self) -> Result<(), Fault> {
        send(&self.begin, &(), &[]).doing("start pasta")
    }

    /// Waits until its interface is there. It reads from then on.
    fn wait_for_interface(&self, news: &LinkNews) -> Result<(), Fault> {
        let doing = "start pasta";
        while interface_index(OUTER).is_err() {
            let mut polled =
                [PollFd::new(news, PollFlags::IN), PollFd::new(&self.process, PollFlags::IN)];
            rustix::io::retry_on_intr(|| poll(&mut polled, None)).doing(doing)?;
            if !polled[1].revents().is_empty() {
                let said = fs::read_to_string(&self.said).unwrap_or_default();
                let said = said.trim();
                let said = if said.is_empty() { "it ended at once" } else { said };
                return Err(Fault::because(doing, said.replace('\n', "; ")));
            }
            news.forget().doing("hear of interfaces")?;
        }
        Ok(())
    }

    /// Ends it, and waits until it is gone.
    fn end(&self) {
        // It may have ended.
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
        let mut polled = [PollFd::new(&self.process, PollFlags::IN)];
        let _ = rustix::io::retry_on_intr(|| poll(&mut polled, None));
    }
}

/// The call of `pasta` for the network that is this file. It forwards no port in either direction, knows
/// nobody's name, and its gateway is not the machine.
fn command(way_out: &WayOut, outlet: &Outlet, network: &str) -> Command {
    let mut command = Command::new(&outlet.program);
    command
        .args(["--foreground", "--quiet", "--ipv4-only", "--no-map-gw", "--no-icmp"])
        .args(["--no-dhcp", "--no-dhcpv6", "--no-ndp", "--no-ra", "--no-netns-quit"])
        .args(["--tcp-ports", "none", "--udp-ports", "none"])
        .args(["--tcp-ns", "none", "--udp-ns", "none", "--dns", "none", "--search", "none"])
        .args(["--netns-only", "--netns", network, "--ns-ifname", OUTER])
        .args(["--address", &way_out.container.to_string(), "--netmask", "32"])
        .args(["--gateway", &outlet.gateway.to_string()])
        .args(["--mtu", &way_out.mtu.to_string()])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}
