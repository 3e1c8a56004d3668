//! A cache in a bucket: which one is restored, why there is none, and what is saved.

use super::caching::home;
use super::lines::{self, Bytes, Moment, Seconds};
use super::note::{HashedFile, Note, changes};
use super::pack::{self, NotSaved, Saved};
use super::paths::{Paths, WELL_KNOWN};
use super::place::Place;
use super::unpack::{self, NotRestored, Restored};
use crate::fault::plain;
use crate::object_store::{Condition, Destination, Listed, StoreError};
use crate::run::Build;
use crate::shell::Shell;
use agent_protocol::{S3Cache, S3Location, Timestamp};
use buildspec::{Cache, CacheAction};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// A note is small.
const NOTE_BYTES_MAX: u64 = 1024 * 1024;
/// Caches of one fallback key that are tried, the newest first, when they turn out to be damaged.
const TRIED_MAX: usize = 3;
/// Caches of the same second whose notes are read to tell which is newer.
const TIED_MAX: usize = 16;
const NOT_FOUND: u16 = 404;
const PRECONDITION_FAILED: u16 = 412;

/// A cache in a bucket, between the two halves.
pub(crate) struct S3Caching {
    order: S3Cache,
    place: Place,
    /// The evaluated key; none for the one cache of a project without keys.
    key: Option<String>,
    /// The paths as the buildspec spells them, and what they mean.
    texts: Vec<String>,
    paths: Paths,
    hashed: Vec<HashedFile>,
    action: Option<CacheAction>,
    exact: Exact,
    /// What is known of the cache that was restored.
    restored: Option<Note>,
    /// When the commands began.
    began: Instant,
}

/// What stands where the build would save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exact {
    /// Nothing.
    Absent,
    /// A cache that is used.
    There,
    /// Something that is not used and may be replaced.
    Stale,
}

/// What came of a try to restore one object.
enum Tried {
    Restored(Restored, Option<Note>, Duration),
    Missing,
    Unusable(String),
    /// Nothing else need be tried.
    NoStore(StoreError),
}

impl S3Caching {
    /// Settles what the cache is of, or says why there can be none.
    pub(super) fn begin(
        build: &Build,
        order: &S3Cache,
        (wanted, evaluated): (&Cache, Vec<String>),
        shell: &Shell,
    ) -> Result<Self, String> {
        let (texts, evaluated) = if evaluated.is_empty() {
            build.journal.line(lines::BEST_EFFORT);
            let known: Vec<String> = WELL_KNOWN.iter().map(|path| (*path).to_owned()).collect();
            (known.clone(), known)
        } else {
            (wanted.paths.clone(), evaluated)
        };
        let mut hashed = Vec::new();
        let key = match &wanted.key {
            Some(text) => Some(evaluated_key(build, shell, text, &mut hashed)?),
            None => None,
        };
        let place = match key {
            Some(_) => Place::keyed(order, &texts),
            None => Place::rolling(order),
        };
        let too_long = |_| "the cache key is too long".to_owned();
        let own = key.as_deref().unwrap_or_default();
        place.cache(own).map_err(too_long)?;
        place.note(own).map_err(too_long)?;
        Ok(Self {
            order: order.clone(),
            place,
            key,
            paths: Paths::new(Path::new(&build.orders.source_dir), &home(shell), &evaluated),
            texts,
            hashed,
            action: wanted.action,
            exact: Exact::Absent,
            restored: None,
            began: Instant::now(),
        })
    }

    /// Restores the cache of the key, or of the first fallback key that has any.
    pub(super) fn restore(&mut self, build: &Build, wanted: &Cache, shell: &Shell) {
        if self.action == Some(CacheAction::Save) {
            self.began = Instant::now();
            return;
        }
        build.journal.append(|batch| {
            for text in self.texts.iter().filter(|_| !wanted.paths.is_empty()) {
                batch.line(&lines::expanded(text));
            }
            batch.line(lines::DOWNLOADING);
        });
        let object = self.object();
        match self.try_object(build, &object) {
            Tried::Restored(restored, note, taken) => {
                self.exact = Exact::There;
                self.hit(build, "", (&restored, note, taken));
            }
            Tried::NoStore(error) => build.journal.line(&lines::not_downloaded(error)),
            Tried::Missing => {
                build.journal.line(&self.why_missing(build));
                self.fall_back(build, wanted, shell);
            }
            Tried::Unusable(reason) => {
                self.exact = Exact::Stale;
                build.journal.line(&lines::not_downloaded(reason));
                self.fall_back(build, wanted, shell);
            }
        }
        self.began = Instant::now();
    }

