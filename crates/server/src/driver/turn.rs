//! One turn of the loop: take what waits, decide, commit, then act.
//!
//! Nothing in memory moves before the store has it. Each build's events are a transaction of their
//! own, so that one that fails holds up no other; the store makes all of them durable at once. While
//! it does, other builds have their turns; see [`commits`].

mod commits;
mod resume;
mod survey;

use super::{
    Driver, MESSAGES_PER_TURN_MAX, Message, Submission, SubmitError,
    attendant::{self, Grounds},
    machine::millis,
};
use crate::{build_request::BuildRequest, fault::chain, tally::Trouble};
use agent_protocol::Timestamp;
use build_core::{
    Build, BuildId, BuildStatus, Event, Input, Presence, Stage, Submitted,
    queue::{Capacity, Running, Waiting},
};
use commits::{Commits, Committing, Ended};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use store::{Change, CommitError, Durability, EndedBuild, Outcome};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// Inputs in order, each with the journal's offset after the record it came from.
type Inputs = Vec<(Input, Option<u64>)>;

/// How long the loop waits before it tries again to commit what the store did not take.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Builds are charged by the minute, and one that has begun counts.
const MINUTE_MILLIS: u64 = 60_000;

/// A build that has not ended.
struct Live {
    build: Build,
    request: Arc<BuildRequest>,
    /// Its place in the order of submissions.
    order: u64,
    /// How far its journal is in `build`.
    journal_offset: u64,
    /// Tells its attendant to bring it to an end; none while it has no attendant.
    ending: Option<CancellationToken>,
}

/// A build in the middle of a turn: as it will be when the store has the events.
struct Staged {
    live: Live,
    events: Vec<(Timestamp, Event)>,
    is_new: bool,
    with: Vec<Change>,
    submitter: Option<oneshot::Sender<Result<Build, SubmitError>>>,
    stoppers: Vec<oneshot::Sender<Result<(), store::Fault>>>,
    /// The build that it is the automatic retry of: both are kept, or neither is.
    follows: Option<BuildId>,
    /// What is to be tried again if the store fails.
    inputs: Inputs,
}

/// The loop's whole memory.
pub(super) struct Turns {
    grounds: Arc<Grounds>,
    driver: Driver,
    capacity: Capacity,
    live: HashMap<BuildId, Live>,
    commits: Commits,
    /// What was held for builds whose commits have ended: it comes before what arrives.
    released: Vec<Message>,
    /// The builds that may be let in: none of them has a commit under way.
    waiting: Waiting,
    /// The builds that have been let in, those among them for whom that is being committed.
    running: Running,
    numbers: HashMap<(String, String), u64>,
    deadlines: BTreeSet<(Timestamp, BuildId)>,
    again: Vec<(BuildId, Inputs)>,
    /// Whether no more work is taken.
    draining: bool,
    /// Whether there is room, or somebody to have it, since builds were last let in.
    room: bool,
    orders: u64,
}

impl Turns {
    /// Takes up the builds that had not ended when the service did.
    pub(super) async fn resume(
        grounds: Arc<Grounds>,
        capacity: Capacity,
        driver: Driver,
    ) -> Result<Self, store::Fault> {
        let mut turns = Self {
            grounds,
            driver,
            capacity,
            live: HashMap::new(),
            commits: Commits::default(),
            released: Vec::new(),
            waiting: Waiting::default(),
            running: Running::default(),
            numbers: HashMap::new(),
            deadlines: BTreeSet::new(),
            again: Vec::new(),
            draining: false,
            room: false,
            orders: 0,
        };
        let mut unread = HashSet::new();
        let mut found = resume::found(&turns.grounds, &mut unread).await?;
        resume::end_lost(&turns.grounds, &mut found).await?;
        for live in found {
            turns.take_up(live);
        }
        let known = turns.live.keys().map(|id| id.uuid().to_owned());
        let live: HashSet<String> = known.chain(unread).collect();
        attendant::sweep(&turns.grounds, &live).await;
        Ok(turns)
    }

    fn take_up(&mut self, mut live: Live) {
        self.orders += 1;
        live.order = self.orders;
        let (id, share) = (live.build.id().clone(), live.request.share());
        match live.build.stage {
            Stage::Queued => self.waiting.push(id.clone(), live.order, share),
            _ => self.running.add(id.project(), share),
        }
        self.note_deadline(&live);
        self.live.insert(id.clone(), live);
        self.act_on(&id);
    }

