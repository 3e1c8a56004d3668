//! The tree of a YAML text becomes a buildspec.

mod artifacts;
mod batch;
mod env;
mod phases;
mod reader;
mod reports;
mod text;
mod traps;

pub use reader::UnknownKey;
pub use text::{Parsed, parse};
