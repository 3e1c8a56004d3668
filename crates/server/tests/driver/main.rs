//! The driver with everything real but the containers: store, logs, journals and inotify in a
//! temporary folder, and an executor that follows a script.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ends;
mod journal;
mod numbers;
mod queue;
mod restart;
mod retry;
mod simulation;
mod world;
