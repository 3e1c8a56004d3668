//! What is known of a saved cache beside its content, and what it tells of a later build. Pure.

use agent_protocol::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A note stays small, however many files went into a key.
const HASHED_FILES_MAX: usize = 2_000;
/// Files that are named in a line of the log.
const NAMED_MAX: usize = 5;

/// A file that `codebuild-hash-files` read for a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HashedFile {
    /// Its path from the source's folder.
    pub(crate) path: String,
    /// The SHA-256 of its content, in hexadecimal.
    pub(crate) sha256: String,
}

/// What is known of a saved cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Its key; empty for the one cache of a project without keys.
    pub(super) key: String,
    /// The paths that it holds, as the buildspec spelled them.
    pub(super) paths: Vec<String>,
    /// The build that saved it, as its ARN.
    pub(super) build: String,
    /// When.
    pub(super) saved_at: Timestamp,
    /// The files that its key was made of.
    pub(super) hashed: Vec<HashedFile>,
    /// How many files it holds.
    pub(super) files: u64,
    /// How many bytes they have.
    pub(super) bytes: u64,
    /// How many bytes it takes in the bucket.
    pub(super) stored: u64,
    /// How long the commands of the build that saved it ran, in milliseconds.
    pub(super) commands_ms: u64,
}

impl Note {
    /// The bytes that are kept.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut short = self.clone();
        short.hashed.truncate(HASHED_FILES_MAX);
        serde_json::to_vec(&short).expect("a note has only text keys")
    }

    /// Reads what was kept; none when it is nothing that we kept.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The build's id, `project:uuid`.
    pub(super) fn build_id(&self) -> &str {
        self.build.rsplit_once(":build/").map_or(&self.build, |(_, id)| id)
    }
}

/// Says which of the files that a key is made of differ from those of an earlier one.
pub(super) fn changes(earlier: &[HashedFile], now: &[HashedFile]) -> Vec<String> {
    let by_path = |files: &[HashedFile]| -> BTreeMap<String, String> {
        files.iter().map(|file| (file.path.clone(), file.sha256.clone())).collect()
    };
    let (earlier, now) = (by_path(earlier), by_path(now));
    let changed = now.iter().filter_map(|(path, sum)| match earlier.get(path) {
        Some(before) if before == sum => None,
        Some(_) => Some(format!("{path} changed")),
        None => Some(format!("{path} is new")),
    });
    let gone = earlier.keys().filter(|path| !now.contains_key(*path));
    let mut told: Vec<String> = changed.chain(gone.map(|path| format!("{path} is gone"))).collect();
    let more = told.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        told.truncate(NAMED_MAX);
        told.push(format!("and {more} more"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(files: &[(&str, &str)]) -> Vec<HashedFile> {
        let file = |(path, sum): &(&str, &str)| HashedFile {
            path: (*path).to_owned(),
            sha256: (*sum).to_owned(),
        };
        files.iter().map(file).collect()
    }

    #[test]
    fn what_differs_is_named() {
        let earlier = hashed(&[("a.lock", "1"), ("b.lock", "2"), ("c.lock", "3")]);
        let now = hashed(&[("a.lock", "1"), ("b.lock", "9"), ("d.lock", "4")]);
        assert_eq!(changes(&earlier, &now), ["b.lock changed", "d.lock is new", "c.lock is gone"]);
        assert_eq!(changes(&now, &now), Vec::<String>::new());
        let many: Vec<_> = (0..9).map(|number| (format!("f{number}"), "1".to_owned())).collect();
        let many: Vec<_> = many.iter().map(|(path, sum)| (path.as_str(), sum.as_str())).collect();
        let told = changes(&[], &hashed(&many));
        assert_eq!((told.len(), told[5].as_str()), (6, "and 4 more"));
    }

    #[test]
    fn a_note_comes_back() {
        let note = Note {
            key: "npm-1".to_owned(),
            paths: vec!["node_modules".to_owned()],
            build: "arn:aws:codebuild:eu-west-1:000000000000:build/demo:uuid".to_owned(),
            saved_at: Timestamp::from_millis(1),
            hashed: hashed(&[("a.lock", "1")]),
            files: 2,
            bytes: 3,
            stored: 4,
            commands_ms: 5,
        };
        assert_eq!(Note::read(&note.to_bytes()), Some(note.clone()));
        assert_eq!(note.build_id(), "demo:uuid");
        assert_eq!(Note::read(b"{}"), None);
    }
}
