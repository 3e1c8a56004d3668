//! Requests to the kernel about interfaces, addresses and routes of this process's own network.

mod news;

pub(super) use news::{LinkNews, LocalRanges};

use rustix::{
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with},
    process::Pid,
};
use serde::{Deserialize, Serialize};
use std::{
    fmt, io,
    net::Ipv4Addr,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
    str::FromStr,
};

/// The size of a request's head.
const HEADER_BYTES: usize = 16;
/// The attribute that describes a virtual cable's other end.
const OTHER_END: u16 = 1;
/// The bit that says that an attribute is made of attributes.
const NESTED: u16 = 1 << 15;
/// The flag of a route whose gateway is at its interface though no address says so.
const ON_LINK: u32 = 4;
/// What a rule does: it has a list looked into.
const LOOK_UP: u8 = 1;
/// The attributes of a rule.
const RULE_TO: u16 = 1;
const RULE_PLACE: u16 = 6;
const RULE_PROTOCOL: u16 = 22;
const RULE_PORTS: u16 = 24;

/// Addresses that start alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipv4Range {
    /// The first address.
    pub first: Ipv4Addr,
    /// How many bits all of them share.
    pub prefix_bits: u8,
}

impl Ipv4Range {
    /// All addresses.
    pub(super) const ALL: Self = Self::new([0; 4], 0);

    /// The addresses that share the first `prefix_bits` bits with this one; at most 32.
    pub const fn new(a: [u8; 4], prefix_bits: u8) -> Self {
        Self { first: Ipv4Addr::new(a[0], a[1], a[2], a[3]), prefix_bits }
    }

    /// Whether every address of the other range is in this one.
    pub(super) fn contains(&self, other: &Self) -> bool {
        self.prefix_bits <= other.prefix_bits && self.overlaps(other)
    }

    /// Whether an address is in both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let rest = 32 - u32::from(self.prefix_bits.min(other.prefix_bits));
        let shared = u32::MAX.checked_shl(rest).unwrap_or(0);
        (self.first.to_bits() ^ other.first.to_bits()) & shared == 0
    }
}

impl fmt::Display for Ipv4Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix_bits)
    }
}

impl FromStr for Ipv4Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('/').and_then(|(first, bits)| {
            let (first, prefix_bits): (Ipv4Addr, u8) = (first.parse().ok()?, bits.parse().ok()?);
            let rest = u32::MAX.checked_shr(prefix_bits.into()).unwrap_or(0);
            let fits = prefix_bits <= 32 && first.to_bits() & rest == 0;
            fits.then_some(Self { first, prefix_bits })
        });
        parsed.ok_or_else(|| format!("not a range of addresses such as 10.0.0.0/8: {text:?}"))
    }
}

/// A virtual cable between two networks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cable<'a> {
    /// The interface on this side.
    pub here: &'a str,
    /// The interface on the other side.
    pub there: &'a str,
    /// The other network.
    pub network: OtherNetwork<'a>,
    /// The largest packet, in bytes.
    pub mtu: u32,
}

/// A network that is not this process's.
#[derive(Clone, Copy, Debug)]
pub(super) enum OtherNetwork<'a> {
    /// That of a process.
    Of(Pid),
    /// One that is open.
    Open(BorrowedFd<'a>),
}

/// How a range is reached.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    /// By nobody: whoever tries is told.
    Nobody,
    /// By a gateway that the network has.
    Gateway(Ipv4Addr),
    /// By a gateway that is said to be at an interface, though no address of it says so.
    GatewayAt(Ipv4Addr, u32),
}

/// A list of routes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table(pub u8);

impl Table {
    /// The list that is looked at last.
    pub(super) const MAIN: Self = Self(libc::RT_TABLE_MAIN);
}

/// Which packets are routed by another list than the main one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// The rule's place: lower numbers come first.
    pub place: u32,
    /// Where the packets go.
    pub to: Ipv4Range,
    /// Their protocol and the port that they go to, if not all are meant.
    pub port: Option<(i32, u16)>,
    /// The list. Where it has no route, the next rule is looked at.
    pub table: Table,
}

/// Requests that are sent together.
#[derive(Default)]
pub(super) struct Requests {
    bytes: Vec<u8>,
    count: u32,
}

impl Requests {
    /// Brings an interface up.
    pub(super) fn bring_up(&mut self, index: u32) {
        let up = u32::from_ne_bytes(libc::IFF_UP.to_ne_bytes());
        self.push(libc::RTM_NEWLINK, 0, &interface(index, up));
    }

    /// Makes a cable between this network and another.
    pub(super) fn make_cable(&mut self, cable: Cable<'_>) {
        let end = |name: &str| {
            let mut end = attribute(libc::IFLA_IFNAME, name.as_bytes());
            end.extend(attribute(libc::IFLA_MTU, &cable.mtu.to_ne_bytes()));
            end
        };
        let mut other = interface(0, 0);
        other.extend(end(cable.there));
        other.extend(match cable.network {
            OtherNetwork::Of(process) => {
                let process = process.as_raw_nonzero().get();
                attribute(libc::IFLA_NET_NS_PID, &process.to_ne_bytes())
            }
            OtherNetwork::Open(network) => {
                attribute(libc::IFLA_NET_NS_FD, &network.as_raw_fd().to_ne_bytes())
            }
        });
        let mut kind = attribute(libc::IFLA_INFO_KIND, b"veth");
        let other = attribute(OTHER_END | NESTED, &other);
        kind.extend(attribute(libc::IFLA_INFO_DATA | NESTED, &other));
        let mut body = interface(0, 0);
        body.extend(end(cable.here));
        body.extend(attribute(libc::IFLA_LINKINFO | NESTED, &kind));
        self.push(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &body);
    }

