//! The same work on many things by a few threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Enough to keep a store on the same machine busy.
const THREADS_MAX: usize = 4;
/// More would only take memory from the build: a disk and a socket are behind all of it.
const WORKERS_MAX: usize = 8;
/// Results that may wait for their turn, for each worker.
const AHEAD_MAX: usize = 2;

/// Does `work` for each of `things`, in any order, and gives the first error that came. After an
/// error nothing new is begun.
pub(crate) fn for_each<T: Sync, E: Send>(
    things: &[T],
    work: impl Fn(&T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let worker = || {
        while let Some(thing) = things.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = work(thing) {
                next.store(things.len(), Ordering::Relaxed);
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert(error);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..THREADS_MAX.min(things.len()) {
            // A thread that does not start leaves its share to the others.
            let _ = thread::Builder::new().spawn_scoped(scope, worker);
        }
        worker();
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// Does `work` for each number below `count`, on as many threads as there are processors, and hands
/// what it makes to `take`, on this thread and in the numbers' order.
///
/// Work runs ahead of `take` by a few results and no more, so that memory does not grow with
/// `count`. After an error, which is the answer, nothing new is begun.
pub(crate) fn in_order<T: Send, E: Send>(
    count: usize,
    work: impl Fn(usize) -> Result<T, E> + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let workers = workers().min(count);
    let line = Line::new(count, workers * AHEAD_MAX);
    thread::scope(|scope| {
        let serve = || {
            while let Some(number) = line.next() {
                line.put(number, work(number));
            }
        };
        let started = (0..workers)
            .filter(|_| thread::Builder::new().spawn_scoped(scope, serve).is_ok())
            .count();
        for number in 0..count {
            // A process that may not have more threads does everything on this one.
            let made = if started == 0 { work(number) } else { line.take(number) };
            if let Err(error) = made.and_then(&mut take) {
                line.close();
                return Err(error);
            }
        }
        Ok(())
    })
}

/// How many threads share what a processor does.
pub(crate) fn workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX)
}

/// What is under way between the workers and the one who takes.
struct Line<T, E> {
    state: Mutex<State<T, E>>,
    changed: Condvar,
    ahead_max: usize,
}

struct State<T, E> {
    made: BTreeMap<usize, Result<T, E>>,
    begun: usize,
    taken: usize,
    /// Numbers from here on are not begun.
    end: usize,
}

impl<T, E> Line<T, E> {
    fn new(count: usize, ahead_max: usize) -> Self {
        let state = State { made: BTreeMap::new(), begun: 0, taken: 0, end: count };
        Self { state: Mutex::new(state), changed: Condvar::new(), ahead_max }
    }

    /// The next number to work on, once it is not too far ahead.
    fn next(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.begun >= state.end {
                return None;
            }
            if state.begun < state.taken + self.ahead_max {
                state.begun += 1;
                return Some(state.begun - 1);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put(&self, number: usize, made: Result<T, E>) {
        self.lock().made.insert(number, made);
        self.changed.notify_all();
    }

    fn take(&self, number: usize) -> Result<T, E> {
        let mut state = self.lock();
        loop {
            if let Some(made) = state.made.remove(&number) {
                state.taken = number + 1;
                self.changed.notify_all();
                return made;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        self.lock().end = 0;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_work_runs_ahead_by_a_few() {
        let begun = AtomicUsize::new(0);
        let mut taken = Vec::new();
        let work = |number| {
            begun.fetch_add(1, Ordering::SeqCst);
            Ok::<_, ()>(number * 2)
        };
        in_order(1_000, work, |made| {
            taken.push(made);
            let ahead = begun.load(Ordering::SeqCst) - taken.len();
            assert!(ahead <= workers() * AHEAD_MAX, "{ahead} results wait");
            Ok(())
        })
        .unwrap();
        assert_eq!(taken, (0..2_000).step_by(2).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_error_in_order_is_the_answer_and_ends_the_work() {
        let work = |number| if number % 10 == 7 { Err(number) } else { Ok(number) };
        let mut taken = 0;
        let answer = in_order(1_000_000_000, work, |_| {
            taken += 1;
            Ok(())
        });
        assert_eq!((answer, taken), (Err(7), 7));
        let refused = in_order(1_000_000_000, Ok::<usize, usize>, |number| Err(number + 1));
        assert_eq!(refused, Err(1));
        assert_eq!(in_order(0, Ok::<usize, usize>, |_| Err(0)), Ok(()));
    }
}
