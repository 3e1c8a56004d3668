//! The shapes and the trait of the Security Token Service.

mod generated;

pub use generated::*;
