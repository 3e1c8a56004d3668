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
use buildspec::{Buildspec, Problem, Severity, TEXT_BYTES_MAX};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Reads the build's buildspec. When it cannot be used, the log is told everything that is wrong
/// with it; the log of a build that runs is CodeBuild's, without our warnings.
pub(crate) fn read(build: &Build) -> Result<Buildspec, Stop> {
    let (path, text) = match &build.orders.buildspec {
        BuildspecLocation::Path { path } => {
            let path = PathBuf::from(format!("{}/{path}", build.orders.source_dir));
            (path.clone(), read_file(&path)?)
        }
        BuildspecLocation::Inline { text } => {
            let path = build.layout.inline_buildspec();
            fs::write(&path, text).doing(|| "write the inline buildspec".to_owned())?;
            (path, text.clone())
        }
        BuildspecLocation::S3(from) => {
            let path = s3::fetch_buildspec(build, from)?;
            (path.clone(), read_file(&path)?)
        }
    };
    build.journal.line(&log::yaml_location(&shown(&path)));
    let parsed = buildspec::parse(&text);
    parsed.buildspec.ok_or_else(|| {
        tell(build, &parsed.problems, &path, &text);
        let errors = || parsed.problems.iter().filter(|problem| is_error(problem));
        let first = errors().next();
        Stop::yaml(first.map_or("YAML file does not exist".to_owned(), Problem::aws_message))
    })
}

fn is_error(problem: &Problem) -> bool {
    match problem.severity {
        Severity::Error => true,
        Severity::Warning => false,
    }
}

fn tell(build: &Build, problems: &[Problem], path: &Path, text: &str) {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    for problem in problems {
        let told = problem.render(&name, text);
        build.journal.append(|batch| batch.bare_line(told.trim_end()));
    }
}

fn read_file(path: &Path) -> Result<String, Stop> {
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
    // One byte more than the parser takes is enough for it to say that it is too much.
    let read = file.take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| says("read", &error))?;
    String::from_utf8(bytes)
        .map_err(|_| Stop::yaml(format!("{}: the text is not UTF-8", shown(path))))
}
