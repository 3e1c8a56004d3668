//! From an empty folder to the version that was asked for, with as few requests as it takes.

use super::kept::Kept;
use super::program::{Git, Ran};
use crate::fault::Doing;
use crate::outcome::Stop;
use agent_protocol::{GitReference, GitSource};
use std::path::Path;

/// What CodeBuild says when a version is not in the repository.
const NOT_FOUND: &str = "reference not found";

/// Clones, checks the version out, and says which commit that is. What is kept of the repository is
/// not fetched again.
pub(super) fn check_out(
    git: &Git<'_>,
    source: &GitSource,
    kept: Option<&Kept>,
    folder: &Path,
) -> Result<String, Stop> {
    let clone = Clone { git, source, kept, folder };
    let version = &source.version;
    match (&version.reference, &version.commit) {
        (_, Some(commit)) => clone.commit(commit)?,
        (GitReference::Default, None) => clone.whole(&[])?,
        (GitReference::Named(name), None) => clone.named(name)?,
        (GitReference::Full(name), None) => clone.full(name)?,
    }
    let head = git.run(folder, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
    if head.succeeded() {
        Ok(head.printed)
    } else {
        Err(Stop::client("remote repository is empty"))
    }
}

/// A repository on its way.
struct Clone<'a> {
    git: &'a Git<'a>,
    source: &'a GitSource,
    kept: Option<&'a Kept>,
    folder: &'a Path,
}

impl Clone<'_> {
    fn run(&self, arguments: &[&str]) -> Result<Ran, Stop> {
        Ok(self.git.run(self.folder, arguments)?)
    }

    /// `git clone` with more arguments.
    fn whole(&self, more: &[&str]) -> Result<(), Stop> {
        self.clone(more)?.good().map(drop)
    }

    fn clone(&self, more: &[&str]) -> Result<Ran, Stop> {
        let depth = self.depth();
        let own = self.separate();
        let reference = self.kept.and_then(Kept::reference);
        let reference = reference.map(|earlier| format!("--reference={}", earlier.display()));
        let mut arguments = vec!["clone", "--progress"];
        arguments.extend([&depth, &own, &reference].into_iter().filter_map(|it| it.as_deref()));
        arguments.extend(more);
        arguments.extend(["--", &self.source.url, "."]);
        self.run(&arguments)
    }

    // AWS: with a local source cache `.git` is a file that says where the metadata is.
    fn separate(&self) -> Option<String> {
        self.kept.map(|kept| format!("--separate-git-dir={}", kept.own().display()))
    }

    fn depth(&self) -> Option<String> {
        self.source.depth.map(|depth| format!("--depth={depth}"))
    }

    /// A branch, a tag, or the beginning of a commit's id.
    fn named(&self, name: &str) -> Result<(), Stop> {
        if !is_reference_name(name) {
            return Err(Stop::client(NOT_FOUND));
        }
        let cloned = self.clone(&["--branch", name])?;
        if cloned.succeeded() {
            return Ok(());
        }
        let reason = cloned.reason();
        if reason != NOT_FOUND || !is_beginning_of_commit(name) {
            return Err(Stop::client(reason));
        }
        let all = Clone { source: &GitSource { depth: None, ..self.source.clone() }, ..*self };
        all.whole(&["--no-checkout"])?;
        all.detach(name)
    }

    /// A full name, such as `refs/pull/7/head`.
    fn full(&self, name: &str) -> Result<(), Stop> {
        if !is_reference_name(name) {
            return Err(Stop::client(NOT_FOUND));
        }
        if let Some(branch) = name.strip_prefix("refs/heads/") {
            self.whole(&["--branch", branch])?;
            // A tag of that name is taken where there is no such branch.
            let head = self.run(&["symbolic-ref", "--quiet", "HEAD"])?;
            return if head.printed == name { Ok(()) } else { Err(Stop::client(NOT_FOUND)) };
        }
        self.begin()?;
        let kept = kept_as(name);
        self.fetch(&[&format!("+{name}:{kept}")])?.good()?;
        self.detach(&kept)
    }

    /// An exact commit, which may be one that no branch leads to.
    fn commit(&self, commit: &str) -> Result<(), Stop> {
        if self.source.depth.is_some() {
            self.begin()?;
            if self.fetch(&[commit])?.succeeded() {
                return self.detach(commit);
            }
            // AWS: then the whole history is fetched.
        }
        let all = Clone { source: &GitSource { depth: None, ..self.source.clone() }, ..*self };
        all.history()?;
        let there = all.run(&["cat-file", "-e", &format!("{commit}^{{commit}}")])?;
        if !there.succeeded() {
            all.begin()?;
            if !all.fetch(&[commit])?.succeeded() {
                return Err(Stop::client(NOT_FOUND));
            }
        }
        all.detach(commit)
    }

    /// All branches, all tags, and the reference that the commit was named with.
    fn history(&self) -> Result<(), Stop> {
        let named = match &self.source.version.reference {
            GitReference::Full(name) if !name.starts_with("refs/heads/") => {
                if !is_reference_name(name) {
                    return Err(Stop::client(NOT_FOUND));
                }
                Some(format!("+{name}:{}", kept_as(name)))
            }
            GitReference::Full(_) | GitReference::Named(_) | GitReference::Default => None,
        };
        self.begin()?;
        let mut wanted = vec!["--tags", "+refs/heads/*:refs/remotes/origin/*"];
        wanted.extend(named.as_deref());
        self.fetch(&wanted)?.good().map(drop)
    }

    /// Makes a repository that knows where it comes from; does nothing to one that does.
    fn begin(&self) -> Result<(), Stop> {
        if self.folder.join(".git").exists() {
            return Ok(());
        }
        let separate = self.separate();
        let mut arguments = vec!["init", "--quiet"];
        arguments.extend(separate.as_deref());
        self.run(&arguments)?.good()?;
        if let Some(kept) = self.kept {
            kept.lend().doing(|| "use the local source cache".to_owned())?;
        }
        self.run(&["remote", "add", "--", "origin", &self.source.url])?.good().map(drop)
    }

    fn fetch(&self, wanted: &[&str]) -> Result<Ran, Stop> {
        let depth = self.depth();
        let mut arguments = vec!["fetch", "--progress"];
        arguments.extend(depth.as_deref());
        let (options, references): (Vec<&str>, Vec<&str>) =
            wanted.iter().partition(|word| word.starts_with("--"));
        arguments.extend(options);
        arguments.push("origin");
        arguments.extend(references);
        self.run(&arguments)
    }

    fn detach(&self, version: &str) -> Result<(), Stop> {
        let version = format!("{version}^{{commit}}");
        let known = self.run(&["rev-parse", "--verify", "--quiet", &version])?;
        if !known.succeeded() {
            return Err(Stop::client(NOT_FOUND));
        }
        self.run(&["checkout", "--quiet", "--detach", &known.printed])?.good().map(drop)
    }
}

