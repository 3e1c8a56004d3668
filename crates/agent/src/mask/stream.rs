//! The whole mask: first the values that are known, then the ids of access keys.
//!
//! In this order, because a value that has an access key in it would not be found afterwards.

use super::{access_key::AccessKeys, pieces, values::Values};
use std::collections::BTreeSet;

/// Hides what must not be read in a stream of bytes.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    texts: BTreeSet<Vec<u8>>,
    values: Option<Values>,
    access_keys: AccessKeys,
    between: Vec<u8>,
}

impl Mask {
    /// Hides these values from now on, too. Whatever is held back must have been settled before.
    pub(crate) fn hide<'a>(&mut self, values: impl Iterator<Item = &'a str>) {
        self.texts.extend(pieces::of(values));
        self.values = Values::new(&self.texts);
    }

    /// Reads on, and adds to `out` what can be shown.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(values) = &mut self.values else { return self.access_keys.push(bytes, out) };
        values.push(bytes, &mut self.between);
        self.access_keys.push(&self.between, out);
        self.between.clear();
    }

    /// Adds to `out` what is held back, because nothing more has come for a while.
    pub(crate) fn settle(&mut self, out: &mut Vec<u8>) {
        if let Some(values) = &mut self.values {
            values.settle(&mut self.between);
            self.access_keys.push(&self.between, out);
            self.between.clear();
        }
        self.access_keys.settle(out);
    }

    /// Whether anything is held back.
    pub(crate) fn holds_back(&self) -> bool {
        self.access_keys.holds_back() || self.values.as_ref().is_some_and(Values::holds_back)
    }

    /// A text that is whole, as it can be shown.
    pub(crate) fn whole(&self, text: &str) -> String {
        let mut alone = Self {
            texts: BTreeSet::new(),
            values: self.values.as_ref().map(Values::anew),
            access_keys: AccessKeys::default(),
            between: Vec::new(),
        };
        let mut shown = Vec::with_capacity(text.len());
        alone.push(text.as_bytes(), &mut shown);
        alone.settle(&mut shown);
        String::from_utf8_lossy(&shown).into_owned()
    }
}

#[cfg(test)]
mod tests;
