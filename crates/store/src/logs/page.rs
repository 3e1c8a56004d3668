//! The order of events, places in it, and pages cut from it.
//!
//! Events are ordered by their timestamp; equal ones stand in the order in which they were
//! ingested, which is the order of the file. A [`Place`] is between two events, and so it stays
//! valid whatever is appended.

use super::{LogError, StreamId, frame::Frame};
use std::{collections::VecDeque, fmt, ops::ControlFlow, str::FromStr};

/// The most bytes of a page, counted as AWS counts a batch.
const PAGE_BYTES_MAX: usize = 1_048_576;

/// What an event counts for beyond its message.
const EVENT_BYTES: usize = 26;

/// An event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// When it happened, as its writer says.
    pub timestamp: i64,
    /// When it was taken in.
    pub ingested_at: i64,
    /// What it says.
    pub message: String,
    /// Where it stands.
    place: Place,
    /// Where its frame ends.
    end: u64,
}

impl LogEvent {
    pub(super) fn new(stream: StreamId, frame: &Frame<'_>) -> Self {
        Self {
            timestamp: frame.timestamp,
            ingested_at: frame.ingested_at,
            message: String::from_utf8_lossy(frame.message).into_owned(),
            place: Place::of(stream, frame),
            end: frame.end,
        }
    }

    /// Gives the stream that it is in.
    pub fn stream(&self) -> StreamId {
        StreamId(self.place.stream)
    }

    /// Gives an id of 56 digits that no other event of the store has.
    pub fn id(&self) -> String {
        self.place.to_string()
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// The place behind it, which is where the next frame of the file begins.
    pub(super) fn behind(&self) -> Place {
        Place { offset: self.end, ..self.place }
    }
}

/// From when until when; only timestamps within count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The first millisecond that counts.
    pub from: i64,
    /// The first one that no longer does.
    pub until: i64,
}

impl TimeRange {
    /// All of time.
    pub const ALL: Self = Self { from: 0, until: i64::MAX };

    pub(super) fn contains(self, timestamp: i64) -> bool {
        self.from <= timestamp && timestamp < self.until
    }
}

/// A place before an event, or where one might stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) timestamp: i64,
    pub(super) stream: i64,
    pub(super) offset: u64,
}

impl Place {
    pub(super) fn of(stream: StreamId, frame: &Frame<'_>) -> Self {
        Self { timestamp: frame.timestamp, stream: stream.0, offset: frame.offset }
    }
}

impl fmt::Display for Place {
    /// 56 digits: 20 of the timestamp, 16 of the stream, 20 of the offset.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}{:016}{:020}", self.timestamp, self.stream, self.offset)
    }
}

impl FromStr for Place {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        if text.len() != 56 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(LogError::TokenInvalid);
        }
        let invalid = |_| LogError::TokenInvalid;
        Ok(Self {
            timestamp: text[..20].parse().map_err(invalid)?,
            stream: text[20..36].parse().map_err(invalid)?,
            offset: text[36..].parse().map_err(invalid)?,
        })
    }
}

/// Which way a reader goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From earlier to later.
    Forward,
    /// From later to earlier; what a page holds is in the order of time all the same.
    Backward,
}

/// Where a reader goes on, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub(super) direction: Direction,
    pub(super) place: Place,
}

impl Token {
    /// Gives the direction.
    pub fn direction(self) -> Direction {
        self.direction
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.direction {
            Direction::Forward => 'f',
            Direction::Backward => 'b',
        };
        write!(f, "{letter}/{}/s", self.place)
    }
}

impl FromStr for Token {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        let (letter, rest) = text.split_once('/').ok_or(LogError::TokenInvalid)?;
        let direction = match letter {
            "f" => Direction::Forward,
            "b" => Direction::Backward,
            _ => return Err(LogError::TokenInvalid),
        };
        let place = rest.strip_suffix("/s").unwrap_or(rest).parse()?;
        Ok(Self { direction, place })
    }
}

/// Some events in a row, in order, and how to go on from either end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// The events.
    pub events: Vec<LogEvent>,
    /// Goes on behind the last; the same token again means that there is nothing yet.
    pub forward: Token,
    /// Goes on before the first; the same token again means that there is nothing.
    pub backward: Token,
}

/// Picks from events, in whatever order they come, those of one page: the first ones behind a
/// place, or the last ones before it, as many as fit without leaving one out.
#[derive(Debug)]
pub(super) struct Collector {
    direction: Direction,
    limit: usize,
    bytes: usize,
    /// In the order of their places.
    kept: VecDeque<LogEvent>,
    /// The nearest event that did not fit: neither does any beyond it.
    barrier: Option<Place>,
}

impl Collector {
    pub(super) fn new(direction: Direction, limit: usize) -> Self {
        Self { direction, limit, bytes: 0, kept: VecDeque::new(), barrier: None }
    }

    /// Offers an event; `Break` says that it, and every event beyond it, is out of the page.
    pub(super) fn offer(&mut self, stream: StreamId, frame: &Frame<'_>) -> ControlFlow<()> {
        let place = Place::of(stream, frame);
        if self.barrier.is_some_and(|barrier| !self.nearer(place, barrier)) {
            return ControlFlow::Break(());
        }
        let event = LogEvent::new(stream, frame);
        self.bytes += event.message.len() + EVENT_BYTES;
        self.insert(event);
        while self.kept.len() > self.limit || (self.bytes > PAGE_BYTES_MAX && self.kept.len() > 1) {
            let farthest = match self.direction {
                Direction::Forward => self.kept.pop_back(),
                Direction::Backward => self.kept.pop_front(),
            };
            let Some(event) = farthest else { break };
            self.bytes -= event.message.len() + EVENT_BYTES;
            self.barrier = Some(event.place);
        }
        ControlFlow::Continue(())
    }

    /// Puts an event at its place, which is almost always one of the ends.
    fn insert(&mut self, event: LogEvent) {
        if self.kept.back().is_none_or(|last| last.place < event.place) {
            self.kept.push_back(event);
        } else {
            let at = self.kept.partition_point(|kept| kept.place < event.place);
            self.kept.insert(at, event);
        }
    }

    /// Says whether events of these times cannot be in the page any more.
    pub(super) fn is_beyond(&self, earliest: i64, latest: i64) -> bool {
        self.edge().is_some_and(|edge| match self.direction {
            Direction::Forward => earliest > edge,
            Direction::Backward => latest < edge,
        })
    }

    /// Gives the nearest event that is known not to fit.
    pub(super) fn barrier(&self) -> Option<Place> {
        self.barrier
    }

    /// Gives the page in the order of time.
    pub(super) fn into_events(self) -> Vec<LogEvent> {
        self.kept.into()
    }

    /// The timestamp beyond which nothing is wanted: of the barrier, or of a full page's end.
    fn edge(&self) -> Option<i64> {
        let last = match self.direction {
            Direction::Forward => self.kept.back(),
            Direction::Backward => self.kept.front(),
        };
        let full = last.filter(|_| self.kept.len() == self.limit).map(|event| event.place);
        self.barrier.or(full).map(|place| place.timestamp)
    }

    fn nearer(&self, place: Place, than: Place) -> bool {
        match self.direction {
            Direction::Forward => place < than,
            Direction::Backward => place > than,
        }
    }
}
