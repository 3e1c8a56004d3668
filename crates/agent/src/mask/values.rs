//! Hides texts that are known, wherever they stand, also where they overlap.
//!
//! An automaton reads every byte once. Its state says how much of what was read last may be the
//! beginning of a hidden text; everything before that is settled and passed on.

use super::MASK;
use aho_corasick::automaton::{Automaton, Candidate, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, Span, StartKind, dfa::DFA};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Up to so many bytes of hidden texts, the faster automaton is small enough.
const DENSE_BYTES_MAX: usize = 2_048;

/// The hidden texts, ready to be looked for.
#[derive(Debug)]
struct Texts {
    automaton: Kind,
    start: StateID,
    /// How many bytes are the beginning of a text, for each state of the automaton.
    depths: Vec<usize>,
    longest: usize,
    /// Which bytes a text begins with.
    firsts: [bool; 256],
}

#[derive(Debug)]
enum Kind {
    Dense(DFA),
    Sparse(NFA),
}

/// Hides the texts in a stream of bytes.
#[derive(Clone, Debug)]
pub(super) struct Values {
    texts: Arc<Texts>,
    state: StateID,
    /// How many bytes have been read.
    read: u64,
    /// How many of them have been dealt with: passed on, or hidden.
    settled: u64,
    /// Up to where bytes are hidden by a mask that has been passed on.
    hidden: u64,
    /// What has been read and not dealt with.
    held: Vec<u8>,
    /// What is to be hidden of it: where each begins and ends, in order and apart.
    found: Vec<(u64, u64)>,
}

impl Values {
    /// A stream that has not begun; none when there is nothing to hide.
    pub(super) fn new(texts: &BTreeSet<Vec<u8>>) -> Option<Self> {
        Texts::new(texts).map(|texts| Self::of(Arc::new(texts)))
    }

    /// Another stream with the same texts, which has not begun.
    pub(super) fn anew(&self) -> Self {
        Self::of(Arc::clone(&self.texts))
    }

    fn of(texts: Arc<Texts>) -> Self {
        let state = texts.start;
        Self { texts, state, read: 0, settled: 0, hidden: 0, held: Vec::new(), found: Vec::new() }
    }

    /// Reads on, and adds to `out` what is settled by that.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut ends = Vec::new();
        self.state = self.texts.read(self.state, bytes, &mut ends);
        for (length, end) in ends {
            self.hide(length, self.read + end as u64);
        }
        self.read += bytes.len() as u64;
        let undecided = self.texts.depths[self.state.as_usize()] as u64;
        self.pass_on(bytes, self.read - undecided, out);
    }

    /// Adds to `out` what is held back, although a hidden text may have begun in it. If it goes on
    /// afterwards, what is left of it is hidden.
    pub(super) fn settle(&mut self, out: &mut Vec<u8>) {
        self.pass_on(&[], self.read, out);
    }

    /// Whether anything is held back.
    pub(super) fn holds_back(&self) -> bool {
        self.settled < self.read
    }

    /// Notes that a text of that length has ended there, and makes one of it and of all that it
    /// overlaps.
    fn hide(&mut self, length: usize, end: u64) {
        let begins = end.saturating_sub(length as u64);
        if begins < self.hidden && self.settled <= self.hidden {
            // It overlaps what the last mask stands for, and ends behind all that has been found.
            // Where something has been shown since, it has a mask of its own: without one, what
            // stands before and behind it could read as a hidden text.
            self.hidden = self.hidden.max(end);
            self.found.clear();
            return;
        }
        let mut start = begins.max(self.settled);
        while let Some((earlier, until)) = self.found.last().copied() {
            if until <= start {
                break;
            }
            start = start.min(earlier);
            self.found.pop();
        }
        self.found.push((start, end));
    }

    /// Deals with everything before `until`; `bytes` is what was read last, and not held yet.
    fn pass_on(&mut self, bytes: &[u8], until: u64, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let base = self.read - (held.len() + bytes.len()) as u64;
        let window = Window { base, held: &held, bytes };
        let begun = self.found.iter().take_while(|(start, _)| *start < until).count();
        let begun: Vec<_> = self.found.drain(..begun).collect();
        self.skip_hidden();
        for (start, end) in begun {
            window.copy(self.settled, start, out);
            out.extend_from_slice(MASK);
            self.hidden = end;
            self.settled = end;
        }
        if self.settled < until {
            window.copy(self.settled, until, out);
            self.settled = until;
        }
        let mut rest = Vec::new();
        window.copy(self.settled, self.read, &mut rest);
        self.held = rest;
    }

    /// What the last mask stands for is dealt with.
    fn skip_hidden(&mut self) {
        self.settled = self.settled.max(self.hidden.min(self.read));
    }
}

