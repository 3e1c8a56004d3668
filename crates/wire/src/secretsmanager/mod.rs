//! The shapes and the trait of AWS Secrets Manager.

mod generated;

pub use generated::*;
