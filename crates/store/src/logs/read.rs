//! Reading one stream, a page at a time, in either direction.

use super::{
    Direction, LogError, LogPage, LogStore, StreamId, TimeRange, Token,
    index::Block,
    page::{Collector, Place},
};
use std::ops::ControlFlow;

/// Which page of a stream is wanted.
#[derive(Clone, Copy, Debug)]
pub struct ReadRequest {
    /// Only events within this time.
    pub range: TimeRange,
    /// Where an earlier page said to go on.
    pub token: Option<Token>,
    /// Without a token: forward begins with the earliest events, backward with the latest.
    pub direction: Direction,
    /// The most events; a page also has at most 1 MiB.
    pub limit: usize,
}

impl LogStore {
    /// Gives a page of a stream's events, in the order of time.
    pub fn read(&self, id: StreamId, request: &ReadRequest) -> Result<LogPage, LogError> {
        if request.token.is_some_and(|token| token.place.stream != id.0) {
            return Err(LogError::TokenInvalid);
        }
        let direction = request.token.map_or(request.direction, Token::direction);
        let from = request.token.map(|token| token.place);
        let part = Part { id, range: request.range, direction, from };
        let stream = self.open_stream(id)?;
        let (snapshot, mut blocks) = stream.snapshot(|block| part.may_hold(block));
        match direction {
            Direction::Forward => blocks.sort_by_key(|block| block.earliest),
            Direction::Backward => blocks.sort_by_key(|block| std::cmp::Reverse(block.latest)),
        }
        let mut page = Collector::new(direction, request.limit);
        for block in &blocks {
            if page.is_beyond(block.earliest, block.latest) {
                break;
            }
            snapshot.scan((block, part.start(block)), direction, |frame| {
                let beyond = part.holds(Place::of(id, frame)) && page.offer(id, frame).is_break();
                // What comes after it in a sorted block is even farther away.
                if beyond && block.sorted {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
        }
        Ok(part.page(page))
    }
}

/// What of a stream a request is about.
struct Part {
    id: StreamId,
    range: TimeRange,
    direction: Direction,
    from: Option<Place>,
}

impl Part {
    fn may_hold(&self, block: &Block) -> bool {
        let within = block.latest >= self.range.from && block.earliest < self.range.until;
        within
            && self.from.is_none_or(|from| match self.direction {
                Direction::Forward => block.latest >= from.timestamp,
                Direction::Backward => block.earliest <= from.timestamp,
            })
    }

    fn holds(&self, place: Place) -> bool {
        self.range.contains(place.timestamp)
            && self.from.is_none_or(|from| match self.direction {
                Direction::Forward => place >= from,
                Direction::Backward => place < from,
            })
    }

    /// Where to begin in a block: a reader that follows a sorted stream reads only what is new.
    fn start(&self, block: &Block) -> u64 {
        match self.from {
            Some(from)
                if self.direction == Direction::Forward
                    && block.sorted
                    && (block.offset..=block.end).contains(&from.offset) =>
            {
                from.offset
            }
            _ => block.offset,
        }
    }

    fn page(&self, page: Collector) -> LogPage {
        let events = page.into_events();
        let token = |direction, place| Token { direction, place };
        let rest = self.from.unwrap_or(Place {
            timestamp: self.range.from.max(0),
            stream: self.id.0,
            offset: 0,
        });
        let first = events.first().map_or(rest, |event| event.place());
        let behind = events.last().map_or(rest, |event| event.behind());
        LogPage {
            forward: token(Direction::Forward, behind),
            backward: token(Direction::Backward, first),
            events,
        }
    }
}
