//! Hides the ids of AWS access keys: `AKIA` or `ASIA` and sixteen capitals or digits, with neither
//! before nor behind them.

use super::MASK;
use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

const BEGINNINGS: [&[u8; 4]; 2] = [b"AKIA", b"ASIA"];
const BEGINNING_BYTES: usize = 4;
const ID_BYTES: usize = 20;

static FINDER: LazyLock<AhoCorasick> =
    LazyLock::new(|| AhoCorasick::new(BEGINNINGS).expect("two short texts fit"));

/// Hides access keys in a stream of bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct AccessKeys {
    /// What may become an id.
    candidate: Vec<u8>,
    /// How much of the candidate has been passed on, or hidden, before it was known.
    settled: usize,
    /// Whether a mask has been passed on for the candidate.
    hidden: bool,
    /// Whether an id may begin with the next byte.
    inside_word: bool,
}

impl AccessKeys {
    /// Reads on, and adds to `out` what is settled by that.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.candidate.is_empty() {
                true => self.look_for_a_beginning(rest, out),
                false => self.go_on(rest, out),
            };
        }
    }

    /// Adds to `out` what is held back. If it becomes an id afterwards, what is left of it is
    /// hidden.
    pub(super) fn settle(&mut self, out: &mut Vec<u8>) {
        if !self.holds_back() {
            return;
        }
        if self.candidate.len() == ID_BYTES {
            self.hide(out);
        } else {
            out.extend_from_slice(&self.candidate[self.settled..]);
        }
        self.settled = self.candidate.len();
    }

    /// Whether anything is held back.
    pub(super) fn holds_back(&self) -> bool {
        self.settled < self.candidate.len()
    }

    /// Passes on everything before what may be an id that goes on behind `bytes`, and hides the ids
    /// that are whole. Gives what is left.
    fn look_for_a_beginning<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let is_free = |at: usize| match at.checked_sub(1) {
            Some(before) => !is_of_words(bytes[before]),
            None => !self.inside_word,
        };
        let mut shown = 0;
        let mut begins = None;
        for found in FINDER.find_iter(bytes).filter(|found| is_free(found.start())) {
            let rest = &bytes[found.start()..];
            let word =
                rest.iter().take(ID_BYTES + 1).take_while(|byte| is_of_words(**byte)).count();
            if word == rest.len() {
                begins = Some(found.start());
                break;
            }
            if word == ID_BYTES {
                out.extend_from_slice(&bytes[shown..found.start()]);
                out.extend_from_slice(MASK);
                shown = found.start() + word;
            }
        }
        let cut = || {
            let tail = bytes.len().saturating_sub(BEGINNING_BYTES - 1);
            (tail..bytes.len()).find(|at| is_beginning(&bytes[*at..]) && is_free(*at))
        };
        let begins = begins.or_else(cut).unwrap_or(bytes.len());
        out.extend_from_slice(&bytes[shown..begins]);
        if let Some(last) = begins.checked_sub(1) {
            self.inside_word = is_of_words(bytes[last]);
        }
        let (candidate, rest) = bytes[begins..].split_at((bytes.len() - begins).min(1));
        self.candidate.extend_from_slice(candidate);
        rest
    }

    fn go_on<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        for (index, byte) in bytes.iter().enumerate() {
            let is_word = is_of_words(*byte);
            if is_word && self.candidate.len() < ID_BYTES {
                self.candidate.push(*byte);
                if is_beginning(&self.candidate) {
                    continue;
                }
                // The byte is a part of what turned out to be no candidate.
                self.give_up(out);
                return &bytes[index + 1..];
            }
            if !is_word && self.candidate.len() == ID_BYTES {
                self.hide(out);
                self.forget();
            } else {
                self.give_up(out);
            }
            return &bytes[index..];
        }
        &[]
    }

    fn hide(&mut self, out: &mut Vec<u8>) {
        if self.settled < self.candidate.len() && !self.hidden {
            out.extend_from_slice(MASK);
            self.hidden = true;
        }
    }

    fn give_up(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.candidate[self.settled..]);
        self.forget();
    }

    fn forget(&mut self) {
        self.candidate.clear();
        self.settled = 0;
        self.hidden = false;
        self.inside_word = true;
    }
}

/// Whether an id may begin like this.
fn is_beginning(bytes: &[u8]) -> bool {
    BEGINNINGS.iter().any(|beginning| {
        let length = bytes.len().min(BEGINNING_BYTES);
        bytes[..length] == beginning[..length]
    })
}

fn is_of_words(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}
