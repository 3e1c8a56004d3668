//! The buildspec: text in, a buildspec and every problem with its place out.
//!
//! Pure: no file, no variable of the process, no clock. Whoever reads the file gives its text to
//! [`parse`]; whoever walks the disk asks [`FilePatterns`]; whoever starts a shell asks
//! [`merge_variables`] for its variables.

mod allow;
mod bytes;
mod decode;
mod glob;
mod limits;
mod lint;
mod model;
mod on_failure;
mod problem;
mod problems;
mod render;
mod rule;
mod runtimes;
mod secret;
mod suggest;
mod summary;
mod variables;
mod yaml;

pub use bytes::decode;
pub use decode::{Parsed, UnknownKey, parse};
pub use glob::{BaseDirectory, FilePatterns};
pub use limits::{DEPTH_MAX, EXPANDED_BYTES_MAX, NODES_MAX, PROBLEMS_MAX, TEXT_BYTES_MAX};
pub use lint::needs_bash;
pub use model::{
    Artifacts, Batch, BatchBuild, BatchEnv, BatchFanout, BatchKind, BatchMatrix, Buildspec, Cache,
    CacheAction, Env, OnFailure, Phase, PhaseName, Phases, Proxy, Report, ReportFormat, Shell,
    Version,
};
pub use on_failure::OnFailureError;
pub use problem::{Problem, Severity};
pub use render::Look;
pub use rule::Rule;
pub use runtimes::{Runtime, RuntimeVersion, Runtimes, Selected, Selection, Unselectable};
pub use secret::{SecretReference, SecretReferenceError};
pub use summary::{phases_found, unknown_keys_found};
pub use variables::{expand_variables, merge_variables};
