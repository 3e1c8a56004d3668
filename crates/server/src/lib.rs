//! The service and the command line.

pub mod s3;