    /// Restores the newest cache of the first fallback key that has one.
    fn fall_back(&mut self, build: &Build, wanted: &Cache, shell: &Shell) {
        for text in wanted.fallback_keys.iter().filter(|_| self.key.is_some()) {
            let beginning = match shell.evaluate(text) {
                Ok(beginning) => beginning,
                Err(error) => {
                    build.journal.line(&lines::not_downloaded(error));
                    continue;
                }
            };
            let found = build.store().list(&self.order.bucket, &self.place.caches_from(&beginning));
            let mut found = match found {
                Ok(found) => found,
                Err(error) => return build.journal.line(&lines::not_downloaded(error)),
            };
            let own = self.object();
            found.retain(|object| object.key != own);
            self.sort_newest_first(build, &mut found);
            for object in found.iter().take(TRIED_MAX) {
                match self.try_object(build, &object.key) {
                    Tried::Restored(restored, note, taken) => {
                        return self.hit(build, &beginning, (&restored, note, taken));
                    }
                    Tried::Missing => {}
                    Tried::Unusable(reason) => build.journal.line(&lines::not_downloaded(reason)),
                    Tried::NoStore(error) => {
                        return build.journal.line(&lines::not_downloaded(error));
                    }
                }
            }
            if found.is_empty() {
                build.journal.line(&format!("Cache miss: no key begins with {beginning}"));
            }
        }
    }

    /// Brings the newest to the front. Stores tell seconds; of the caches of one second the notes
    /// tell more.
    fn sort_newest_first(&self, build: &Build, found: &mut [Listed]) {
        found.sort_unstable_by(newest_first);
        let Some(newest) = found.first().map(|object| object.modified.clone()) else { return };
        let same = found.iter().take_while(|object| object.modified == newest).count();
        if same > 1 {
            let tied = &mut found[..same.min(TIED_MAX)];
            tied.sort_by_cached_key(|object| {
                let note = self.read_note(build, &self.place.note_of(&object.key));
                std::cmp::Reverse(note.map(|note| note.saved_at))
            });
        }
    }

    fn object(&self) -> String {
        let key = self.key.as_deref().unwrap_or_default();
        self.place.cache(key).expect("the length was checked at the beginning")
    }

    fn try_object(&self, build: &Build, object: &str) -> Tried {
        let client = build.store();
        let location =
            |key: String| S3Location { bucket: self.order.bucket.clone(), key, version: None };
        let opened = match unpack::open(client, location(object.to_owned())) {
            Ok(opened) => opened,
            Err(NotRestored::Store(error)) => {
                // A bucket that is not there is not a cache that is missing.
                let missing = error.refused() == Some(("NoSuchKey", NOT_FOUND));
                return if missing { Tried::Missing } else { Tried::NoStore(error) };
            }
            Err(error) => return Tried::Unusable(error.to_string()),
        };
        let note = self.read_note(build, &self.place.note_of(object));
        if let Some(at) = self.order.invalidated_at {
            let saved_at = note.as_ref().map(|note| note.saved_at);
            if saved_at.is_none_or(|saved_at| saved_at <= at) {
                return Tried::Unusable(format!("the cache was invalidated at {}", Moment(at)));
            }
        }
        build.journal.line(lines::UNARCHIVING);
        let began = Instant::now();
        match opened.restore(client, &self.paths) {
            Ok(restored) => Tried::Restored(restored, note, began.elapsed()),
            Err(error) => Tried::Unusable(error.to_string()),
        }
    }

