//! The container's network as its first process sets it up: loopback, addresses, listening sockets.

use crate::{Fault, fault::Doing};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};
use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    os::fd::OwnedFd,
};

/// The loopback interface's index in a new network namespace.
const LOOPBACK: u32 = 1;

/// Brings loopback up with the addresses that are listened on, and listens.
pub(super) fn open(listen: &[SocketAddrV4]) -> Result<Vec<OwnedFd>, Fault> {
    let mut requests = Requests::default();
    requests.interface_up(LOOPBACK);
    let mut extra: Vec<Ipv4Addr> = listen.iter().map(|address| *address.ip()).collect();
    extra.retain(Ipv4Addr::is_link_local);
    extra.sort_unstable();
    extra.dedup();
    for address in extra {
        requests.add_address(LOOPBACK, address, 32);
    }
    requests.perform().doing("bring loopback up")?;
    listen
        .iter()
        .map(|address| {
            let listener = TcpListener::bind(address);
            listener.doing_to("listen on", address.to_string()).map(OwnedFd::from)
        })
        .collect()
}

/// Requests to the kernel about the network of this process's namespace.
#[derive(Default)]
struct Requests {
    bytes: Vec<u8>,
    count: u32,
}

impl Requests {
    fn interface_up(&mut self, index: u32) {
        let up = u32::from_ne_bytes(libc::IFF_UP.to_ne_bytes());
        let mut body = vec![0; 4];
        body.extend(index.to_ne_bytes());
        body.extend(up.to_ne_bytes());
        body.extend(up.to_ne_bytes());
        self.push(libc::RTM_NEWLINK, 0, &body);
    }

    fn add_address(&mut self, index: u32, address: Ipv4Addr, prefix_bits: u8) {
        let family = u8::try_from(libc::AF_INET).expect("a small number");
        let mut body = vec![family, prefix_bits, 0, 0];
        body.extend(index.to_ne_bytes());
        for attribute in [libc::IFA_LOCAL, libc::IFA_ADDRESS] {
            body.extend(8_u16.to_ne_bytes());
            body.extend(attribute.to_ne_bytes());
            body.extend(address.octets());
        }
        self.push(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &body);
    }

    fn push(&mut self, kind: u16, flags: i32, body: &[u8]) {
        let header_bytes = 16;
        let length = u32::try_from(header_bytes + body.len()).expect("requests are small");
        let flags = u16::try_from(flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK).expect("16 bits");
        self.count += 1;
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(self.count.to_ne_bytes());
        self.bytes.extend(0_u32.to_ne_bytes());
        self.bytes.extend(body);
    }

    /// Sends them all, and reads the answer to each.
    fn perform(self) -> io::Result<()> {
        let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
        // Without a protocol a netlink socket speaks of routes, addresses and interfaces.
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
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

/// The error numbers in an answer, zero where all went well.
fn errors(mut answer: &[u8]) -> Vec<i32> {
    let mut found = Vec::new();
    while let Some(header) = answer.first_chunk::<20>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        if i32::from(kind) == libc::NLMSG_ERROR {
            found.push(i32::from_ne_bytes([header[16], header[17], header[18], header[19]]));
        }
        let aligned = length.max(16).next_multiple_of(4).min(answer.len());
        answer = &answer[aligned..];
    }
    found
}
