//! The bytes that went through the container's network, its own loopback aside.

use super::group::text;
use std::fs::File;

/// The kernel's list of interfaces, of the network that the agent was started in.
#[derive(Debug)]
pub(crate) struct Network(Option<File>);

/// Bytes received and sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl Network {
    pub(crate) fn open() -> Self {
        Self(File::open("/proc/self/net/dev").ok())
    }

    /// What went through all interfaces so far.
    pub(crate) fn traffic(&self) -> Traffic {
        self.0.as_ref().and_then(text).map(|text| sum(&text)).unwrap_or_default()
    }
}

fn sum(list: &str) -> Traffic {
    let mut traffic = Traffic::default();
    for line in list.lines() {
        let Some((name, counts)) = line.split_once(':') else { continue };
        let mut counts = counts.split_whitespace().map(|count| count.parse().unwrap_or(0u64));
        // Eight counts of what was received come before those of what was sent.
        if let (true, Some(received), Some(sent)) =
            (name.trim() != "lo", counts.next(), counts.nth(7))
        {
            traffic.received += received;
            traffic.sent += sent;
        }
    }
    traffic
}

#[cfg(test)]
mod tests {
    use super::{Traffic, sum};

    #[test]
    fn every_interface_counts_but_loopback() {
        let list = "Inter-|   Receive                            |  Transmit\n \
                     face |bytes    packets errs drop fifo frame compressed multicast|bytes packets\n    \
                     lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n  \
                     eth0: 100 1 0 0 0 0 0 0 200 2 0 0 0 0 0 0\n  \
                     eth1:1 1 0 0 0 0 0 0 2 2 0 0 0 0 0 0\n";
        assert_eq!(sum(list), Traffic { received: 101, sent: 202 });
        assert_eq!(sum(""), Traffic::default());
    }
}
