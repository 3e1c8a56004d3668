//! Where Debian's packages come from: what the operator says, or where this machine's own come from.

use anyhow::{Context, bail};
use jiff::Timestamp;
use std::{
    fs,
    io::ErrorKind,
    path::Path,
    process::{Command, Stdio},
};

/// Apt's program for single files.
const APT_HELPER: &str = "/usr/lib/apt/apt-helper";
/// Seconds after which a mirror that sends nothing is given up.
const STALLED_SECONDS: u32 = 20;
/// The parts of a release, by how their suites' names end.
const PARTS: [&str; 3] = ["", "-updates", "-security"];
/// Releases that have no such parts.
const WHOLE: [&str; 4] = ["sid", "unstable", "experimental", "rc-buggy"];

/// The lines of apt's `sources.list` for a suite: of these mirrors, or of this machine's own. None
/// where this machine is no Debian: then the program that bootstraps knows where Debian is.
pub(super) fn sources(
    mirrors: &[String],
    suite: &str,
    components: &[String],
) -> anyhow::Result<Vec<String>> {
    let components = components.join(" ");
    let whole = WHOLE.contains(&suite);
    let line = |uri: &str, part: &str| format!("deb {uri} {suite}{part} {components}");
    if mirrors.is_empty() {
        let own = own_mirrors()?;
        let parts = own.iter().filter(|(_, part)| part.is_empty() || !whole);
        return Ok(parts.map(|(uri, part)| line(uri, part)).collect());
    }
    let mut lines = Vec::new();
    for mirror in mirrors {
        if mirror.starts_with("deb ") {
            lines.push(mirror.clone());
        } else if mirror.contains(':') && !mirror.contains(char::is_whitespace) {
            let security = mirror.trim_end_matches('/').ends_with("-security");
            let parts: &[&str] = match security {
                true => &PARTS[2..],
                false if whole => &PARTS[..1],
                false => &PARTS[..2],
            };
            lines.extend(parts.iter().map(|part| line(mirror, part)));
        } else {
            bail!("the mirror {mirror:?} is neither a URL nor a line of sources.list");
        }
    }
    Ok(lines)
}

/// This machine's own mirrors of Debian, each with the part of a release that it has.
fn own_mirrors() -> anyhow::Result<Vec<(String, &'static str)>> {
    let form = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)";
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", form, "Created-By: Packages"]);
    match command.stdin(Stdio::null()).output() {
        Ok(told) => Ok(mirrors_in(&String::from_utf8_lossy(&told.stdout))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).context("failed to ask apt-get for this machine's mirrors"),
    }
}

fn mirrors_in(told: &str) -> Vec<(String, &'static str)> {
    let mut found: Vec<(String, &'static str)> = Vec::new();
    for line in told.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [uri, release, "main", origin] = words[..] else { continue };
        // Before the first `apt-get update` nobody knows whose a mirror is, but for its name.
        let name = uri.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let unknown = origin.starts_with('$') || origin.is_empty();
        if !(origin == "Debian" || (unknown && matches!(name, "debian" | "debian-security"))) {
            continue;
        }
        let part = match release.split_once('-') {
            None => "",
            Some((_, "updates")) => "-updates",
            Some((_, "security")) => "-security",
            // Backports and the like are for those who ask for them.
            Some(_) => continue,
        };
        let entry = (uri.trim_end_matches('/').to_owned(), part);
        if !found.contains(&entry) {
            found.push(entry);
        }
    }
    found
}

/// When the packages of a suite were published: the time of an image made of them. This moment where
/// nobody can say. A mirror that does not have the suite is refused.
pub(super) fn date(sources: &[String], suite: &str) -> anyhow::Result<Timestamp> {
    let now = Timestamp::now();
    let mut latest = None;
    for line in sources {
        let Some((uri, release)) = parse(line) else {
            bail!("{line:?} is no line of sources.list")
        };
        if !Path::new(APT_HELPER).exists() {
            return Ok(now);
        }
        // A folder of packages need not have what a release of Debian has.
        if release.ends_with('/') {
            continue;
        }
        let published = published(uri, release).with_context(|| {
            format!(
                "{uri} has no {release} of Debian: another --mirror may, or {suite} is no --suite"
            )
        })?;
        latest = latest.max(published);
    }
    Ok(latest.unwrap_or(now))
}

