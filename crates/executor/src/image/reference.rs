//! Images' names, as Docker reads them: `[registry/]repository[:tag][@digest]`. One that begins with
//! `buildyard/` is made here.

use super::digest::Digest;
use std::{fmt, str::FromStr};
use thiserror::Error;

/// The registry of names without one.
const DEFAULT_REGISTRY: &str = "docker.io";
/// The tag of names without one.
const DEFAULT_TAG: &str = "latest";
/// Where images are that are made here: a registry that there is none of.
const HERE: &str = "localhost";
/// How the repositories of images begin that are made here by recipes.
const OWN: &str = "buildyard/";
const REPOSITORY_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;

/// An image's whole name. Two texts that mean the same image are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    version: Version,
}

/// Which of a repository's images is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// What the tag points to at the moment.
    Tag(String),
    /// What has this digest, always.
    Digest(Digest),
}

/// Why a text is no image's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("invalid reference format: {0}")]
pub struct NoReference(String);

impl Reference {
    /// The registry's host, with its port if it has one.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository in the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Whether it is the name of an image that a recipe makes here, so that no registry has it; then
    /// with the recipe's own name.
    pub fn recipe(&self) -> Option<&str> {
        self.repository.strip_prefix(OWN).filter(|_| self.registry == HERE)
    }

    /// Which of the repository's images it is.
    pub fn version(&self) -> &Version {
        &self.version
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registry, repository, version } = self;
        match version {
            Version::Tag(tag) => write!(f, "{registry}/{repository}:{tag}"),
            Version::Digest(digest) => write!(f, "{registry}/{repository}@{digest}"),
        }
    }
}

impl FromStr for Reference {
    type Err = NoReference;

    fn from_str(text: &str) -> Result<Self, NoReference> {
        let refused = |why: &str| NoReference(format!("{text:?} {why}"));
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse::<Digest>().map_err(NoReference)?)),
            None => (text, None),
        };
        let (registry, rest) = match name.split_once('/') {
            Some((first, rest)) if is_host(first) => (first, rest),
            _ if name.starts_with(OWN) => (HERE, name),
            _ => (DEFAULT_REGISTRY, name),
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
        if !is_valid_host(registry) {
            return Err(refused("names no registry"));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(refused("has a tag that is none"));
        }
        let repository = match repository.contains('/') || registry != DEFAULT_REGISTRY {
            true => repository.to_owned(),
            false => format!("library/{repository}"),
        };
        let sound = repository.split('/').all(is_component);
        if !sound || repository.len() > REPOSITORY_BYTES_MAX {
            return Err(refused("names no repository"));
        }
        // A digest says more than a tag beside it.
        let version = match digest {
            Some(digest) => Version::Digest(digest),
            None => Version::Tag(tag.unwrap_or(DEFAULT_TAG).to_owned()),
        };
        Ok(Self { registry: registry.to_ascii_lowercase(), repository, version })
    }
}

/// Whether the first part of a name is a registry's host, and not the first of its repository.
fn is_host(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost" || part.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_valid_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let sound = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.split('.').all(|label| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        }),
    };
    sound && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Lower-case letters and digits, with single separators between them; a hyphen may be repeated, and
/// an underscore doubled.
fn is_component(part: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let separators = part.split(|c: char| c.is_ascii() && plain(c as u8));
    let ends = [part.bytes().next(), part.bytes().next_back()];
    ends.iter().all(|end| end.is_some_and(plain))
        && separators
            .filter(|s| !s.is_empty())
            .all(|s| matches!(s, "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= TAG_BYTES_MAX
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::Reference;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: &Expect) {
        let read = match text.parse::<Reference>() {
            Ok(reference) => reference.to_string(),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&read);
    }

    #[test]
    fn names_are_read_as_docker_reads_them() {
        for (text, whole) in [
            ("alpine", "docker.io/library/alpine:latest"),
            ("alpine:3.20", "docker.io/library/alpine:3.20"),
            ("index.docker.io/alpine", "docker.io/library/alpine:latest"),
            ("docker.io/alpine", "docker.io/library/alpine:latest"),
            ("company/tool", "docker.io/company/tool:latest"),
            ("localhost/tool", "localhost/tool:latest"),
            ("localhost:5000/a/b_c/d--e:V1", "localhost:5000/a/b_c/d--e:V1"),
            ("Registry.Example.org/tool", "registry.example.org/tool:latest"),
            ("[::1]:5000/tool", "[::1]:5000/tool:latest"),
            ("public.ecr.aws/x/y:1", "public.ecr.aws/x/y:1"),
            ("buildyard/base", "localhost/buildyard/base:latest"),
            ("buildyard.example.org/base", "buildyard.example.org/base:latest"),
        ] {
            assert_eq!(text.parse::<Reference>().expect(text).to_string(), whole);
            assert_eq!(whole.parse::<Reference>().expect(whole).to_string(), whole);
        }
    }

    #[test]
    fn a_digest_says_more_than_a_tag() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let whole = format!("docker.io/library/alpine@{digest}");
        for text in [format!("alpine@{digest}"), format!("alpine:3@{digest}")] {
            assert_eq!(text.parse::<Reference>().expect("a name").to_string(), whole);
        }
    }

    #[test]
    fn what_is_no_name_is_told() {
        let bad_digest =
            expect![[r#"invalid reference format: the digest "sha256:1" is not understood"#]];
        check("alpine@sha256:1", &bad_digest);
        check("", &expect![[r#"invalid reference format: "" names no repository"#]]);
        check("a:", &expect![[r#"invalid reference format: "a:" has a tag that is none"#]]);
        check("a b", &expect![[r#"invalid reference format: "a b" names no repository"#]]);
        check("UPPER", &expect![[r#"invalid reference format: "UPPER" names no repository"#]]);
        check("a/../b", &expect![[r#"invalid reference format: "a/../b" names no repository"#]]);
        check(
            "x.org:99999/a",
            &expect![[r#"invalid reference format: "x.org:99999/a" names no registry"#]],
        );
        check(
            "https://x.org/a",
            &expect![[r#"invalid reference format: "https://x.org/a" names no registry"#]],
        );
        check("a//b", &expect![[r#"invalid reference format: "a//b" names no repository"#]]);
        check("a___b", &expect![[r#"invalid reference format: "a___b" names no repository"#]]);
    }
}
