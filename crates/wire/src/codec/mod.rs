//! The ways to spell one shape. A codec knows no operation and no service.

pub mod json;
pub mod query;
mod xml;