/// Under which name a reference is kept that is no branch.
fn kept_as(name: &str) -> String {
    match name.strip_prefix("refs/") {
        Some(tag) if tag.starts_with("tags/") => name.to_owned(),
        Some(rest) => format!("refs/remotes/origin/{rest}"),
        None => format!("refs/remotes/origin/{name}"),
    }
}

/// Whether git could have a reference of this name; what is no name is no option either.
fn is_reference_name(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    let letter = |letter: char| !letter.is_control() && !" ~^:?*[\\".contains(letter);
    !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && name.chars().all(letter)
        && name.split('/').all(part)
}

fn is_beginning_of_commit(name: &str) -> bool {
    (7..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_git_could_not_have_are_no_names() {
        for name in ["main", "a/b", "v1.0", "refs/heads/x", "ünï"] {
            assert!(is_reference_name(name), "{name}");
        }
        for name in [
            "",
            "-x",
            "--upload-pack=x",
            "a b",
            "a..b",
            "a^",
            "a:b",
            "a//b",
            ".a",
            "a.lock",
            "a@{1}",
            "a\n",
        ] {
            assert!(!is_reference_name(name), "{name}");
        }
    }

    #[test]
    fn a_reference_that_is_no_branch_is_kept_beside_them() {
        for (name, kept) in [
            ("refs/tags/v1", "refs/tags/v1"),
            ("refs/pull/7/head", "refs/remotes/origin/pull/7/head"),
        ] {
            assert_eq!(kept_as(name), kept);
        }
    }
}
