//! Programs that builds find on their `PATH`. They are this program under other names:
//! `codebuild-hash-files`, `codebuild-glob-search` and `codebuild-tests-run`.

use crate::cache::HashedFile;
use crate::layout::Layout;
use buildspec::FilePatterns;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

/// What a usage error ends a program with.
const USAGE: u8 = 2;

/// Runs the program of this name, if it is one of them.
pub(crate) fn run(name: &str, arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let arguments: Vec<String> =
        arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    let ended = match name {
        "codebuild-hash-files" => hash_files(&arguments),
        "codebuild-glob-search" => glob_search(&arguments),
        "codebuild-tests-run" => tests_run(&arguments),
        _ => return None,
    };
    Some(ended.unwrap_or_else(|Complaint(text, code)| {
        let _ = writeln!(io::stderr(), "{name}: {text}");
        ExitCode::from(code)
    }))
}

/// What a program says before it ends, and with which code it ends.
struct Complaint(String, u8);

impl From<io::Error> for Complaint {
    fn from(error: io::Error) -> Self {
        Self(crate::fault::plain(&error), 1)
    }
}

/// Prints one SHA-256 for all files that the patterns mean, in the order of their paths.
// AWS: how the files are put together is not documented. Here it is the SHA-256 of their SHA-256s.
fn hash_files(patterns: &[String]) -> Result<ExitCode, Complaint> {
    if patterns.is_empty() {
        return Err(Complaint("usage: codebuild-hash-files PATTERN...".to_owned(), USAGE));
    }
    let folder = source_dir()?;
    let files = find(&folder, patterns);
    if files.is_empty() {
        return Err(Complaint(format!("no file matches {}", patterns.join(" ")), 1));
    }
    let mut whole = Sha256::new();
    let mut hashed = Vec::new();
    for path in files {
        let sum = sum(&folder.join(&path))
            .map_err(|error| Complaint(format!("{path}: {}", crate::fault::plain(&error)), 1))?;
        whole.update(sum);
        hashed.push(HashedFile { path, sha256: hex::encode(sum) });
    }
    tell_agent(&hashed);
    writeln!(io::stdout(), "{}", hex::encode(whole.finalize()))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the files that the patterns mean, one a line, by their paths from the source's folder.
fn glob_search(patterns: &[String]) -> Result<ExitCode, Complaint> {
    if patterns.is_empty() {
        return Err(Complaint("usage: codebuild-glob-search PATTERN...".to_owned(), USAGE));
    }
    let mut out = io::stdout().lock();
    for path in find(&source_dir()?, patterns) {
        writeln!(out, "{path}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a test command with the files that a search command prints.
// AWS: the builds of a fan-out each take a share. A build that is none has all of them.
fn tests_run(arguments: &[String]) -> Result<ExitCode, Complaint> {
    let usage = "usage: codebuild-tests-run --test-command COMMAND --files-search COMMAND \
                 [--sharding-strategy equal-distribution|stability]";
    let usage = || Complaint(usage.to_owned(), USAGE);
    let (mut test, mut search) = (None, None);
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or_else(usage)?;
        match option.as_str() {
            "--test-command" => test = Some(value),
            "--files-search" => search = Some(value),
            "--sharding-strategy"
                if matches!(value.as_str(), "equal-distribution" | "stability") => {}
            _ => return Err(usage()),
        }
    }
    let (test, search) = test.zip(search).ok_or_else(usage)?;
    let found = Command::new("sh").args(["-c", search]).stderr(Stdio::inherit()).output()?;
    if !found.status.success() {
        return Err(Complaint(format!("the search failed: {search}"), code(found.status)));
    }
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    let files: Vec<&str> = found.split_whitespace().collect();
    if files.is_empty() {
        return Err(Complaint(format!("the search found no files: {search}"), 1));
    }
    let command = format!("{test} {}", files.join(" "));
    let ended = Command::new("sh")
        .args(["-c", &command])
        .env("CODEBUILD_CURRENT_SHARD_FILES", files.join("\n"))
        .status()?;
    Ok(ExitCode::from(code(ended)))
}

/// The code that a shell would end with.
fn code(ended: ExitStatus) -> u8 {
    let code = ended.code().or_else(|| ended.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

fn source_dir() -> io::Result<PathBuf> {
    match std::env::var_os("CODEBUILD_SRC_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => Ok(folder.into()),
        None => std::env::current_dir(),
    }
}

/// The files that the patterns mean, in the order of their paths.
fn find(folder: &Path, patterns: &[String]) -> Vec<String> {
    let patterns = FilePatterns::new(patterns);
    let mut found = Vec::new();
    walk(folder, "", &patterns, &mut found);
    found.sort_unstable();
    found
}

fn walk(folder: &Path, name: &str, patterns: &FilePatterns, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let own = entry.file_name();
        let own = own.to_string_lossy();
        let below = if name.is_empty() { own.into_owned() } else { format!("{name}/{own}") };
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            if patterns.may_match_in(&below) {
                walk(&entry.path(), &below, patterns, found);
            }
        } else if patterns.matches(&below) && entry.path().is_file() {
            found.push(below);
        }
    }
}

fn sum(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finalize().into()),
            length => digest.update(&buffer[..length]),
        }
    }
}

/// Tells an agent that evaluates a cache's key what the key is made of; any other caller has not
/// made the file for it.
fn tell_agent(hashed: &[HashedFile]) {
    let program = std::env::current_exe().unwrap_or_default();
    let Some(root) = Layout::root_of_program(&program) else { return };
    let Ok(mut told) = OpenOptions::new().append(true).open(Layout::below(root).hashed_files())
    else {
        return;
    };
    for file in hashed {
        let line = serde_json::to_string(file).expect("a file has only text keys");
        let _ = writeln!(told, "{line}");
    }
}