    /// Runs for as long as the process does.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(MESSAGES_PER_TURN_MAX);
        // Builds that waited when the service ended may have room now.
        self.room = true;
        loop {
            while std::mem::take(&mut self.room) || !self.released.is_empty() {
                self.turn(Vec::new()).await;
            }
            let due = self.next_deadline().map(|at| at.since(self.grounds.machine.now()));
            let retry = (!self.again.is_empty()).then_some(RETRY_AFTER);
            let pause = [due, retry].into_iter().flatten().min();
            tokio::select! {
                biased;
                Some(ended) = self.commits.next() => {
                    self.end_turn(ended);
                    continue;
                }
                received = inbox.recv_many(&mut messages, MESSAGES_PER_TURN_MAX),
                    if self.commits.may_take() =>
                {
                    if received == 0 {
                        return;
                    }
                }
                () = sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
            self.turn(std::mem::take(&mut messages)).await;
        }
    }

    async fn turn(&mut self, mut messages: Vec<Message>) {
        let questions: Vec<_> =
            messages.extract_if(.., |message| message.asks_about_all()).collect();
        if !questions.is_empty() {
            while let Some(ended) = self.commits.next().await {
                self.end_turn(ended);
            }
            // Before anything is decided that the store does not have.
            questions.into_iter().for_each(|question| self.answer(question));
        }
        let now = self.grounds.machine.now();
        let mut staged = BTreeMap::new();
        for (id, inputs) in std::mem::take(&mut self.again) {
            self.stage_inputs(&mut staged, &id, inputs, now);
        }
        for message in std::mem::take(&mut self.released).into_iter().chain(messages) {
            let Some(message) = self.commits.hold(message) else { continue };
            match message {
                Message::Submit(submission, reply) => {
                    self.stage_submission(&mut staged, *submission, reply, now).await;
                }
                Message::Stop(id, reply) => {
                    self.stage_inputs(&mut staged, &id, vec![(Input::Stop, None)], now);
                    match staged.get_mut(&id) {
                        Some(staged) => staged.stoppers.push(reply),
                        // It has ended, or never was: there is nothing to wait for.
                        None => drop(reply.send(Ok(()))),
                    }
                }
                Message::Inputs(id, inputs) => {
                    self.stage_inputs(&mut staged, &id, inputs, now);
                }
                Message::Count(_) | Message::Survey(..) | Message::Drain(_) => {
                    unreachable!("it was answered above")
                }
            }
        }
        self.pass_deadlines(&mut staged, now);
        self.stage_retries(&mut staged, now).await;
        self.admit(&mut staged, now);
        self.hand_over(staged);
    }

    async fn stage_submission(
        &mut self,
        staged: &mut BTreeMap<BuildId, Staged>,
        submission: Submission,
        reply: oneshot::Sender<Result<Build, SubmitError>>,
        now: Timestamp,
    ) {
        let Submission { request, concurrent_max, with } = submission;
        let id = request.id().clone();
        if self.draining {
            let _ = reply.send(Err(SubmitError::Stopping));
            return;
        }
        if let Some(max) = concurrent_max {
            let of_project = |(other, region): (&BuildId, &str)| {
                other.project() == id.project() && region == request.region
            };
            let under_way = self.live.iter().map(|(id, live)| (id, live.request.region.as_str()));
            let staged_new = staged
                .values()
                .filter(|staged| staged.is_new)
                .chain(self.commits.new_builds())
                .map(|staged| (staged.live.build.id(), staged.live.request.region.as_str()));
            if under_way.chain(staged_new).filter(|entry| of_project(*entry)).count()
                >= max as usize
            {
                let _ = reply.send(Err(SubmitError::ConcurrentLimit(max)));
                return;
            }
        }
        let number = match self.next_number(&request.region, id.project().as_str()).await {
            Ok(number) => number,
            Err(fault) => {
                let _ = reply.send(Err(fault.into()));
                return;
            }
        };
        let entry = self.stage_new(request, number, now);
        staged.insert(id, Staged { with, submitter: Some(reply), ..entry });
    }

    /// A build that waits from now on.
    fn stage_new(&mut self, request: Arc<BuildRequest>, number: u64, now: Timestamp) -> Staged {
        let submitted = Submitted {
            id: request.id().clone(),
            number,
            timeout_minutes: request.timeout_minutes,
            queued_timeout_minutes: request.queued_timeout_minutes,
            received_at: now,
            auto_retry: request.auto_retry(),
        };
        self.orders += 1;
        self.waiting.push(request.id().clone(), self.orders, request.share());
        let live = Live {
            build: Build::new(submitted.clone()),
            request,
            order: self.orders,
            journal_offset: 0,
            ending: None,
        };
        let events = vec![(now, Event::Submitted(submitted))];
        Staged { events, is_new: true, ..Staged::of(live) }
    }

