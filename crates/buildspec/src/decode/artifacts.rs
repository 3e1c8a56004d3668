//! The sections `artifacts` and `cache`.

use super::reader::Reader;
use crate::model::{Artifacts, Cache, CacheAction};
use crate::problem::Problem;
use crate::yaml::{Entry, Node};
use std::rc::Rc;

const ARTIFACT_KEYS: &[&str] = &[
    "files",
    "name",
    "discard-paths",
    "base-directory",
    "exclude-paths",
    "enable-symlinks",
    "s3-prefix",
    "secondary-artifacts",
];
const CACHE_KEYS: &[&str] = &["key", "fallback-keys", "action", "paths"];
const FALLBACK_KEYS_MAX: usize = 5;

/// Which artifact it is: only the primary one has others beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    Primary,
    Secondary,
}

impl Reader<'_> {
    pub(super) fn artifacts(&mut self, section: &Entry) -> Option<Artifacts> {
        let entries = self.section(section, "artifacts");
        if entries.is_empty() {
            return None;
        }
        let artifacts = self.artifact(entries, "artifacts", Rank::Primary);
        if !entries.iter().any(|entry| &*entry.key == "files") {
            self.problem(match artifacts.secondary.is_empty() {
                true => Problem::required(section.key_place, "artifacts", "files"),
                false => Problem::files_missing(section.key_place),
            });
        }
        Some(artifacts)
    }

    fn artifact(&mut self, entries: &[Entry], path: &str, rank: Rank) -> Artifacts {
        let mut artifacts = Artifacts::default();
        for entry in entries {
            let value = &entry.value;
            let inner = format!("{path}.{}", entry.key);
            match &*entry.key {
                "files" => artifacts.files = self.patterns(value, &inner),
                "name" => artifacts.name = self.optional_text(value, &inner),
                "discard-paths" => {
                    artifacts.discard_paths = self.flag(value, &inner).unwrap_or_default();
                }
                "base-directory" => artifacts.base_directory = self.optional_text(value, &inner),
                "exclude-paths" => artifacts.exclude_paths = self.one_or_more(value, &inner),
                "enable-symlinks" => {
                    artifacts.enable_symlinks = self.flag(value, &inner).unwrap_or_default();
                }
                "s3-prefix" => artifacts.s3_prefix = self.optional_text(value, &inner),
                "secondary-artifacts" if rank == Rank::Primary => {
                    artifacts.secondary = self.secondary(entry);
                }
                "type" => {
                    self.note_unknown(entry, "artifacts");
                    self.problem(Problem::artifact_type(entry.key_place));
                }
                _ => {
                    let primary = rank == Rank::Primary;
                    let known = &ARTIFACT_KEYS[..ARTIFACT_KEYS.len() - usize::from(!primary)];
                    self.unknown_key(entry, path, known);
                }
            }
        }
        artifacts
    }

    fn secondary(&mut self, section: &Entry) -> Vec<(String, Artifacts)> {
        let entries = self.section(section, "artifacts.secondary-artifacts");
        let artifacts = entries.iter().map(|entry| {
            let path = format!("artifacts.secondary-artifacts.{}", entry.key);
            let inner = self.mapping(&entry.value, &path);
            let artifacts = self.artifact(inner, &path, Rank::Secondary);
            let is_mapping = entry.value.is_null() || entry.value.entries().is_some();
            if is_mapping && !inner.iter().any(|entry| &*entry.key == "files") {
                self.problem(Problem::required(entry.key_place, &path, "files"));
            }
            (entry.key.to_string(), artifacts)
        });
        artifacts.collect()
    }

    /// A list of patterns.
    pub(super) fn patterns(&mut self, node: &Rc<Node>, path: &str) -> Vec<String> {
        self.texts(node, path)
    }

    /// A list of patterns, or one of them.
    fn one_or_more(&mut self, node: &Rc<Node>, path: &str) -> Vec<String> {
        match node.text() {
            Some(_) => self.optional_text(node, path).into_iter().collect(),
            None => self.patterns(node, path),
        }
    }

    pub(super) fn cache(&mut self, section: &Entry) -> Option<Cache> {
        let mut cache = Cache::default();
        let mut fallback_place = None;
        let entries = self.section(section, "cache");
        for entry in entries {
            let value = &entry.value;
            match &*entry.key {
                "key" => cache.key = self.optional_text(value, "cache.key"),
                "fallback-keys" => {
                    fallback_place = Some(entry.key_place);
                    cache.fallback_keys = self.fallback_keys(value);
                }
                "action" => {
                    let known = [("restore", CacheAction::Restore), ("save", CacheAction::Save)];
                    cache.action = self.one_of(value, "cache.action", &known);
                }
                "paths" => cache.paths = self.patterns(value, "cache.paths"),
                _ => {
                    self.unknown_key(entry, "cache", CACHE_KEYS);
                }
            }
        }
        if let Some(place) = fallback_place.filter(|_| cache.key.is_none()) {
            self.problem(Problem::fallback_without_key(place));
        }
        (!entries.is_empty()).then_some(cache)
    }

    fn fallback_keys(&mut self, node: &Rc<Node>) -> Vec<String> {
        let items = self.list(node, "cache.fallback-keys");
        if let Some(extra) = items.get(FALLBACK_KEYS_MAX) {
            self.problem(Problem::too_many_fallback_keys(extra.place, FALLBACK_KEYS_MAX));
        }
        self.texts(node, "cache.fallback-keys")
    }
}
