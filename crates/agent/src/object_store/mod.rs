//! The object store that sources come from and artifacts go to. It knows objects and nothing of what
//! they are for.

mod client;
mod download;
mod error;
mod upload;

pub(crate) use client::Client;
pub(crate) use upload::Upload;
