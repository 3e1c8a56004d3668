//! StartLiveTail: what is appended to some groups, as frames, as soon as it is.
//!
//! An update comes with every append, and each second when there is none. A client that reads
//! slowly loses the oldest events, and is told so.

use super::{desk::Desk, events::pattern, names, refusal};
use bytes::Bytes;
use futures::{Stream, stream};
use std::{
    collections::{HashMap, VecDeque},
    io,
    time::Duration,
};
use store::logs::{GroupId, Pattern, Subscription, TailBatch, TailFilter, Tailed};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};
use uuid::Uuid;
use wire::{
    ServiceError, event_stream,
    logs::{
        LiveTailSessionLogEvent, LiveTailSessionMetadata, LiveTailSessionStart,
        LiveTailSessionUpdate, SessionTimeoutException, StartLiveTailRequest,
        StartLiveTailResponseStream,
    },
};

/// The most events of an update.
const UPDATE_EVENTS_MAX: usize = 500;

/// The most events that wait for a client; older ones are dropped.
const WAITING_EVENTS_MAX: usize = 5_000;

/// How long nothing comes before an update says so.
const UPDATE_EVERY: Duration = Duration::from_secs(1);

/// How long a session lasts.
const SESSION: Duration = Duration::from_secs(3 * 60 * 60);

/// An open session.
pub(super) struct LiveTail {
    subscription: Subscription,
    pattern: Pattern,
    /// What the client calls each group.
    groups: HashMap<GroupId, String>,
    start: LiveTailSessionStart,
    waiting: VecDeque<LiveTailSessionLogEvent>,
    /// Whether events were dropped since the last update.
    sampled: bool,
    ends_at: Instant,
}

/// Opens a session. What is appended from now on belongs to it.
pub(super) fn open(desk: &Desk, input: StartLiveTailRequest) -> Result<LiveTail, ServiceError> {
    let streams = input.log_stream_names.clone().unwrap_or_default();
    let prefixes = input.log_stream_name_prefixes.clone().unwrap_or_default();
    if !streams.is_empty() && !prefixes.is_empty() {
        return Err(refusal::names_and_prefixes());
    }
    let chosen = !streams.is_empty() || !prefixes.is_empty();
    if chosen && input.log_group_identifiers.len() != 1 {
        return Err(refusal::streams_of_many_groups());
    }
    let pattern = pattern(input.log_event_filter_pattern.as_deref())?;
    let mut groups = HashMap::new();
    for arn in &input.log_group_identifiers {
        let name = names::of_arn(desk, arn)?;
        groups.insert(desk.group_id(name)?, names::group_arn(desk, name));
    }
    let filter = TailFilter { groups: groups.keys().copied().collect(), streams, prefixes };
    Ok(LiveTail {
        subscription: desk.store.subscribe(filter),
        pattern,
        groups,
        start: LiveTailSessionStart {
            request_id: Some(desk.request_id.clone()),
            session_id: Some(Uuid::new_v4().to_string()),
            log_group_identifiers: Some(input.log_group_identifiers),
            log_stream_names: input.log_stream_names,
            log_stream_name_prefixes: input.log_stream_name_prefixes,
            log_event_filter_pattern: input.log_event_filter_pattern,
        },
        waiting: VecDeque::new(),
        sampled: false,
        ends_at: Instant::now() + SESSION,
    })
}

/// The session's frames. The seat is given back when they end or are dropped.
pub(super) fn frames(
    tail: LiveTail,
    seat: OwnedSemaphorePermit,
) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    stream::unfold(Step::Open(Box::new(tail), seat), async |step| match step {
        Step::Open(tail, seat) => {
            // Together: an SDK waits for both before it gives the session to its caller.
            let start = StartLiveTailResponseStream::SessionStart(tail.start.clone());
            let frames = [event_stream::initial_response(), event_stream::frame(&start)].concat();
            Some((Ok(frames.into()), Step::Run(tail, seat)))
        }
        Step::Run(mut tail, seat) => {
            let event = tail.next().await?;
            let frame = event_stream::frame(&event);
            let ended = matches!(event, StartLiveTailResponseStream::SessionTimeoutException(_));
            Some((Ok(frame), if ended { Step::Ended } else { Step::Run(tail, seat) }))
        }
        Step::Ended => None,
    })
}

enum Step {
    Open(Box<LiveTail>, OwnedSemaphorePermit),
    Run(Box<LiveTail>, OwnedSemaphorePermit),
    Ended,
}

impl LiveTail {
    /// Waits for the next event of the session; none when the service closes.
    async fn next(&mut self) -> Option<StartLiveTailResponseStream> {
        let until = self.ends_at.min(Instant::now() + UPDATE_EVERY);
        self.take_waiting();
        while self.waiting.is_empty() && !self.sampled {
            match timeout_at(until, self.subscription.next()).await {
                Ok(None) => return None,
                Ok(Some(tailed)) => {
                    self.take(tailed);
                    self.take_waiting();
                }
                Err(_) if until == self.ends_at => return Some(timed_out()),
                Err(_) => break,
            }
        }
        let count = self.waiting.len().min(UPDATE_EVENTS_MAX);
        let metadata = LiveTailSessionMetadata { sampled: Some(self.sampled) };
        self.sampled = false;
        Some(StartLiveTailResponseStream::SessionUpdate(LiveTailSessionUpdate {
            session_metadata: Some(metadata),
            session_results: Some(self.waiting.drain(..count).collect()),
        }))
    }

    /// Takes all that has come already.
    fn take_waiting(&mut self) {
        while let Some(tailed) = self.subscription.try_next() {
            self.take(tailed);
        }
    }

    fn take(&mut self, tailed: Tailed) {
        match tailed {
            Tailed::Dropped => self.sampled = true,
            Tailed::Batch(batch) => self.take_batch(&batch),
        }
        let surplus = self.waiting.len().saturating_sub(WAITING_EVENTS_MAX);
        self.sampled |= surplus > 0;
        self.waiting.drain(..surplus);
    }

    fn take_batch(&mut self, batch: &TailBatch) {
        let group = self.groups.get(&batch.group);
        let wanted = batch.events.iter().filter(|event| self.pattern.matches(&event.message));
        self.waiting.extend(wanted.map(|event| LiveTailSessionLogEvent {
            log_stream_name: Some(batch.stream_name.to_string()),
            log_group_identifier: group.cloned(),
            message: Some(event.message.clone()),
            timestamp: Some(event.timestamp),
            ingestion_time: Some(batch.ingested_at),
        }));
    }
}

fn timed_out() -> StartLiveTailResponseStream {
    let message = Some("The session has lasted for three hours.".to_owned());
    StartLiveTailResponseStream::SessionTimeoutException(SessionTimeoutException { message })
}
