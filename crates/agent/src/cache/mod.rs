//! What a build finds of earlier builds, and what it leaves for later ones: `cache` of the
//! buildspec.
//!
//! A cache is a help and never a condition. Whatever goes wrong with it is a line of the log.

mod bucket;
mod caching;
mod index;
mod layers;
mod lines;
mod local;
mod note;
mod pack;
mod paths;
mod place;
mod unpack;

pub(crate) use caching::{Caching, restore};
pub(crate) use lines::Bytes;
pub(crate) use local::linked_folder;
pub(crate) use note::HashedFile;