/// What is held back and what was read last, one after the other.
struct Window<'a> {
    /// Where it begins.
    base: u64,
    held: &'a [u8],
    bytes: &'a [u8],
}

impl Window<'_> {
    fn copy(&self, from: u64, to: u64, out: &mut Vec<u8>) {
        let at = |place: u64| {
            usize::try_from(place.saturating_sub(self.base)).expect("a window is in memory")
        };
        let (from, to) = (at(from), at(to));
        let border = self.held.len();
        if from < to.min(border) {
            out.extend_from_slice(&self.held[from..to.min(border)]);
        }
        if from.max(border) < to {
            out.extend_from_slice(&self.bytes[from.max(border) - border..to - border]);
        }
    }
}

impl Texts {
    fn new(texts: &BTreeSet<Vec<u8>>) -> Option<Self> {
        let longest = texts.iter().map(Vec::len).max().filter(|longest| *longest > 0)?;
        let bytes: usize = texts.iter().map(Vec::len).sum();
        let too_large = "an automaton of fewer than 2^31 states can be built";
        let automaton = if bytes <= DENSE_BYTES_MAX {
            let built = DFA::builder().start_kind(StartKind::Unanchored).build(texts);
            Kind::Dense(built.expect(too_large))
        } else {
            Kind::Sparse(NFA::builder().build(texts).expect(too_large))
        };
        let (start, depths) = match &automaton {
            Kind::Dense(dfa) => depths(dfa, texts),
            Kind::Sparse(nfa) => depths(nfa, texts),
        };
        let mut firsts = [false; 256];
        for first in texts.iter().filter_map(|text| text.first()) {
            firsts[usize::from(*first)] = true;
        }
        Some(Self { automaton, start, depths, longest, firsts })
    }

    /// Reads on from a state. Adds to `ends`, for each place in `bytes` where texts end, the length
    /// of the longest and the place.
    fn read(&self, state: StateID, bytes: &[u8], ends: &mut Vec<(usize, usize)>) -> StateID {
        match &self.automaton {
            Kind::Dense(dfa) => self.read_with(dfa, state, bytes, ends),
            Kind::Sparse(nfa) => self.read_with(nfa, state, bytes, ends),
        }
    }

    fn read_with<A: Automaton>(
        &self,
        automaton: &A,
        mut state: StateID,
        bytes: &[u8],
        ends: &mut Vec<(usize, usize)>,
    ) -> StateID {
        // A text that begins here or later may end in the next piece: only before this can the
        // prefilter, which looks for whole texts, say that nothing begins.
        let tail = bytes.len().saturating_sub(self.longest - 1);
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if state == self.start {
                let next = match automaton.prefilter().filter(|_| at < tail) {
                    Some(prefilter) => {
                        match prefilter.find_in(bytes, Span::from(at..bytes.len())) {
                            Candidate::None => tail,
                            Candidate::Match(found) => found.start().min(tail),
                            Candidate::PossibleStartOfMatch(start) => start.min(tail),
                        }
                    }
                    None => {
                        let begins = |byte: &u8| self.firsts[usize::from(*byte)];
                        bytes[at..].iter().position(begins).map_or(bytes.len(), |skip| at + skip)
                    }
                };
                if next > at {
                    at = next;
                    continue;
                }
            }
            state = automaton.next_state(Anchored::No, state, *byte);
            at += 1;
            if automaton.is_special(state) && automaton.is_match(state) {
                let matches = 0..automaton.match_len(state);
                let lengths = matches
                    .map(|index| automaton.pattern_len(automaton.match_pattern(state, index)));
                ends.push((lengths.max().unwrap_or_default(), at));
            }
        }
        state
    }
}

/// The automaton's first state, and how deep each of its states is: it is reached by reading the
/// beginning of a text, and its depth is the longest such beginning's length.
fn depths<A: Automaton>(automaton: &A, texts: &BTreeSet<Vec<u8>>) -> (StateID, Vec<usize>) {
    let start = automaton.start_state(Anchored::No).expect("a search without an anchor is built");
    let mut depths = vec![0; start.as_usize() + 1];
    for text in texts {
        let mut state = start;
        for (index, byte) in text.iter().enumerate() {
            state = automaton.next_state(Anchored::No, state, *byte);
            if depths.len() <= state.as_usize() {
                depths.resize(state.as_usize() + 1, 0);
            }
            depths[state.as_usize()] = index + 1;
        }
    }
    (start, depths)
}
