//! What the kernel tells about a network as it changes. A socket belongs to the network in which it was
//! made, wherever the process goes after it.

use super::{HEADER_BYTES, Ipv4Range, ipv4, next_message, socket};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, bind, netlink::SocketAddrNetlink, recv, send},
};
use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// The size of a message about a route, without its attributes.
const ROUTE_BYTES: usize = 12;
/// More than the kernel puts into one part of an answer.
const PART_BYTES_MAX: usize = 64 * 1024;

/// News of interfaces.
pub(in crate::sandbox) struct LinkNews(OwnedFd);

impl LinkNews {
    /// Listens from now on.
    pub(in crate::sandbox) fn listen() -> io::Result<Self> {
        listen(libc::RTMGRP_LINK).map(Self)
    }

    /// Forgets what it has heard.
    pub(in crate::sandbox) fn forget(&self) -> io::Result<()> {
        let mut part = [0; 4096];
        loop {
            match recv(&self.0, &mut part[..], RecvFlags::DONTWAIT) {
                // It does not matter how much there was.
                Ok(_) | Err(Errno::INTR | Errno::NOBUFS) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for LinkNews {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The ranges whose packets a network takes for its own: its addresses, and whatever else leads to
/// its programs.
pub(in crate::sandbox) struct LocalRanges {
    news: OwnedFd,
    asked: OwnedFd,
}

impl LocalRanges {
    /// Those of this process's network, of which nothing is missed from now on.
    pub(in crate::sandbox) fn listen() -> io::Result<Self> {
        Ok(Self { news: listen(libc::RTMGRP_IPV4_ROUTE)?, asked: socket()? })
    }

    /// All of them.
    pub(in crate::sandbox) fn all(&self) -> io::Result<Vec<Ipv4Range>> {
        send(&self.asked, &all_routes(), SendFlags::empty())?;
        let (mut found, mut part) = (Vec::new(), vec![0; PART_BYTES_MAX]);
        loop {
            let (length, _) =
                rustix::io::retry_on_intr(|| recv(&self.asked, &mut part[..], RecvFlags::empty()))?;
            if take(&part[..length], &mut found)? {
                return Ok(found);
            }
        }
    }

    /// Those that there may be since it was asked last.
    pub(in crate::sandbox) fn added(&self) -> io::Result<Vec<Ipv4Range>> {
        let (mut found, mut part) = (Vec::new(), vec![0; PART_BYTES_MAX]);
        loop {
            match recv(&self.news, &mut part[..], RecvFlags::DONTWAIT) {
                Ok((length, _)) => take(&part[..length], &mut found).map(drop)?,
                // Something was missed.
                Err(Errno::NOBUFS) => found.extend(self.all()?),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(found),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for LocalRanges {
    /// Readable when there may be new ones.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.news.as_fd()
    }
}

fn listen(groups: i32) -> io::Result<OwnedFd> {
    let socket = socket()?;
    bind(&socket, &SocketAddrNetlink::new(0, groups.cast_unsigned()))?;
    Ok(socket)
}

/// The question for all routes.
fn all_routes() -> Vec<u8> {
    let length = u32::try_from(HEADER_BYTES + ROUTE_BYTES).expect("a small number");
    let flags = u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_DUMP).expect("16 bits");
    let mut question = Vec::from(length.to_ne_bytes());
    question.extend(libc::RTM_GETROUTE.to_ne_bytes());
    question.extend(flags.to_ne_bytes());
    question.extend([0; 8]);
    question.push(ipv4());
    question.resize(HEADER_BYTES + ROUTE_BYTES, 0);
    question
}

/// Takes the local ranges out of messages about routes; true when there will be no more.
fn take(mut messages: &[u8], found: &mut Vec<Ipv4Range>) -> io::Result<bool> {
    while let Some((kind, body)) = next_message(&mut messages) {
        match i32::from(kind) {
            libc::NLMSG_DONE => return Ok(true),
            libc::NLMSG_ERROR => {
                let number = body.first_chunk().map_or(-libc::EIO, |n| i32::from_ne_bytes(*n));
                return Err(io::Error::from_raw_os_error(-number));
            }
            _ if kind == libc::RTM_NEWROUTE => found.extend(local_range(body)),
            _ => {}
        }
    }
    Ok(false)
}

/// The range of a route, if what goes there stays in the network.
fn local_range(route: &[u8]) -> Option<Ipv4Range> {
    let (head, mut attributes) = route.split_first_chunk::<ROUTE_BYTES>()?;
    let [family, prefix_bits, _, _, _, _, _, kind, ..] = *head;
    if (family, kind) != (ipv4(), libc::RTN_LOCAL) || prefix_bits > 32 {
        return None;
    }
    let mut first = Ipv4Addr::UNSPECIFIED;
    while let Some(header) = attributes.first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let whole = length.clamp(4, attributes.len());
        if u16::from_ne_bytes([header[2], header[3]]) == libc::RTA_DST
            && let Some(address) = attributes[4..whole].first_chunk::<4>()
        {
            first = Ipv4Addr::from(*address);
        }
        attributes = &attributes[whole.next_multiple_of(4).min(attributes.len())..];
    }
    Some(Ipv4Range { first, prefix_bits })
}

#[cfg(test)]
mod tests {
    use super::LocalRanges;
    use crate::Ipv4Range;

    #[test]
    fn loopback_is_the_machine_s_own() {
        let ranges = LocalRanges::listen().expect("it listens");
        let all = ranges.all().expect("there are some");
        assert!(all.contains(&Ipv4Range::new([127, 0, 0, 0], 8)), "{all:?}");
        assert!(all.iter().all(|range| range.prefix_bits >= 8), "{all:?}");
    }
}