    /// Starts the builds that others are started again as.
    async fn stage_retries(&mut self, staged: &mut BTreeMap<BuildId, Staged>, now: Timestamp) {
        let due =
            |entry: &Staged| entry.is_over().then(|| entry.live.request.retried(&entry.live.build));
        let due: Vec<_> = staged
            .iter()
            .filter_map(|(id, entry)| Some((id.clone(), due(entry).flatten()?)))
            .collect();
        for (id, request) in due {
            match self.next_number(&request.region, request.id().project().as_str()).await {
                Ok(number) => {
                    let entry = self.stage_new(Arc::new(request), number, now);
                    let next = entry.live.build.id().clone();
                    staged.insert(next, Staged { follows: Some(id), ..entry });
                }
                Err(fault) => {
                    let entry = staged.remove(&id).expect("it was found there");
                    self.undo(entry, fault.into());
                }
            }
        }
    }

    async fn next_number(&mut self, region: &str, project: &str) -> Result<u64, store::Fault> {
        let key = (region.to_owned(), project.to_owned());
        let last = match self.numbers.get(&key) {
            Some(last) => *last,
            None => self.grounds.machine.last_build_number(region, project).await?,
        };
        self.numbers.insert(key, last + 1);
        Ok(last + 1)
    }

    /// Lets a build decide on inputs, in the turn's copy of it.
    fn stage_inputs(
        &mut self,
        staged: &mut BTreeMap<BuildId, Staged>,
        id: &BuildId,
        inputs: Inputs,
        now: Timestamp,
    ) {
        if !staged.contains_key(id) {
            let Some(live) = self.live.get(id) else { return };
            staged.insert(id.clone(), Staged::of(live.copy()));
        }
        let entry = staged.get_mut(id).expect("it was put there above");
        for (input, offset) in inputs {
            // A fact that is in the state already was read again after a restart.
            if offset.is_some_and(|offset| offset <= entry.live.journal_offset) {
                continue;
            }
            let was_queued = entry.live.build.stage == Stage::Queued;
            if input == Input::Gone && entry.live.build.retry_is_due() {
                let fresh = self.grounds.machine.fresh_id().to_string();
                let id = BuildId::new(id.project().clone(), fresh);
                entry.decide(&Input::RetryAs(id.expect("a fresh UUID is one")), now);
            }
            entry.decide(&input, now);
            if was_queued && entry.live.build.stage != Stage::Queued && input != Input::Admitted {
                // It leaves the queue for its end and never had a container.
                self.waiting.remove(id, entry.live.order);
                entry.decide(&Input::Gone, now);
            }
            if let Some(offset) = offset {
                entry.live.journal_offset = offset;
            }
            entry.inputs.push((input, offset));
        }
    }

    /// When the loop has to look again, unless something arrives. A build that is being committed may
    /// have another deadline afterwards.
    fn next_deadline(&self) -> Option<Timestamp> {
        let mut deadlines = self.deadlines.iter().filter(|(_, id)| !self.commits.has(id));
        deadlines.next().map(|(at, _)| *at)
    }

    fn pass_deadlines(&mut self, staged: &mut BTreeMap<BuildId, Staged>, now: Timestamp) {
        let passed = self.deadlines.iter().take_while(|(at, _)| *at <= now);
        let passed: Vec<_> = passed.filter(|(_, id)| !self.commits.has(id)).cloned().collect();
        for deadline in passed {
            self.deadlines.remove(&deadline);
            self.stage_inputs(staged, &deadline.1, vec![(Input::DeadlinePassed, None)], now);
        }
    }

    fn admit(&mut self, staged: &mut BTreeMap<BuildId, Staged>, now: Timestamp) {
        if self.draining {
            return;
        }
        while let Some((id, share)) = self.waiting.admit(&self.running, self.capacity) {
            self.running.add(id.project(), share);
            self.stage_inputs(staged, &id, vec![(Input::Admitted, None)], now);
        }
    }

