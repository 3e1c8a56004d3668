//! Where in its bucket a cache is. Pure.
//!
//! AWS: its own names are not known. These say what they are of:
//!
//! - `<prefix>/project/<region>/<project>/rolling`, the one cache of a project without keys;
//! - `<prefix>/<project or namespace>/caches/<paths>/<key>`, a cache of a key;
//! - `<prefix>/<project or namespace>/notes/<paths>/<key>`, what is known of it.

use agent_protocol::S3Cache;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// S3 takes no longer keys.
const OBJECT_KEY_BYTES_MAX: usize = 1_024;
/// Enough digits that two lists of paths do not share a cache by chance.
const PATHS_DIGITS: usize = 16;

/// Where the caches of one key, or of none, are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    scope: String,
    /// The digits of the cached paths; none for the rolling cache, which any paths share.
    paths: Option<String>,
}

/// An object of a cache that cannot be: its name would be too long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Place {
    /// The place of a project's one cache.
    pub(super) fn rolling(order: &S3Cache) -> Self {
        // AWS: caches are shared by those who name keys alone.
        Self { scope: joined(&order.prefix, &project(order)), paths: None }
    }

    /// The place of the caches that have keys, and hold these paths.
    pub(super) fn keyed(order: &S3Cache, paths: &[String]) -> Self {
        let scope = match &order.namespace {
            Some(namespace) => format!("namespace/{}", spelled(namespace)),
            None => project(order),
        };
        let scope = joined(&order.prefix, &scope);
        Self { scope, paths: Some(paths_digits(paths)) }
    }

    /// The cache of a key.
    pub(super) fn cache(&self, key: &str) -> Result<String, TooLong> {
        self.object("caches", key)
    }

    /// What is known of the cache of a key.
    pub(super) fn note(&self, key: &str) -> Result<String, TooLong> {
        self.object("notes", key)
    }

    /// What is known of the cache that is an object of this name.
    pub(super) fn note_of(&self, cache: &str) -> String {
        let beginning = self.name("caches", "");
        let key = cache.strip_prefix(&beginning).unwrap_or_default();
        format!("{}{key}", self.name("notes", ""))
    }

    /// What the names of all caches begin with whose keys begin with this.
    pub(super) fn caches_from(&self, beginning: &str) -> String {
        self.name("caches", beginning)
    }

    /// What the names of all notes begin with, of these paths and of others.
    pub(super) fn all_notes(&self) -> String {
        format!("{}/notes/", self.scope)
    }

    /// Whether a note is of a cache of these paths.
    pub(super) fn is_of_these_paths(&self, note: &str) -> bool {
        note.starts_with(&self.name("notes", ""))
    }

    fn object(&self, kind: &str, key: &str) -> Result<String, TooLong> {
        Some(self.name(kind, key)).filter(|name| name.len() <= OBJECT_KEY_BYTES_MAX).ok_or(TooLong)
    }

    fn name(&self, kind: &str, key: &str) -> String {
        match &self.paths {
            Some(paths) => format!("{}/{kind}/{paths}/{}", self.scope, spelled(key)),
            None if kind == "caches" => format!("{}/rolling", self.scope),
            None => format!("{}/{kind}/rolling", self.scope),
        }
    }
}

/// The same digits for the same paths, in whatever order.
fn paths_digits(paths: &[String]) -> String {
    let mut sorted: Vec<&str> = paths.iter().map(|path| path.trim()).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut digest = Sha256::new();
    for path in sorted {
        digest.update(path.as_bytes());
        digest.update([0]);
    }
    let mut digits = hex::encode(digest.finalize());
    digits.truncate(PATHS_DIGITS);
    digits
}

fn project(order: &S3Cache) -> String {
    format!("project/{}", order.project)
}

fn joined(prefix: &str, rest: &str) -> String {
    if prefix.is_empty() { rest.to_owned() } else { format!("{prefix}/{rest}") }
}

/// A key as a part of an object's name: byte by byte, so that what begins alike is spelled so.
fn spelled(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            name.push(char::from(byte));
        } else {
            write!(name, "%{byte:02X}").expect("memory takes every write");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn order(namespace: Option<&str>) -> S3Cache {
        S3Cache {
            bucket: "caches".to_owned(),
            prefix: "of/builds".to_owned(),
            project: "eu-west-1/demo".to_owned(),
            namespace: namespace.map(str::to_owned),
            invalidated_at: None,
        }
    }

    fn paths(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn names_of_objects() {
        let place = Place::keyed(&order(None), &paths(&["node_modules/**/*"]));
        let shared = Place::keyed(&order(Some("a team")), &paths(&["node_modules/**/*"]));
        let rolling = Place::rolling(&order(Some("a team")));
        let names = [
            place.cache("npm-1/ü").unwrap(),
            place.note("npm-1").unwrap(),
            place.caches_from("npm-"),
            shared.cache("npm-1").unwrap(),
            rolling.cache("").unwrap(),
            rolling.note("").unwrap(),
        ];
        expect![[r#"
            of/builds/project/eu-west-1/demo/caches/f1b54195fc81fc83/npm-1%2F%C3%BC
            of/builds/project/eu-west-1/demo/notes/f1b54195fc81fc83/npm-1
            of/builds/project/eu-west-1/demo/caches/f1b54195fc81fc83/npm-
            of/builds/namespace/a%20team/caches/f1b54195fc81fc83/npm-1
            of/builds/project/eu-west-1/demo/rolling
            of/builds/project/eu-west-1/demo/notes/rolling
        "#]]
        .assert_eq(&(names.join("\n") + "\n"));
        assert!(place.is_of_these_paths(&names[1]) && !rolling.is_of_these_paths(&names[1]));
        assert!(names[1].starts_with(&place.all_notes()));
        assert_eq!(place.note_of(&place.cache("npm-1").unwrap()), names[1]);
        assert_eq!(rolling.note_of(&names[4]), names[5]);
        assert_eq!(place.cache(&"k".repeat(1_000)), Err(TooLong));
    }

    #[test]
    fn other_paths_are_another_cache_and_their_order_is_none() {
        let of = |texts: &[&str]| Place::keyed(&order(None), &paths(texts));
        assert_eq!(of(&["a", "b"]), of(&[" b", "a", "a"]));
        assert_ne!(of(&["a", "b"]), of(&["a"]));
        assert_ne!(of(&["ab"]), of(&["a", "b"]));
    }
}
