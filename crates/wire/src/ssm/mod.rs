//! The shapes and the trait of AWS Systems Manager.

mod generated;

pub use generated::*;