    /// Gives the store what the turn decided, in the order in which it is to happen.
    fn hand_over(&mut self, staged: BTreeMap<BuildId, Staged>) {
        let (retries, staged): (Vec<Staged>, Vec<Staged>) =
            staged.into_values().partition(|entry| entry.follows.is_some());
        let mut retries: BTreeMap<BuildId, Staged> =
            retries.into_iter().filter_map(|mut e| Some((e.follows.take()?, e))).collect();
        let (staged, nothing_new): (Vec<Staged>, Vec<Staged>) =
            staged.into_iter().partition(|entry| !entry.events.is_empty());
        let any = !nothing_new.is_empty();
        nothing_new.into_iter().for_each(|entry| self.install(entry));
        if any {
            self.grounds.changed.send_modify(|count| *count += 1);
        }
        if staged.is_empty() {
            return;
        }
        let mut builds: Vec<_> = staged
            .into_iter()
            .map(|entry| Committing { retry: retries.remove(entry.live.build.id()), entry })
            .collect();
        // In the order of their submission they are taken up again after a restart.
        builds.sort_by_key(|build| build.retry.as_ref().unwrap_or(&build.entry).live.order);
        let transactions = builds.iter().map(|Committing { entry, retry }| {
            let mut changes = entry.changes();
            changes.extend(retry.iter().flat_map(Staged::changes));
            (changes, entry.durability())
        });
        let kept = self.grounds.machine.commit_together(transactions.collect());
        for Live { build, order, .. } in builds.iter().flat_map(Committing::staged).map(|e| &e.live)
        {
            self.waiting.remove(build.id(), *order);
        }
        self.commits.push(builds, kept);
    }

    /// A turn lasts, or parts of it do not: lets the world know.
    fn end_turn(&mut self, (ended, held): (Ended, Vec<Message>)) {
        self.released.extend(held);
        for (Committing { entry, retry }, result) in ended {
            match result {
                Ok(()) => {
                    self.install(entry);
                    retry.into_iter().for_each(|retry| self.install(retry));
                }
                Err(error) => {
                    retry.iter().for_each(|retry| self.leave_queue(retry));
                    self.undo(entry, error);
                }
            }
        }
        self.grounds.changed.send_modify(|count| *count += 1);
    }

    fn install(&mut self, entry: Staged) {
        let Staged { mut live, submitter, stoppers, .. } = entry;
        let id = live.build.id().clone();
        if let Some(submitter) = submitter {
            let _ = submitter.send(Ok(Build::new(live.build.submitted.clone())));
        }
        for stopper in stoppers {
            let _ = stopper.send(Ok(()));
        }
        let had_container = self.live.get(&id).is_some_and(|live| live.ending.is_some());
        if let Some(previous) = self.live.remove(&id) {
            live.ending = previous.ending;
            if let Some(deadline) = previous.build.wanted().deadline {
                self.deadlines.remove(&(deadline, id.clone()));
            }
        }
        self.grounds.tally.well(Trouble::State);
        if let Stage::Finished { status, .. } = live.build.stage {
            self.grounds.tally.ended(status);
            if had_container {
                self.running.remove(id.project(), live.request.share());
                self.room = !self.waiting.is_empty();
            }
            self.grounds.provision.identity.end_session(&live.request.arn());
            attendant::forget(&self.grounds, &id);
            return;
        }
        if live.build.stage == Stage::Queued {
            // There may have come room since it was decided that it waits.
            self.waiting.push(id.clone(), live.order, live.request.share());
            self.room = true;
        }
        self.note_deadline(&live);
        self.live.insert(id.clone(), live);
        self.act_on(&id);
    }

    /// A new build is none after all.
    fn leave_queue(&mut self, entry: &Staged) {
        let Live { build, request, .. } = &entry.live;
        if entry.inputs.iter().any(|(input, _)| *input == Input::Admitted) {
            self.running.remove(build.id().project(), request.share());
        }
    }

    /// The store did not take a build's events: memory goes back to what the store has.
    fn undo(&mut self, entry: Staged, error: CommitError) {
        if entry.is_new {
            self.leave_queue(&entry);
            self.room = true;
        }
        let Staged { live, is_new, submitter, stoppers, inputs, .. } = entry;
        let id = live.build.id().clone();
        let share = live.request.share();
        let was_queued = inputs.iter().any(|(input, _)| *input == Input::Admitted);
        if was_queued && !is_new {
            self.running.remove(id.project(), share);
        }
        self.grounds.trouble(Trouble::State);
        if is_new {
            let error = match error {
                CommitError::Conflict { .. } => SubmitError::Conflict,
                CommitError::Fault(fault) => SubmitError::Fault(fault),
            };
            if let Some(submitter) = submitter {
                let _ = submitter.send(Err(error));
            }
            return;
        }
        tracing::error!(build = %id, error = %chain(&error), "events are not kept; trying again");
        for stopper in stoppers {
            let _ = stopper.send(Err(match &error {
                CommitError::Fault(fault) => fault.clone(),
                CommitError::Conflict { .. } => store::Fault::Corrupt { what: error.to_string() },
            }));
        }
        if self.live.get(&id).is_some_and(|live| live.build.stage == Stage::Queued) {
            self.waiting.push(id.clone(), live.order, share);
        }
        let inputs = inputs.into_iter().filter(|(input, _)| *input != Input::Admitted).collect();
        self.again.push((id, inputs));
    }

