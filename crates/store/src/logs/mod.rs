//! Log groups, log streams and log events.
//!
//! Which groups and streams there are stands in an SQLite file of its own; the events of a stream
//! stand in an append-only file. An append is one write, and whoever reads sees it at once.
//!
//! All times are milliseconds since 1970. The calls read and write files: those that read pages of
//! events, describe or sweep belong on a thread that may block.

mod catalog;
mod digest;
mod error;
mod frame;
mod index;
mod lines;
mod log_store;
mod open_streams;
mod page;
mod pattern;
mod read;
mod search;
mod sources;
mod stream;
mod sweep;
mod tail;

pub use catalog::{
    Found, Group, GroupClass, GroupId, GroupsPage, NewGroup, Stream, StreamId, StreamOrder,
    StreamsPage,
};
pub use digest::StreamDigest;
pub use error::LogError;
pub use lines::FoundLines;
pub use log_store::{Batch, LogStore, MESSAGE_BYTES_MAX, NewEvent};
pub use page::{Direction, LogEvent, LogPage, TimeRange, Token};
pub use pattern::{Pattern, PatternError};
pub use read::ReadRequest;
pub use search::{FilterPage, FilterRequest, FilterToken, StreamChoice};
pub use tail::{Subscription, TailBatch, TailFilter, Tailed};

#[cfg(test)]
mod tests;
