//! Which version of a repository is meant: the text of a source's version, taken apart.

use agent_protocol::{GitReference, GitVersion};
use wire::codebuild::SourceType;

/// Reads a source's version.
///
/// AWS: a branch, a tag, a commit's id, `pr/7`, a full reference, or a full reference with the
/// commit that it is expected to have, as in `refs/heads/main^{…}`.
pub fn version(text: &str, kind: &SourceType) -> GitVersion {
    let (name, commit) = match text.strip_suffix('}').and_then(|rest| rest.rsplit_once("^{")) {
        Some((name, commit)) if is_commit(commit) => (name, Some(commit)),
        _ => (text, None),
    };
    let reference = match name {
        "" => GitReference::Default,
        name if is_commit(name) && commit.is_none() => return commit_alone(name),
        name if name.starts_with("refs/") => GitReference::Full(name.to_owned()),
        name => match pull_request(name, kind) {
            Some(reference) => GitReference::Full(reference),
            None => GitReference::Named(name.to_owned()),
        },
    };
    GitVersion { reference, commit: commit.map(str::to_ascii_lowercase) }
}

fn commit_alone(commit: &str) -> GitVersion {
    GitVersion { reference: GitReference::Default, commit: Some(commit.to_ascii_lowercase()) }
}

/// Whether it is a commit's whole id, in either of git's two lengths.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Where a provider keeps what a pull request wants to have merged.
fn pull_request(name: &str, kind: &SourceType) -> Option<String> {
    let number = name.strip_prefix("pr/")?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match kind {
        SourceType::Github | SourceType::GithubEnterprise => {
            Some(format!("refs/pull/{number}/head"))
        }
        SourceType::Gitlab | SourceType::GitlabSelfManaged => {
            Some(format!("refs/merge-requests/{number}/head"))
        }
        SourceType::Bitbucket => Some(format!("refs/pull-requests/{number}/from")),
        SourceType::Codecommit
        | SourceType::Codepipeline
        | SourceType::NoSource
        | SourceType::S3
        | SourceType::Unknown(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_taken_apart() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let upper = commit.to_uppercase();
        let full = |name: &str| GitReference::Full(name.to_owned());
        let named = |name: &str| GitReference::Named(name.to_owned());
        for (text, kind, reference, known) in [
            ("", SourceType::Github, GitReference::Default, false),
            ("main", SourceType::Github, named("main"), false),
            (commit, SourceType::Github, GitReference::Default, true),
            (&upper, SourceType::Github, GitReference::Default, true),
            ("0123456", SourceType::Github, named("0123456"), false),
            ("pr/7", SourceType::Github, full("refs/pull/7/head"), false),
            ("pr/7", SourceType::GithubEnterprise, full("refs/pull/7/head"), false),
            ("pr/7", SourceType::Gitlab, full("refs/merge-requests/7/head"), false),
            ("pr/7", SourceType::Bitbucket, full("refs/pull-requests/7/from"), false),
            ("pr/7", SourceType::Codecommit, named("pr/7"), false),
            ("pr/x", SourceType::Github, named("pr/x"), false),
            ("refs/tags/v1", SourceType::Github, full("refs/tags/v1"), false),
            (
                &format!("refs/heads/main^{{{commit}}}"),
                SourceType::Github,
                full("refs/heads/main"),
                true,
            ),
            (&format!("pr/7^{{{commit}}}"), SourceType::Github, full("refs/pull/7/head"), true),
            ("main^{commit}", SourceType::Github, named("main^{commit}"), false),
        ] {
            let read = version(text, &kind);
            assert_eq!(read.reference, reference, "{text}");
            assert_eq!(read.commit.as_deref(), known.then_some(commit), "{text}");
        }
    }
}
