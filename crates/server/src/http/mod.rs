//! The one port: which service a request is for, who asks, and the few paths that are our own.

mod authenticate;
mod commands;
mod console;
mod expect;
mod front;
mod own;
mod status;

pub use front::{Front, router};
pub use own::Origin;
