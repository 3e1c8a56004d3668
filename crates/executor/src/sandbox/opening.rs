//! What containers may reach although it is in a range that is kept back from them.

use super::netlink::Ipv4Range;
use serde::{Deserialize, Serialize};
use std::{fmt, net::Ipv4Addr, str::FromStr};

/// Addresses, or a port of them, that are open: `10.1.0.0/16`, `10.1.2.3` or `10.1.2.3:8443`.
///
/// An address of the machine itself is open only when it stands alone and with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Opening {
    /// The addresses.
    pub range: Ipv4Range,
    /// The only port of TCP that is open; all of every protocol when absent.
    pub port: Option<u16>,
}

impl Opening {
    /// What a packet to it has, as the packet filter's rules say it.
    pub(super) fn matcher(&self) -> String {
        let port = self.port.map_or_else(String::new, |port| format!(" tcp dport {port}"));
        format!("ip daddr {}{port}", self.range)
    }

    /// Whether it may also be a port of the machine itself.
    pub(super) fn is_one_port(&self) -> bool {
        self.range.prefix_bits == 32 && self.port.is_some()
    }
}

impl FromStr for Opening {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad =
            || format!("not an opening such as 10.1.0.0/16, 10.1.2.3 or 10.1.2.3:8443: {text:?}");
        let (addresses, port) = match text.rsplit_once(':') {
            Some((addresses, port)) => (addresses, Some(port.parse().map_err(|_| bad())?)),
            None => (text, None),
        };
        let range = match addresses.parse::<Ipv4Addr>() {
            Ok(first) => Ipv4Range { first, prefix_bits: 32 },
            Err(_) => addresses.parse().map_err(|_| bad())?,
        };
        if range.first.is_loopback() {
            return Err(format!("{text}: a container's loopback is its own and not the machine's"));
        }
        Ok(Self { range, port })
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.range)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl TryFrom<String> for Opening {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Opening> for String {
    fn from(opening: Opening) -> Self {
        opening.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Opening;

    #[test]
    fn an_opening_is_addresses_and_perhaps_a_port() {
        for (text, rule, one) in [
            ("10.1.0.0/16", "ip daddr 10.1.0.0/16", false),
            ("10.1.2.3", "ip daddr 10.1.2.3/32", false),
            ("10.1.2.3:8443", "ip daddr 10.1.2.3/32 tcp dport 8443", true),
            ("10.1.0.0/16:22", "ip daddr 10.1.0.0/16 tcp dport 22", false),
        ] {
            let opening: Opening = text.parse().expect("an opening");
            assert_eq!((opening.matcher().as_str(), opening.is_one_port()), (rule, one));
            assert_eq!(opening.to_string().parse(), Ok(opening));
        }
        for text in ["", "host", "10.1.2.3:", "10.1.2.3:70000", "10.1.2.3/8", "127.0.0.1:80"] {
            text.parse::<Opening>().expect_err(text);
        }
    }
}