    fn read_note(&self, build: &Build, object: &str) -> Option<Note> {
        let from =
            S3Location { bucket: self.order.bucket.clone(), key: object.to_owned(), version: None };
        Note::read(&build.store().read_end(&from, NOTE_BYTES_MAX).ok()?.bytes)
    }

    /// Tells what was restored and what it is worth.
    fn hit(
        &mut self,
        build: &Build,
        beginning: &str,
        (restored, note, taken): (&Restored, Option<Note>, Duration),
    ) {
        let mut line = "Cache hit".to_owned();
        match (&self.key, beginning) {
            (Some(key), "") => line += &format!(": key {key}"),
            (Some(_), beginning) => {
                let key = note.as_ref().map_or("a key", |note| note.key.as_str());
                line += &format!(": key {key} by fallback key {beginning}");
            }
            (None, _) => {}
        }
        line += &format!(
            ": {} files, {} from {} in {}",
            restored.files,
            Bytes(restored.bytes),
            Bytes(restored.stored),
            Seconds(taken)
        );
        if let Some(note) = &note {
            line += &format!(
                "; saved by {} at {}, whose commands ran {}",
                note.build_id(),
                Moment(note.saved_at),
                Seconds(Duration::from_millis(note.commands_ms))
            );
        }
        build.journal.append(|batch| {
            for path in &restored.not_allowed {
                batch.line(&lines::not_allowed(path));
            }
            let more = restored.not_allowed_count - restored.not_allowed.len();
            if more > 0 {
                batch.line(&format!("Skipping {more} more cache entries that are not within them"));
            }
            batch.line(&line);
        });
        self.restored = note;
    }

    /// Says why there is no cache of the key: what is known of earlier ones.
    fn why_missing(&self, build: &Build) -> String {
        let head = match &self.key {
            Some(key) => format!("Cache miss: there is none of key {key}"),
            None => "Cache miss: there is none of this project".to_owned(),
        };
        let own = self.place.note(self.key.as_deref().unwrap_or_default()).unwrap_or_default();
        if let Some(note) = self.read_note(build, &own) {
            return format!(
                "{head}: what {} saved at {} has been removed from the bucket since",
                note.build_id(),
                Moment(note.saved_at)
            );
        }
        let mut notes =
            build.store().list(&self.order.bucket, &self.place.all_notes()).unwrap_or_default();
        notes.sort_unstable_by(newest_first);
        let newest = |of_these_paths: bool| {
            let found =
                notes.iter().find(|note| self.place.is_of_these_paths(&note.key) == of_these_paths);
            found.and_then(|note| self.read_note(build, &note.key))
        };
        if self.key.is_none() {
            return head;
        }
        match (newest(true), newest(false)) {
            (Some(note), _) => format!("{head}: {}", self.difference(&note)),
            (None, Some(note)) => format!(
                "{head} and these paths: {}, the newest key, was saved by {} of other paths: {}",
                note.key,
                note.build_id(),
                note.paths.join(", ")
            ),
            (None, None) => format!("{head}: none was saved here yet"),
        }
    }

    fn difference(&self, newest: &Note) -> String {
        let told = changes(&newest.hashed, &self.hashed);
        let since = format!(
            "since {}, the newest key, was saved by {} at {}",
            newest.key,
            newest.build_id(),
            Moment(newest.saved_at)
        );
        if !told.is_empty() {
            format!("{} {since}", told.join(", "))
        } else if self.hashed.is_empty() {
            format!("the key has changed {since}")
        } else {
            format!("its text has changed {since}, and none of the files it is made of has")
        }
    }

    /// Saves the cache, unless one of the key is there.
    pub(super) fn save(&self, build: &Build) {
        let took = self.began.elapsed();
        if self.action != Some(CacheAction::Restore) {
            match (&self.key, self.exact) {
                // AWS: a key is saved once.
                (Some(key), Exact::There) => {
                    build.journal.line(&format!("Skip cache upload: key {key} is there already"));
                }
                (_, Exact::Absent | Exact::Stale | Exact::There) => self.upload(build, took),
            }
        }
        self.tell_worth(build, took);
    }

