//! What a container may reach of the outside, as rules in order.

use crate::Ipv4Range;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a container may reach of what its network leads to. The first rule that fits counts.
///
/// Names are those that the container asks for; an address that nobody asked for by a name is judged
/// by the rules about addresses, and by what holds otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egress {
    /// The rules.
    pub rules: Vec<EgressRule>,
    /// What holds where no rule fits.
    pub otherwise: Effect,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressRule {
    /// What it does.
    pub effect: Effect,
    /// What it is about.
    pub to: Destination,
}

/// Whether something is let through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// It is.
    #[default]
    Allow,
    /// It is not.
    Deny,
}

/// What a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// Addresses.
    Addresses(Vec<Ipv4Range>),
    /// Names.
    Names(Vec<DomainPattern>),
}

impl Egress {
    /// Whether everything is let through.
    pub fn is_open(&self) -> bool {
        self.rules.iter().all(|rule| rule.effect == Effect::Allow)
            && self.otherwise == Effect::Allow
    }

    /// What is done with a name, and by which rule; by none where none fits.
    pub(crate) fn judge(&self, name: &str) -> (Effect, Option<usize>) {
        let fits = |rule: &EgressRule| match &rule.to {
            Destination::Names(patterns) => patterns.iter().any(|pattern| pattern.fits(name)),
            Destination::Addresses(_) => false,
        };
        match self.rules.iter().position(fits) {
            Some(number) => (self.rules[number].effect, Some(number)),
            None => (self.otherwise, None),
        }
    }
}

/// Names of hosts: `example.com`, or `*.example.com` for all that are below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DomainPattern {
    /// The name, in lower case and without the dot at its end.
    name: String,
    /// Whether the names below it are meant, and not itself.
    below: bool,
}

impl DomainPattern {
    fn fits(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        match name.strip_suffix(&self.name) {
            Some("") => !self.below,
            Some(above) => self.below && above.ends_with('.'),
            None => false,
        }
    }
}

impl FromStr for DomainPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (below, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let name = rest.trim_end_matches('.').to_ascii_lowercase();
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        let is_address = name.parse::<std::net::Ipv4Addr>().is_ok();
        if name.len() <= 253 && name.split('.').all(is_label) && !is_address {
            return Ok(Self { name, below });
        }
        Err(format!("not a name such as example.com or *.example.com: {text:?}"))
    }
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.name)
    }
}

impl TryFrom<String> for DomainPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DomainPattern> for String {
    fn from(pattern: DomainPattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{Destination, DomainPattern, Effect, Egress, EgressRule};

    fn names(effect: Effect, patterns: &[&str]) -> EgressRule {
        let patterns = patterns.iter().map(|text| text.parse().expect("a pattern"));
        EgressRule { effect, to: Destination::Names(patterns.collect()) }
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let egress = Egress {
            rules: vec![
                names(Effect::Deny, &["evil.example.com"]),
                names(Effect::Allow, &["*.example.com", "example.org"]),
            ],
            otherwise: Effect::Deny,
        };
        for (name, expected) in [
            ("evil.example.com", (Effect::Deny, Some(0))),
            ("EVIL.example.COM.", (Effect::Deny, Some(0))),
            ("good.example.com", (Effect::Allow, Some(1))),
            ("very.good.example.com", (Effect::Allow, Some(1))),
            ("example.com", (Effect::Deny, None)),
            ("notexample.com", (Effect::Deny, None)),
            ("example.org", (Effect::Allow, Some(1))),
            ("www.example.org", (Effect::Deny, None)),
            ("example.org.evil.net", (Effect::Deny, None)),
        ] {
            assert_eq!(egress.judge(name), expected, "{name}");
        }
        assert!(!egress.is_open() && Egress::default().is_open());
    }

    #[test]
    fn a_pattern_is_a_name_or_all_below_one() {
        for text in ["example.com", "*.example.com", "_dmarc.example.com", "localhost"] {
            assert_eq!(text.parse::<DomainPattern>().expect(text).to_string(), text);
        }
        for text in ["", "*", "*.", ".com", "a..b", "ex*.com", "a b", "10.0.0.1", "https://a.b"] {
            text.parse::<DomainPattern>().expect_err(text);
        }
    }
}
