//! Records that were read lately: what every call reads again need not be looked up each time.
//!
//! It never has what the file no longer has: the writer takes out what it has changed before it
//! answers anybody, and a reader whom a change has overtaken does not put in what it read.

use crate::{Change, Collection, Record};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The most bytes of everything together; beyond them it begins anew.
const BYTES_MAX: usize = 1 << 20;
/// Larger documents are not kept.
const DOCUMENT_BYTES_MAX: usize = 32 << 10;
/// What an entry takes beyond its texts, about.
const ENTRY_BYTES: usize = 160;

/// What names a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(crate) collection: Collection,
    pub(crate) region: String,
    pub(crate) key: String,
}

/// The records, and those that are known not to be there.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    records: HashMap<Name, Option<Record>>,
    bytes: usize,
    /// How often records were changed.
    changes: u64,
}

/// How a record was not found: what a reader has to know to put it in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missed {
    changes: u64,
}

impl Recent {
    /// Gives a record, or that there is none.
    pub(crate) fn find(&self, name: &Name) -> Result<Option<Record>, Missed> {
        let kept = self.lock();
        kept.records.get(name).cloned().ok_or(Missed { changes: kept.changes })
    }

    /// Keeps what was read after it had been missed, unless records were changed since.
    pub(crate) fn keep(&self, missed: Missed, name: Name, record: Option<Record>) {
        let document = record.as_ref().map_or(0, |record| record.document.len());
        let mut kept = self.lock();
        if kept.changes != missed.changes || document > DOCUMENT_BYTES_MAX {
            return;
        }
        kept.bytes += ENTRY_BYTES + name.region.len() + 2 * name.key.len() + document;
        if kept.bytes > BYTES_MAX {
            kept.records.clear();
            kept.bytes = 0;
        }
        kept.records.insert(name, record);
    }

    /// Takes out what `changes` are about.
    pub(crate) fn forget<'a>(&self, changes: impl Iterator<Item = &'a Change>) {
        let names = changes.filter_map(|change| match change {
            Change::PutRecord { collection, region, key, .. }
            | Change::DeleteRecord { collection, region, key } => {
                Some(Name { collection: *collection, region: region.clone(), key: key.clone() })
            }
            Change::InsertBuild { .. }
            | Change::AppendEvents { .. }
            | Change::PutCommands { .. }
            | Change::CountEnded(_)
            | Change::ForgetEnded { .. }
            | Change::DeleteBuild { .. } => None,
        });
        for name in names {
            let mut kept = self.lock();
            kept.changes += 1;
            kept.records.remove(&name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
