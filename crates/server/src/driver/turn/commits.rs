//! The turns that the store has been given and that do not last yet, and what waits for them.
//!
//! A build is in one commit at a time: what arrives for it meanwhile is held until it is known what
//! came of that. So no turn builds on another that may fail, and each fails by itself.

use super::Staged;
use crate::driver::{MESSAGES_PER_TURN_MAX, Message};
use build_core::BuildId;
use futures::future::BoxFuture;
use std::collections::{HashMap, VecDeque};
use store::CommitError;

/// So many turns are under way and no more are begun. They share flushes, however many they are.
const TURNS_MAX: usize = 64;

/// A build whose events are being committed, and its automatic retry, if it is started again.
pub(super) struct Committing {
    pub(super) entry: Staged,
    pub(super) retry: Option<Staged>,
}

/// What was decided in one turn, and what will have come of it.
struct Turn {
    builds: Vec<Committing>,
    kept: BoxFuture<'static, Vec<Result<(), CommitError>>>,
}

/// The turns under way, in their order, which is that of their ends, too.
#[derive(Default)]
pub(super) struct Commits {
    turns: VecDeque<Turn>,
    /// The builds that they are about, each with what has arrived for it meanwhile.
    held: HashMap<BuildId, Vec<Message>>,
    held_count: usize,
}

/// The builds of a turn that has ended, each with what came of its commit.
pub(super) type Ended = Vec<(Committing, Result<(), CommitError>)>;

impl Commits {
    /// Whether there is room for what more messages may bring.
    pub(super) fn may_take(&self) -> bool {
        self.turns.len() < TURNS_MAX && self.held_count < MESSAGES_PER_TURN_MAX
    }

    /// Whether this build's events are being committed.
    pub(super) fn has(&self, id: &BuildId) -> bool {
        self.held.contains_key(id)
    }

    /// Gives a message back, unless it is for a build whose events are being committed: then it is
    /// held.
    pub(super) fn hold(&mut self, message: Message) -> Option<Message> {
        let held = match &message {
            Message::Stop(id, _) | Message::Inputs(id, _) => self.held.get_mut(id),
            Message::Submit(..) | Message::Count(_) | Message::Survey(..) | Message::Drain(_) => {
                None
            }
        };
        let Some(held) = held else { return Some(message) };
        held.push(message);
        self.held_count += 1;
        None
    }

    /// The builds that come into being by what is being committed.
    pub(super) fn new_builds(&self) -> impl Iterator<Item = &Staged> {
        let builds = self.turns.iter().flat_map(|turn| &turn.builds);
        builds.flat_map(Committing::staged).filter(|staged| staged.is_new)
    }

    /// A turn has been handed to the store.
    pub(super) fn push(
        &mut self,
        builds: Vec<Committing>,
        kept: BoxFuture<'static, Vec<Result<(), CommitError>>>,
    ) {
        for id in builds.iter().flat_map(Committing::ids) {
            self.held.insert(id.clone(), Vec::new());
        }
        self.turns.push_back(Turn { builds, kept });
    }

    /// Waits for the first turn to end; also gives what was held for its builds. It can be dropped
    /// and asked for again.
    pub(super) async fn next(&mut self) -> Option<(Ended, Vec<Message>)> {
        let kept = (&mut self.turns.front_mut()?.kept).await;
        let turn = self.turns.pop_front()?;
        let ids = turn.builds.iter().flat_map(Committing::ids);
        let held: Vec<Message> = ids.filter_map(|id| self.held.remove(id)).flatten().collect();
        self.held_count -= held.len();
        Some((turn.builds.into_iter().zip(kept).collect(), held))
    }
}

impl Committing {
    pub(super) fn staged(&self) -> impl Iterator<Item = &Staged> {
        [Some(&self.entry), self.retry.as_ref()].into_iter().flatten()
    }

    fn ids(&self) -> impl Iterator<Item = &BuildId> {
        self.staged().map(|staged| staged.live.build.id())
    }
}
