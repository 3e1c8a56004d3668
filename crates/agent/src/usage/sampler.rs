//! Looks now and then how much memory the container holds and how busy its processors are.
//!
//! The kernel keeps the highest mark of a group's memory, but with the copies of files in it, which
//! fill whatever there is. So a thread looks: at first often, then once a second. What comes and goes
//! between two looks is not seen, and a command's largest process is known from the kernel anyway.

use super::group::{CpuTime, Group};
use super::meter::cpu_time;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The pause before the first look at a command; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Over how long processors are averaged.
const WINDOW: Duration = Duration::from_secs(1);

/// What is looked at, and what was seen.
#[derive(Debug)]
pub(super) struct Sampler {
    group: Arc<Group>,
    state: Mutex<State>,
    begun: Condvar,
}

#[derive(Debug)]
struct State {
    /// How many commands have begun; odd while one runs, so that a look knows whose it is.
    turn: u64,
    /// When the thread looks next; none while it waits for a command to begin.
    next_look: Option<Instant>,
    /// The most memory seen since the command began, and since the build did.
    memory_command: u64,
    memory_build: u64,
    /// The busiest window so far, in thousandths of a processor.
    processors_millis: u32,
    /// When the window began, and the processor time used until then, in microseconds.
    window: (Instant, u64),
}

impl Sampler {
    /// Starts the thread.
    pub(super) fn start(group: Arc<Group>) -> std::io::Result<Arc<Self>> {
        let window = (Instant::now(), cpu_micros(&group));
        let state = State {
            turn: 0,
            next_look: None,
            memory_command: 0,
            memory_build: 0,
            processors_millis: 0,
            window,
        };
        let sampler = Arc::new(Self { group, state: Mutex::new(state), begun: Condvar::new() });
        let looking = Arc::clone(&sampler);
        std::thread::Builder::new()
            .name("sampler".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || looking.look_again_and_again())?;
        Ok(sampler)
    }

    /// A command begins.
    pub(super) fn begin(&self) {
        let mut state = self.lock();
        state.turn += 1;
        state.memory_command = 0;
        // Short commands in a row do not wake the thread each time.
        let soon = Instant::now() + PAUSE_MIN;
        if state.next_look.is_none_or(|look| look > soon) {
            self.begun.notify_one();
        }
    }

    /// The command has ended: the most memory that was seen while it ran.
    pub(super) fn end(&self) -> u64 {
        let mut state = self.lock();
        state.turn += 1;
        state.memory_command
    }

    /// Notes memory that somebody else has seen, and gives the most of the whole build.
    pub(super) fn memory_of_build(&self, seen: u64) -> u64 {
        let mut state = self.lock();
        state.memory_build = state.memory_build.max(seen);
        state.memory_build
    }

    /// The most processors of any window, in thousandths.
    pub(super) fn processors_millis(&self) -> u32 {
        let cpu = cpu_micros(&self.group);
        let mut state = self.lock();
        state.close_window(Instant::now(), cpu, Duration::from_millis(1));
        state.processors_millis
    }

    fn look_again_and_again(&self) {
        let mut state = self.lock();
        let mut pause = PAUSE_MIN;
        let mut watched = state.turn;
        loop {
            let is_running = state.turn % 2 == 1;
            if state.turn != watched {
                pause = PAUSE_MIN;
            } else if !is_running {
                state.next_look = None;
                state = wait(self.begun.wait(state));
                continue;
            }
            watched = state.turn;
            state.next_look = Some(Instant::now() + pause);
            let (woken, timeout) =
                self.begun.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if !timeout.timed_out() {
                continue;
            }
            let turn = state.turn;
            drop(state);
            let (memory, cpu) = (self.group.memory().unwrap_or_default(), cpu_micros(&self.group));
            state = self.lock();
            state.memory_build = state.memory_build.max(memory);
            if state.turn == turn {
                state.memory_command = state.memory_command.max(memory);
            }
            state.close_window(Instant::now(), cpu, WINDOW);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends the window, if it is as long as `least`.
    fn close_window(&mut self, now: Instant, cpu: u64, least: Duration) {
        let (began, before) = self.window;
        let long = now.saturating_duration_since(began);
        // A little less will do: pauses are not exact.
        if long < least - least / 10 {
            return;
        }
        let micros = u64::try_from(long.as_micros()).unwrap_or(u64::MAX).max(1);
        let millis = cpu.saturating_sub(before).saturating_mul(1_000) / micros;
        // A rest of a window that is much shorter than a second would show a burst.
        if long >= WINDOW - WINDOW / 10 || self.processors_millis == 0 {
            let millis = u32::try_from(millis).unwrap_or(u32::MAX);
            self.processors_millis = self.processors_millis.max(millis);
        }
        self.window = (now, cpu);
    }
}

fn cpu_micros(group: &Group) -> u64 {
    let CpuTime { user, system } = cpu_time(group);
    user + system
}

fn wait<T>(waited: std::sync::LockResult<T>) -> T {
    waited.unwrap_or_else(PoisonError::into_inner)
}
