//! Another Secrets Manager or Systems Manager that answers what builds read: AWS's own, or any
//! endpoint that speaks like it.

mod client;
mod credentials;
mod settings;

pub(crate) use client::Upstream;
pub use client::UpstreamError;
pub use settings::{Endpoint, UpstreamSettings};

use wire::{Caller, Principal};

/// The upstream that answers this caller: what builds ask, it does, and what people ask, we do.
pub(crate) fn answering<'u>(
    upstream: Option<&'u Upstream>,
    caller: &Caller,
) -> Option<&'u Upstream> {
    match caller.principal {
        Principal::Build { .. } => upstream,
        Principal::Root => None,
    }
}