    fn upload(&self, build: &Build, took: Duration) {
        build.journal.line(lines::UPLOADING);
        let began = Instant::now();
        let found = self.paths.find();
        if found.is_empty() {
            return build.journal.line(&lines::not_uploaded("the cache paths hold no files"));
        }
        let condition = match (&self.key, self.exact) {
            (Some(_), Exact::Absent) => Condition::Absent,
            (Some(_), Exact::There | Exact::Stale) | (None, _) => Condition::None,
        };
        let saved = pack::save(build.store(), &self.order.bucket, &self.object(), condition, found);
        let line = match saved {
            Ok(saved) => match self.write_note(build, saved, took) {
                Ok(()) => self.saved_line(saved, began.elapsed()),
                Err(error) => lines::not_uploaded(error),
            },
            Err(NotSaved::Store(error)) if is_there_already(&error) => {
                "Skip cache upload: another build has saved the key meanwhile".to_owned()
            }
            Err(error) => lines::not_uploaded(error),
        };
        build.journal.line(&line);
    }

    fn saved_line(&self, saved: Saved, taken: Duration) -> String {
        let key = self.key.as_ref().map(|key| format!(" key {key}:")).unwrap_or_default();
        format!(
            "Cache saved:{key} {} files, {} as {} in {}",
            saved.files,
            Bytes(saved.bytes),
            Bytes(saved.stored),
            Seconds(taken)
        )
    }

    fn write_note(&self, build: &Build, saved: Saved, took: Duration) -> Result<(), StoreError> {
        let key = self.key.clone().unwrap_or_default();
        let object = self.place.note(&key).expect("the length was checked at the beginning");
        let note = Note {
            key,
            paths: self.texts.clone(),
            build: build.orders.build_arn.clone(),
            saved_at: Timestamp::from_system(SystemTime::now()),
            hashed: self.hashed.clone(),
            files: saved.files,
            bytes: saved.bytes,
            stored: saved.stored,
            commands_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        };
        let to = Destination {
            bucket: &self.order.bucket,
            key: &object,
            metadata: &[],
            condition: Condition::None,
        };
        let bytes = note.to_bytes();
        build.store().put(&to, bytes.len() as u64, || &bytes[..])
    }

    /// Compares this build's commands with those of the build that had no such cache.
    fn tell_worth(&self, build: &Build, took: Duration) {
        let Some(note) = &self.restored else { return };
        let before = Duration::from_millis(note.commands_ms);
        let less = before.checked_sub(took).filter(|less| less.as_millis() >= 100);
        let worth = less.map(|less| format!(": {} less", Seconds(less))).unwrap_or_default();
        build.journal.line(&format!(
            "The commands ran {} with the cache, and {} in {}, which saved it{worth}",
            Seconds(took),
            Seconds(before),
            note.build_id()
        ));
    }
}

/// Evaluates a key, and notes what files `codebuild-hash-files` read for it.
fn evaluated_key(
    build: &Build,
    shell: &Shell,
    text: &str,
    hashed: &mut Vec<HashedFile>,
) -> Result<String, String> {
    let told = build.layout.hashed_files();
    // Made anew, so that it is no link that a command has put there.
    let _ = fs::remove_file(&told);
    fs::File::create_new(&told).map_err(|error| plain(&error))?;
    let key = shell.evaluate(text).map_err(|error| plain(&error));
    let lines = fs::read_to_string(&told).unwrap_or_default();
    hashed.extend(lines.lines().filter_map(|line| serde_json::from_str(line).ok()));
    let _ = fs::remove_file(&told);
    let key = key?.trim().to_owned();
    if key.is_empty() { Err("the cache key is empty".to_owned()) } else { Ok(key) }
}

fn newest_first(one: &Listed, other: &Listed) -> std::cmp::Ordering {
    other.modified.cmp(&one.modified).then_with(|| other.key.cmp(&one.key))
}

fn is_there_already(error: &StoreError) -> bool {
    error.refused().is_some_and(|(_, status)| status == PRECONDITION_FAILED)
}
