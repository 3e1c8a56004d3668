//! Searching the streams of a group, in the order of time across all of them.
//!
//! Streams and blocks are taken up by their earliest timestamp, so that only those are opened and
//! read that a page needs. One call reads a bounded number of bytes: a page may be empty and still
//! not be the last.

use super::{
    Direction, GroupId, LogError, LogEvent, LogStore, Pattern, StreamId, TimeRange,
    catalog::StreamNames,
    frame::Frame,
    index::Block,
    page::{Collector, Place},
};
use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap},
    fmt,
    ops::ControlFlow,
    str::FromStr,
};

/// How many bytes one call reads before it gives what it has.
const SCAN_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Which streams of the group are searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamChoice {
    /// Those whose names begin with this, which may be empty.
    Prefix(String),
    /// Those of these names.
    Names(Vec<String>),
}

/// What is searched for.
#[derive(Clone, Debug)]
pub struct FilterRequest {
    /// In which streams.
    pub streams: StreamChoice,
    /// Only events within this time.
    pub range: TimeRange,
    /// Only events that match.
    pub pattern: Pattern,
    /// Where an earlier page said to go on.
    pub token: Option<FilterToken>,
    /// The most events; a page also has at most 1 MiB.
    pub limit: usize,
}

/// Where a search goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterToken(Place);

impl fmt::Display for FilterToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for FilterToken {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        text.parse().map(Self)
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub struct FilterPage {
    /// The events in the order of time.
    pub events: Vec<LogEvent>,
    /// The names of the streams that they are in.
    pub stream_names: HashMap<StreamId, String>,
    /// How to go on; none when all was searched.
    pub next: Option<FilterToken>,
}

impl LogStore {
    /// Searches a group's streams, in the order of time.
    pub fn filter(&self, group: GroupId, request: &FilterRequest) -> Result<FilterPage, LogError> {
        self.save_all()?;
        let names = match &request.streams {
            StreamChoice::Prefix(prefix) => StreamNames::Prefix(prefix),
            StreamChoice::Names(names) => StreamNames::These(names),
        };
        let from = request.token.map(|token| token.0);
        let since = from.map_or(request.range.from, |from| from.timestamp.max(request.range.from));
        let range = TimeRange { from: since, ..request.range };
        let mut search = Search {
            store: self,
            request,
            range,
            from,
            queue: BinaryHeap::new(),
            page: Collector::new(Direction::Forward, request.limit),
            read: 0,
        };
        for (stream, first) in self.catalog().streams_within(group, names, range)? {
            search.queue.push(Reverse((first, stream, None)));
        }
        let next = search.run()?;
        self.filter_page(search.page, next)
    }

    fn filter_page(&self, page: Collector, next: Option<Place>) -> Result<FilterPage, LogError> {
        let mut events = page.into_events();
        if let Some(next) = next {
            events.retain(|event| event.place() < next);
        }
        let ids: BTreeSet<StreamId> = events.iter().map(LogEvent::stream).collect();
        let stream_names: HashMap<_, _> = self.catalog().stream_names(ids)?.into_iter().collect();
        // A stream that was deleted in the meantime is as if it had been before.
        events.retain(|event| stream_names.contains_key(&event.stream()));
        Ok(FilterPage { events, stream_names, next: next.map(FilterToken) })
    }
}

/// A stream that is yet to be opened, or a block of it; the smallest time comes first.
type Waiting = Reverse<(i64, StreamId, Option<ByOffset>)>;

/// A block in the order of the file.
#[derive(Clone, Copy, Debug)]
struct ByOffset(Block);

impl PartialEq for ByOffset {
    fn eq(&self, other: &Self) -> bool {
        self.0.offset == other.0.offset
    }
}

impl Eq for ByOffset {}

impl PartialOrd for ByOffset {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByOffset {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.offset.cmp(&other.0.offset)
    }
}

struct Search<'a> {
    store: &'a LogStore,
    request: &'a FilterRequest,
    range: TimeRange,
    from: Option<Place>,
    queue: BinaryHeap<Waiting>,
    page: Collector,
    read: u64,
}

impl Search<'_> {
    /// Fills the page; gives the place from which on not everything was seen, or does not fit.
    fn run(&mut self) -> Result<Option<Place>, LogError> {
        let start = self.range.from;
        while let Some(Reverse((earliest, stream, block))) = self.queue.pop() {
            // All that waits is at this time or later. Without progress nobody may stop.
            let fresh = Place { timestamp: earliest, stream: 0, offset: 0 };
            if self.page.is_beyond(earliest, i64::MAX) {
                return Ok(Some(self.page.barrier().unwrap_or(fresh)));
            }
            if self.read >= SCAN_BYTES_MAX && earliest > start {
                return Ok(Some(self.page.barrier().map_or(fresh, |barrier| barrier.min(fresh))));
            }
            match self.visit(stream, block) {
                // Deleted since the search began.
                Err(LogError::StreamMissing) => {}
                result => result?,
            }
        }
        Ok(self.page.barrier())
    }

    fn visit(&mut self, id: StreamId, block: Option<ByOffset>) -> Result<(), LogError> {
        let stream = self.store.open_stream(id)?;
        let range = self.range;
        let Some(ByOffset(block)) = block else {
            let within = |block: &Block| block.latest >= range.from && block.earliest < range.until;
            let (_, blocks) = stream.snapshot(within);
            self.queue.extend(
                blocks
                    .into_iter()
                    .map(|block| Reverse((block.earliest, id, Some(ByOffset(block))))),
            );
            return Ok(());
        };
        let (snapshot, _) = stream.snapshot(|_| false);
        self.read += block.end - block.offset;
        let (page, from, pattern) = (&mut self.page, self.from, &self.request.pattern);
        let wanted = |frame: &Frame<'_>| {
            range.contains(frame.timestamp)
                && from.is_none_or(|from| Place::of(id, frame) >= from)
                && std::str::from_utf8(frame.message).is_ok_and(|text| pattern.matches(text))
        };
        snapshot.scan((&block, block.offset), Direction::Forward, |frame| {
            let beyond = wanted(frame) && page.offer(id, frame).is_break();
            if beyond && block.sorted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    }
}
