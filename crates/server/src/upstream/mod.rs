//! Another Secrets Manager or Systems Manager that answers what builds read: AWS's own, or any
//! endpoint that speaks like it.

mod client;
mod credentials;
mod settings;

pub(crate) use client::Upstream;
pub use client::UpstreamError;
pub use settings::{Endpoint, UpstreamSettings};
