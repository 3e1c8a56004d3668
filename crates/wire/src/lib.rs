//! AWS encodings: what a service, an operation and a shape look like on the wire.
//!
//! The shapes, their constraints and one trait per service are generated from `models/` by
//! `cargo xtask codegen`. A server implements the trait, and hands each request to the service's
//! `call`: it decodes, checks every constraint of the model, calls and encodes.
//!
//! This crate knows how things are spelled. It knows nothing of what an operation does, of who
//! may call it, or of anything stored.

mod caller;
mod codec;
mod error;
pub mod event_stream;
mod response;
mod schema;
mod service;
mod validation;
mod value;

pub mod codebuild;
pub mod logs;
pub mod secretsmanager;
pub mod sigv4;
pub mod ssm;
pub mod sts;

pub use caller::{Caller, Principal};
pub use codec::{json, query};
pub use error::ServiceError;
pub use response::respond;
pub use schema::{Pattern, Schema, Shape, Structure, Text};
pub use service::{Protocol, Service};
pub use validation::Violation;
pub use value::{Blob, Sensitive, Timestamp};

#[cfg(test)]
mod tests;
