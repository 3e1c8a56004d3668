//! Finds the buildspec and reads it.
//!
//! AWS: whatever is wrong with it fails DOWNLOAD_SOURCE with `YAML_FILE_ERROR` and one sentence in
//! the words of a Go program; what helps its author stands in the log before it.

use super::s3;
use crate::fault::{Doing, plain};
use crate::layout::shown;
use crate::log;
use crate::outcome::Stop;
use crate::run::Build;
use agent_protocol::BuildspecLocation;
use buildspec::{Buildspec, Look, Problem, Severity, TEXT_BYTES_MAX, unknown_keys_found};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::slice;

/// Reads the build's buildspec. When it cannot be used, the log is told everything that is wrong
/// with it; the log of a build that runs is CodeBuild's, without our warnings.
pub(crate) fn read(build: &Build) -> Result<Buildspec, Stop> {
    let (path, bytes) = match &build.orders.buildspec {
        BuildspecLocation::Path { path } => {
            let path = PathBuf::from(format!("{}/{path}", build.orders.source_dir));
            (path.clone(), read_file(&path)?)
        }
        BuildspecLocation::Inline { text } => {
            let path = build.layout.inline_buildspec();
            fs::write(&path, text).doing(|| "write the inline buildspec".to_owned())?;
            (path, text.clone().into_bytes())
        }
        BuildspecLocation::S3(from) => {
            build.journal.flush();
            let path = s3::fetch_buildspec(build, from)?;
            (path.clone(), read_file(&path)?)
        }
    };
    build.journal.line_soon(&log::yaml_location(&shown(&path)));
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let text = buildspec::decode(&bytes).map_err(|problem| {
        let text = String::from_utf8_lossy(&bytes);
        tell(build, slice::from_ref(&problem), &name, &text);
        Stop::yaml(problem.aws_message())
    })?;
    let parsed = buildspec::parse(&text);
    if let Some(remark) = unknown_keys_found(&parsed.unknown_keys) {
        build.journal.line(&remark);
    }
    parsed.buildspec.ok_or_else(|| {
        tell(build, &parsed.problems, &name, &text);
        let first = parsed.problems.iter().find(|problem| is_error(problem));
        Stop::yaml(first.map_or("YAML file does not exist".to_owned(), Problem::aws_message))
    })
}

fn is_error(problem: &Problem) -> bool {
    match problem.severity {
        Severity::Error => true,
        Severity::Warning => false,
    }
}

/// Tells the errors of a buildspec in the log of its build.
fn tell(build: &Build, problems: &[Problem], name: &str, text: &str) {
    for problem in problems.iter().filter(|problem| is_error(problem)) {
        let told = problem.render(name, text, Look::Plain);
        build.journal.append(|batch| batch.bare_line(told.trim_end()));
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Stop> {
    let says = |call: &str, error: &io::Error| {
        Stop::yaml(format!("{call} {}: {}", shown(path), plain(error)))
    };
    let found = fs::metadata(path).map_err(|error| says("stat", &error))?;
    if !found.is_file() {
        let error = io::Error::from_raw_os_error(rustix::io::Errno::ISDIR.raw_os_error());
        return Err(says("read", &error));
    }
    let file = fs::File::open(path).map_err(|error| says("open", &error))?;
    let mut bytes = Vec::new();
    // One byte more than a buildspec may have is enough to say that it is too much.
    let read = file.take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| says("read", &error))?;
    Ok(bytes)
}
