//! What the protocol promises: bytes that do not change, and readers that survive anything.

mod golden;
mod journal;
mod mutations;
