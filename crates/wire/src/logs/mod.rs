//! The shapes and the trait of CloudWatch Logs.

mod generated;

pub use generated::*;
