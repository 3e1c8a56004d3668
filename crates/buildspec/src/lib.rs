//! The buildspec: text in, a buildspec and every problem with its place out.
//!
//! Pure: no file, no variable of the process, no clock. Whoever reads the file gives its text to
//! [`parse`]; whoever walks the disk asks [`FilePatterns`]; whoever starts a shell asks
//! [`merge_variables`] for its variables.

mod decode;
mod glob;
mod limits;
mod lint;
mod model;
mod on_failure;
mod problem;
mod problems;
mod render;
mod runtimes;
mod secret;
mod suggest;
mod summary;
mod variables;
mod yaml;

pub use decode::{Parsed, parse};
pub use glob::{BaseDirectory, FilePatterns};
pub use limits::{DEPTH_MAX, EXPANDED_BYTES_MAX, NODES_MAX, PROBLEMS_MAX, TEXT_BYTES_MAX};
pub use model::{
    Artifacts, Batch, BatchBuild, BatchEnv, BatchFanout, BatchKind, BatchMatrix, Buildspec, Cache,
    CacheAction, Env, OnFailure, Phase, PhaseName, Phases, Proxy, Report, ReportFormat, Shell,
    Version,
};
pub use on_failure::OnFailureError;
pub use problem::{Problem, ProblemCode, Severity};
pub use runtimes::{Runtime, RuntimeVersion, Runtimes, Selected, Selection};
pub use secret::{SecretReference, SecretReferenceError};
pub use summary::phases_found;
pub use variables::merge_variables;