    fn note_deadline(&mut self, live: &Live) {
        if let Some(deadline) = live.build.wanted().deadline {
            self.deadlines.insert((deadline, live.build.id().clone()));
        }
    }

    /// Compares what a build wants with what it has.
    fn act_on(&mut self, id: &BuildId) {
        let Some(live) = self.live.get_mut(id) else { return };
        match (live.build.wanted().container, &live.ending) {
            (Presence::Absent, Some(ending)) => ending.cancel(),
            (Presence::Absent, None) if live.build.stage == Stage::Queued => {}
            (Presence::Present, Some(_)) => {}
            (presence, None) => {
                let ending = CancellationToken::new();
                if presence == Presence::Absent {
                    ending.cancel();
                }
                live.ending = Some(ending.clone());
                self.grounds.provision.identity.begin_session(live.request.arn());
                let charge = attendant::Charge {
                    request: Arc::clone(&live.request),
                    number: live.build.submitted.number,
                    received_at: live.build.submitted.received_at,
                    deadline: live.build.wanted().deadline,
                    ending,
                };
                attendant::spawn(Arc::clone(&self.grounds), self.driver.clone(), charge);
            }
        }
    }
}

impl Live {
    fn copy(&self) -> Self {
        Self {
            build: self.build.clone(),
            request: Arc::clone(&self.request),
            order: self.order,
            journal_offset: self.journal_offset,
            ending: self.ending.clone(),
        }
    }
}

impl Staged {
    /// A build to which nothing has happened yet in this turn.
    fn of(live: Live) -> Self {
        Self {
            live,
            events: Vec::new(),
            is_new: false,
            with: Vec::new(),
            submitter: None,
            stoppers: Vec::new(),
            follows: None,
            inputs: Vec::new(),
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.live.build.stage, Stage::Finished { .. })
    }

    fn decide(&mut self, input: &Input, now: Timestamp) {
        for event in self.live.build.decide(input, now) {
            self.live.build = self.live.build.clone().evolve(&event);
            self.events.push((now, event));
        }
    }

    /// Whether anybody is told something that a loss of power must not take back. What happens in
    /// between is in the journal, and its environment does not outlive the machine either.
    fn durability(&self) -> Durability {
        // What has begun must not begin again, whatever else the machine forgets.
        let begins = || self.inputs.iter().any(|(input, _)| *input == Input::Admitted);
        if self.is_new || self.is_over() || !self.stoppers.is_empty() || begins() {
            Durability::Machine
        } else {
            Durability::Process
        }
    }

    /// The transaction that keeps what the turn did to this build.
    fn changes(&self) -> Vec<Change> {
        if self.events.is_empty() {
            return Vec::new();
        }
        let build = &self.live.build;
        let (region, id) = (self.live.request.region.clone(), build.id().to_string());
        let state = to_json(build);
        let events = self.events.iter().map(|(at, event)| (millis(*at), to_json(event))).collect();
        let live = build.status().is_none();
        let mut changes = self.with.clone();
        changes.push(match self.is_new {
            true => Change::InsertBuild {
                region,
                id,
                project: build.id().project().as_str().to_owned(),
                number: build.submitted.number,
                submitted_at: millis(build.submitted.received_at),
                request: to_json(&*self.live.request),
                events,
                state,
                live,
            },
            false => Change::AppendEvents {
                region,
                id,
                first_sequence: build.events - self.events.len() as u64,
                events,
                state,
                journal_offset: self.live.journal_offset,
                live,
            },
        });
        changes.extend(self.ended().map(Change::CountEnded));
        changes
    }

    /// What the counts are told of a build that is over.
    fn ended(&self) -> Option<EndedBuild> {
        let Stage::Finished { status, at } = self.live.build.stage else { return None };
        let request = &self.live.request;
        let millis = self.live.build.on_machine(at).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        Some(EndedBuild {
            region: request.region.clone(),
            project: request.id().project().as_str().to_owned(),
            class: request.environment().compute_type.as_str().to_owned(),
            ended_at: self::millis(at),
            outcome: match status {
                BuildStatus::Succeeded => Outcome::Succeeded,
                BuildStatus::Failed | BuildStatus::Fault | BuildStatus::TimedOut => Outcome::Failed,
                BuildStatus::Stopped => Outcome::Stopped,
            },
            millis,
            minutes: millis.div_ceil(MINUTE_MILLIS),
        })
    }
}

fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("what is kept has only text keys")
}
