//! What builds reach of the outside, by their projects' names: rules as CodeBuild's fleets have them
//! in their `proxyConfiguration`.

use crate::name_patterns::NamePatterns;
use executor::{Destination, DomainPattern, Effect, Egress, EgressRule, Ipv4Range};
use serde::Deserialize;
use std::net::Ipv4Addr;

/// The rules of all projects.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct EgressSettings {
    /// What holds where no rule fits.
    pub default_behavior: Behavior,
    /// The rules of projects that have none of their own; the first that fits counts.
    pub ordered_rules: Vec<Rule>,
    /// Projects that have rules of their own; the first that fits counts.
    pub projects: Vec<ProjectEgress>,
}

/// The rules of some projects, in the place of all others.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ProjectEgress {
    /// The projects' names.
    pub names: NamePatterns,
    /// What holds where no rule fits.
    #[serde(default)]
    pub default_behavior: Behavior,
    /// The rules; the first that fits counts.
    #[serde(default)]
    pub ordered_rules: Vec<Rule>,
}

/// What holds where no rule fits, in AWS's words.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Behavior {
    /// Everything is let through.
    #[default]
    AllowAll,
    /// Nothing is.
    DenyAll,
}

/// One rule, in AWS's words.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "SpelledRule")]
pub struct Rule(EgressRule);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpelledRule {
    r#type: RuleType,
    effect: RuleEffect,
    entities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum RuleType {
    Domain,
    Ip,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum RuleEffect {
    Allow,
    Deny,
}

impl TryFrom<SpelledRule> for Rule {
    type Error = String;

    fn try_from(rule: SpelledRule) -> Result<Self, String> {
        // AWS: each rule has 1 to 100 of them.
        if rule.entities.is_empty() {
            return Err("a rule has at least one of entities".to_owned());
        }
        let effect = match rule.effect {
            RuleEffect::Allow => Effect::Allow,
            RuleEffect::Deny => Effect::Deny,
        };
        let entities = rule.entities.iter();
        let to = match rule.r#type {
            RuleType::Domain => {
                let patterns: Result<Vec<DomainPattern>, _> =
                    entities.map(|entity| entity.parse()).collect();
                Destination::Names(patterns?)
            }
            RuleType::Ip => {
                let ranges: Result<Vec<_>, _> = entities.map(|entity| range(entity)).collect();
                Destination::Addresses(ranges?)
            }
        };
        Ok(Self(EgressRule { effect, to }))
    }
}

/// Addresses, or a single one.
fn range(entity: &str) -> Result<Ipv4Range, String> {
    match entity.parse::<Ipv4Addr>() {
        Ok(address) => Ok(Ipv4Range::new(address.octets(), 32)),
        Err(_) => entity.parse(),
    }
}

impl EgressSettings {
    /// What the builds of a project reach.
    pub fn of(&self, project: &str) -> Egress {
        let own = self.projects.iter().find(|projects| projects.names.allow(project));
        let (behavior, rules) = match own {
            Some(own) => (own.default_behavior, &own.ordered_rules),
            None => (self.default_behavior, &self.ordered_rules),
        };
        let otherwise = match behavior {
            Behavior::AllowAll => Effect::Allow,
            Behavior::DenyAll => Effect::Deny,
        };
        Egress { rules: rules.iter().map(|rule| rule.0.clone()).collect(), otherwise }
    }
}

#[cfg(test)]
mod tests {
    use super::EgressSettings;
    use executor::{Destination, Effect, Egress};

    #[test]
    fn the_first_entry_that_fits_a_project_has_its_rules() {
        let settings: EgressSettings = toml::from_str(
            r#"
            [[projects]]
            names = ["pr-*"]
            default_behavior = "DENY_ALL"
            ordered_rules = [
                { type = "DOMAIN", effect = "ALLOW", entities = ["*.debian.org", "crates.io"] },
                { type = "IP", effect = "ALLOW", entities = ["203.0.113.0/24", "198.51.100.7"] },
            ]
            [[projects]]
            names = ["*-open"]
            "#,
        )
        .unwrap();
        let strict = settings.of("pr-17-open");
        assert_eq!(strict.otherwise, Effect::Deny);
        assert!(matches!(&strict.rules[0].to, Destination::Names(names) if names.len() == 2));
        assert!(matches!(&strict.rules[1].to, Destination::Addresses(ranges) if ranges.len() == 2));
        assert_eq!(settings.of("main-open"), Egress::default());
        assert_eq!(settings.of("main"), Egress::default());
    }

    #[test]
    fn a_rule_that_is_none_is_refused() {
        for rule in [
            "{ type = 'DOMAIN', effect = 'ALLOW', entities = [] }",
            "{ type = 'DOMAIN', effect = 'ALLOW', entities = ['10.0.0.1'] }",
            "{ type = 'IP', effect = 'ALLOW', entities = ['example.com'] }",
            "{ type = 'IP', effect = 'ALLOW', entities = ['::1'] }",
            "{ type = 'URL', effect = 'ALLOW', entities = ['example.com'] }",
            "{ type = 'IP', effect = 'MAYBE', entities = ['10.0.0.1'] }",
        ] {
            toml::from_str::<EgressSettings>(&format!("ordered_rules = [{rule}]")).expect_err(rule);
        }
    }
}
