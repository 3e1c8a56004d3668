//! What the buildspec's `env.git-credential-helper: yes` asks for: `git` in the commands may use the
//! credentials of the build's sources, for the hosts that these are on.
//!
//! The commands get a helper, not a credential; but whoever can run it can read what it prints. That
//! is what was asked for.

use crate::credential_helper::VERB;
use crate::fault::{Doing, Fault};
use crate::run::Build;
use agent_protocol::{Fact, Source};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Puts the helper where the commands find it. Must be told before DOWNLOAD_SOURCE ends.
pub(crate) fn offer(build: &Build) -> Result<(), Fault> {
    let program = build.layout.git_credential_helper();
    fs::copy("/proc/self/exe", &program)
        .and_then(|_| fs::set_permissions(&program, Permissions::from_mode(0o755)))
        .doing(|| "offer a credential helper".to_owned())?;
    let mut text = String::new();
    for host in hosts(build) {
        let url = &build.orders.git.credentials_url;
        let _ = writeln!(
            text,
            "[credential \"{host}\"]\n\thelper = \"{} {VERB} {url} '*'\"\n\tuseHttpPath = true",
            program.display()
        );
    }
    configure(build, &text).doing(|| "tell git of its credential helper".to_owned())?;
    build.journal.append(|batch| batch.fact(&Fact::GitCredentialHelper));
    Ok(())
}

/// Lets git work in folders that belong to another user than the one who runs it: all of them are
/// this build's.
pub(crate) fn trust(build: &Build) -> Result<(), Fault> {
    configure(build, "[safe]\n\tdirectory = *\n").doing(|| "tell git whom to trust".to_owned())
}

/// Adds to the configuration that git reads for everybody, and to root's own: a git that is not the
/// distribution's looks for the first elsewhere.
fn configure(build: &Build, text: &str) -> io::Result<()> {
    for path in build.layout.git_configurations() {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
        file.write_all(format!("\n{text}").as_bytes())?;
    }
    Ok(())
}

/// The hosts of the build's sources, each once, as `https://host`.
fn hosts(build: &Build) -> Vec<String> {
    let secondary = build.orders.secondary_sources.iter().map(|secondary| &secondary.source);
    let mut hosts = Vec::new();
    for source in std::iter::once(&build.orders.source).chain(secondary) {
        let Source::Git(source) = source else { continue };
        let Some((scheme, rest)) = source.url.split_once("://") else { continue };
        let host = rest.split('/').next().unwrap_or_default();
        let host = format!("{scheme}://{host}");
        if matches!(scheme, "https" | "http") && !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}
