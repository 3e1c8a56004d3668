//! YAML as a tree with places, as libyaml reads it. It must not know what a buildspec is.

mod load;
mod mapping;
mod node;
mod patch;
mod phrase;
mod said;
mod tabs;

pub(crate) use load::{is_anchor_name, load};
pub(crate) use node::{Entry, Node, NodeValue, Place};
pub(crate) use tabs::TabSaid;
