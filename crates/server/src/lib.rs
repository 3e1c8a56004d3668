//! The service: one folder per AWS service, the driver that moves builds on, the command line.

#[cfg(not(target_os = "linux"))]
compile_error!("builds run in Linux namespaces");

pub mod app;
pub mod backup;
pub mod build_request;
pub mod cli;
pub mod clock;
pub mod codebuild;
pub mod config;
mod console;
pub mod data_folder;
pub mod driver;
pub mod egress;
pub mod executors;
mod fault;
pub mod http;
pub mod identity;
pub mod images;
pub mod local_caches;
pub mod logs;
pub mod name_patterns;
mod page_token;
pub mod parameters;
mod permission;
pub mod prices;
pub mod provision;
pub mod retention;
pub mod s3;
pub mod secrets;
pub mod sources;
pub mod sts;
pub mod tally;
pub mod upstream;
pub mod vault;
