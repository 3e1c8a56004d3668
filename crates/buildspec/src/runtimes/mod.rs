//! The runtimes that an image offers, and which of them a buildspec's `runtime-versions` select.

mod catalogue;
mod select;
mod version;

pub use catalogue::{Runtime, RuntimeVersion, Runtimes};
pub use select::{Selected, Selection, Unselectable};

#[cfg(test)]
mod tests;