    /// Gives an interface an address, whose range is then reached through it.
    pub(super) fn add_address(&mut self, index: u32, address: Ipv4Addr, prefix_bits: u8) {
        let mut body = vec![ipv4(), prefix_bits, 0, 0];
        body.extend(index.to_ne_bytes());
        body.extend(attribute(libc::IFA_LOCAL, &address.octets()));
        body.extend(attribute(libc::IFA_ADDRESS, &address.octets()));
        self.push(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &body);
    }

    /// Sets the largest packet of an interface, in bytes.
    pub(super) fn set_mtu(&mut self, index: u32, mtu: u32) {
        let mut body = interface(index, 0);
        body.extend(attribute(libc::IFLA_MTU, &mtu.to_ne_bytes()));
        self.push(libc::RTM_NEWLINK, 0, &body);
    }

    /// Has a range reached in this way.
    pub(super) fn add_route(&mut self, table: Table, range: Ipv4Range, by: By) {
        let (kind, flags) = match by {
            By::Nobody => (libc::RTN_UNREACHABLE, 0),
            By::Gateway(_) => (libc::RTN_UNICAST, 0),
            By::GatewayAt(..) => (libc::RTN_UNICAST, ON_LINK),
        };
        let mut body = vec![
            ipv4(),
            range.prefix_bits,
            0,
            0,
            table.0,
            libc::RTPROT_BOOT,
            libc::RT_SCOPE_UNIVERSE,
            kind,
        ];
        body.extend(flags.to_ne_bytes());
        body.extend(attribute(libc::RTA_DST, &range.first.octets()));
        if let By::Gateway(gateway) | By::GatewayAt(gateway, _) = by {
            body.extend(attribute(libc::RTA_GATEWAY, &gateway.octets()));
        }
        if let By::GatewayAt(_, interface) = by {
            body.extend(attribute(libc::RTA_OIF, &interface.to_ne_bytes()));
        }
        self.push(libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &body);
    }

    /// Has some packets routed by another list than the main one.
    pub(super) fn add_rule(&mut self, rule: Rule) {
        let mut body = vec![ipv4(), rule.to.prefix_bits, 0, 0, rule.table.0, 0, 0, LOOK_UP];
        body.extend(0_u32.to_ne_bytes());
        body.extend(attribute(RULE_TO, &rule.to.first.octets()));
        body.extend(attribute(RULE_PLACE, &rule.place.to_ne_bytes()));
        if let Some((protocol, port)) = rule.port {
            let protocol = u8::try_from(protocol).expect("a small number");
            let range = [port.to_ne_bytes(), port.to_ne_bytes()].concat();
            body.extend(attribute(RULE_PROTOCOL, &[protocol]));
            body.extend(attribute(RULE_PORTS, &range));
        }
        self.push(libc::RTM_NEWRULE, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &body);
    }

    fn push(&mut self, kind: u16, flags: i32, body: &[u8]) {
        let length = u32::try_from(HEADER_BYTES + body.len()).expect("requests are small");
        let flags = u16::try_from(flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK).expect("16 bits");
        self.count += 1;
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(self.count.to_ne_bytes());
        self.bytes.extend(0_u32.to_ne_bytes());
        self.bytes.extend(body);
    }

    /// Sends them all, and reads the answer to each. The first error ends it.
    pub(super) fn perform(self) -> io::Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let socket = socket()?;
        send(&socket, &self.bytes, SendFlags::empty())?;
        let mut answered = 0;
        while answered < self.count {
            let mut answer = [0; 4096];
            let (length, _) = recv(&socket, &mut answer[..], RecvFlags::empty())?;
            for error in errors(&answer[..length]) {
                if error != 0 {
                    return Err(io::Error::from_raw_os_error(-error));
                }
                answered += 1;
            }
        }
        Ok(())
    }
}

fn socket() -> io::Result<OwnedFd> {
    // Without a protocol a netlink socket speaks of routes, addresses and interfaces.
    let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
    Ok(socket_with(family, kind, SocketFlags::CLOEXEC, None)?)
}

fn ipv4() -> u8 {
    u8::try_from(libc::AF_INET).expect("a small number")
}

/// The head of a request about an interface; flags that are given are set.
fn interface(index: u32, flags: u32) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).expect("attributes are small");
    let mut bytes = Vec::from(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The error numbers in an answer, zero where all went well.
fn errors(mut answer: &[u8]) -> Vec<i32> {
    let mut found = Vec::new();
    while let Some((kind, body)) = next_message(&mut answer) {
        if i32::from(kind) == libc::NLMSG_ERROR
            && let Some(number) = body.first_chunk()
        {
            found.push(i32::from_ne_bytes(*number));
        }
    }
    found
}

/// The kind and the body of the first of the messages, which are then those after it.
fn next_message<'a>(messages: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    let header = messages.first_chunk::<HEADER_BYTES>()?;
    let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
    let kind = u16::from_ne_bytes([header[4], header[5]]);
    let whole = length.clamp(HEADER_BYTES, messages.len());
    let body = &messages[HEADER_BYTES..whole];
    *messages = &messages[whole.next_multiple_of(4).min(messages.len())..];
    Some((kind, body))
}

#[cfg(test)]
mod tests;