/// The URL and the suite of a line.
fn parse(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("deb ")?.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']')?.1,
        None => rest,
    };
    let mut words = rest.split_whitespace();
    Some((words.next()?.trim_end_matches('/'), words.next()?))
}

fn published(uri: &str, release: &str) -> anyhow::Result<Option<Timestamp>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("InRelease");
    let mut command = Command::new(APT_HELPER);
    for option in ["Acquire::Retries=1".to_owned(), timeout("http"), timeout("https")] {
        command.args(["-o", &option]);
    }
    command.arg("download-file").arg(format!("{uri}/dists/{release}/InRelease")).arg(&file);
    let asked = command.stdin(Stdio::null()).env("LC_ALL", "C.UTF-8").output()?;
    if !asked.status.success() {
        let told = String::from_utf8_lossy(&asked.stderr);
        let errors = told.lines().filter_map(|line| line.strip_prefix("E: "));
        bail!("{}", errors.collect::<Vec<_>>().join("; "));
    }
    Ok(date_in(&fs::read_to_string(file)?))
}

fn timeout(scheme: &str) -> String {
    format!("Acquire::{scheme}::Timeout={STALLED_SECONDS}")
}

/// The date of a release, which its file has as mails have it.
fn date_in(release: &str) -> Option<Timestamp> {
    let date = release.lines().find_map(|line| line.strip_prefix("Date: "))?;
    let date = date.trim().replace("UTC", "+0000");
    jiff::fmt::rfc2822::parse(&date).ok().map(|date| date.timestamp())
}

#[cfg(test)]
mod tests {
    use super::{date_in, mirrors_in, parse, sources};

    #[test]
    fn this_machines_mirrors_are_debians_alone() {
        let told = "http://m.example.org/debian/ bookworm main Debian\n\
                    http://m.example.org/debian/ bookworm contrib Debian\n\
                    http://m.example.org/debian/ bookworm-updates main Debian\n\
                    http://m.example.org/debian/ bookworm-backports main Debian Backports\n\
                    http://s.example.org/debian-security/ bookworm-security main $(ORIGIN)\n\
                    https://other.example.org/node nodistro main Other\n";
        let debian = "http://m.example.org/debian".to_owned();
        let security = "http://s.example.org/debian-security".to_owned();
        let expected = [(debian.clone(), ""), (debian, "-updates"), (security, "-security")];
        assert_eq!(mirrors_in(told), expected);
    }

    #[test]
    fn a_mirror_is_a_url_or_a_line() {
        let of = |mirrors: &[&str], suite| {
            let mirrors: Vec<String> = mirrors.iter().map(|mirror| (*mirror).to_owned()).collect();
            sources(&mirrors, suite, &["main".to_owned()])
        };
        let line = "deb [trusted=yes] http://x.example.org/own ./";
        assert_eq!(
            of(&["http://m.example.org/debian", "http://m.example.org/debian-security", line], "a")
                .expect("mirrors"),
            [
                "deb http://m.example.org/debian a main",
                "deb http://m.example.org/debian a-updates main",
                "deb http://m.example.org/debian-security a-security main",
                line,
            ]
        );
        let sid = of(&["http://m.example.org/debian"], "sid").expect("mirrors");
        assert_eq!(sid, ["deb http://m.example.org/debian sid main"]);
        assert!(of(&["--hook"], "sid").is_err());
    }

    #[test]
    fn a_line_has_a_url_and_a_suite() {
        let line = "deb [signed-by=/a] http://m.example.org/debian/ trixie main";
        assert_eq!(parse(line), Some(("http://m.example.org/debian", "trixie")));
        assert_eq!(parse("deb-src http://m.example.org trixie"), None);
        assert_eq!(parse("deb [x http://m.example.org trixie"), None);
    }

    #[test]
    fn a_release_has_a_date() {
        let release = "Origin: Debian\nDate: Sat, 06 Sep 2025 09:13:32 UTC\n";
        let date = date_in(release).expect("a date");
        assert_eq!(date.to_string(), "2025-09-06T09:13:32Z");
        assert_eq!(date_in("Origin: Debian\n"), None);
    }
}
