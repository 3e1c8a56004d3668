//! YAML as a tree with places. It must not know what a buildspec is.

mod load;
mod node;
mod said;

pub(crate) use load::load;
pub(crate) use node::{Entry, Node, NodeValue, Place};
