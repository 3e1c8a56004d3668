//! A build as a value.
//!
//! A [`Build`] is what its recorded [`Event`]s made of it. [`Build::decide`] says which events an
//! [`Input`] leads to, [`Build::evolve`] applies one, and [`Build::wanted`] says what the world
//! should look like for the state reached: whether a container should exist, and until when.
//! Whoever drives builds compares `wanted` with the world and acts; after a crash there is nothing
//! else to remember.
//!
//! Pure: no clock, no I/O, no randomness, no AWS shapes.

mod build;
mod decide;
mod event;
mod id;
pub mod limits;
mod phase;
pub mod queue;

pub use build::{Build, LogDigest, Presence, Stage, Wanted};
pub use decide::{Exited, Input};
pub use event::{AutoRetry, Event, Submitted};
pub use id::{BuildId, ProjectName};
pub use phase::{BuildStatus, Phase, PhaseRecord};

#[cfg(test)]
mod tests;
