//! Sources that are Git repositories, as the service sees them: where they are, which version of
//! them is meant, and what the agent is told.

mod credential;
mod folder;
mod gate;
mod giver;
mod keeper;
mod location;
mod ssh;
mod version;

pub use credential::{Credential, Question};
pub use folder::mount;
pub use gate::GateError;
pub use giver::{Giver, NoCredential, sign};
pub use keeper::{CREDENTIALS, Found, Given, KeepError, Listed, Overwrite, SourceCredentials};
pub use location::{Location, Scheme};
pub use ssh::{Ssh, SshError};
pub use version::version;

use agent_protocol::GitSource;
use wire::codebuild::{ProjectSource, SourceType};

/// Clones of at most this depth are shallow. AWS: a larger depth is all of the history.
const DEPTH_MAX: i32 = 25;

/// Whether sources of this type are Git repositories.
pub fn is_git(kind: &SourceType) -> bool {
    match kind {
        SourceType::Codecommit
        | SourceType::Github
        | SourceType::GithubEnterprise
        | SourceType::Gitlab
        | SourceType::GitlabSelfManaged
        | SourceType::Bitbucket => true,
        SourceType::Codepipeline
        | SourceType::NoSource
        | SourceType::S3
        | SourceType::Unknown(_) => false,
    }
}

/// What the agent is told of a source at `location`. A commit that is known already, as a retry
/// knows it, is taken whatever the version leads to by then.
pub fn order(
    source: &ProjectSource,
    location: &Location,
    asked: &str,
    known_commit: Option<&str>,
) -> GitSource {
    let mut version = version(asked, &source.r#type);
    if let Some(commit) = known_commit {
        version.commit.get_or_insert_with(|| commit.to_owned());
    }
    let depth = source.git_clone_depth.filter(|depth| (1..=DEPTH_MAX).contains(depth));
    let submodules = source.git_submodules_config.as_ref();
    GitSource {
        url: location.url(),
        version,
        asked_version: asked.to_owned(),
        depth: depth.and_then(|depth| u32::try_from(depth).ok()),
        fetch_submodules: submodules.is_some_and(|config| config.fetch_submodules),
        insecure_tls: source.insecure_ssl.unwrap_or_default(),
    }
}
