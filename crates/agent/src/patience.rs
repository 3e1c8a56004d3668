//! Trying again while there is hope: a service may be restarting.

use std::time::Duration;

/// How often a request is made that nobody answered properly.
const ATTEMPTS_MAX: u32 = 6;
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);

/// An error that may be over soon.
pub(crate) trait Hopeful {
    /// Whether the same request may be answered the next time.
    fn is_worth_another_attempt(&self) -> bool;
}

/// Makes the attempt until it succeeds, fails for good, or has failed too often.
pub(crate) fn persist<T, E: Hopeful>(attempt: impl Fn() -> Result<T, E>) -> Result<T, E> {
    let mut pause = PAUSE_AFTER_FAILURE;
    for _ in 1..ATTEMPTS_MAX {
        match attempt() {
            Err(error) if error.is_worth_another_attempt() => {}
            settled => return settled,
        }
        std::thread::sleep(pause);
        pause *= 2;
    }
    attempt()
}
