//! Recipes: what an operator writes of an image that is made here, and what is made of that.
//!
//! `document` is the file; `runtimes` what it says of `runtime-versions`; `mirrors` where packages
//! come from when nobody says.

mod document;
mod mirrors;
mod runtimes;

pub use document::{Overrides, RecipeDocument};
