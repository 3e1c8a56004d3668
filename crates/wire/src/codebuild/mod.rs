//! The shapes and the trait of CodeBuild.

mod generated;

pub use generated::*;
