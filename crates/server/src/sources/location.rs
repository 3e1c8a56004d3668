//! Where a Git repository is: the text of a source's location, taken apart.

use std::path::{Component, Path, PathBuf};

/// A repository's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// How it is reached.
    pub scheme: Scheme,
    /// The user that the location names.
    pub user: Option<String>,
    /// The host in lower case, with its port when the location has one; empty for a folder.
    pub host: String,
    /// The path without its first slash.
    pub path: String,
    /// Whether the path is relative to the home folder, as ssh's `host:path` has it.
    relative: bool,
}

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `https://`.
    Https,
    /// `http://`.
    Http,
    /// `ssh://`, or `user@host:path`.
    Ssh,
    /// `file://`: a folder of the service's machine.
    File,
}

impl Scheme {
    /// The word before `://`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::File => "file",
        }
    }
}

impl Location {
    /// Reads a location; none when it is not one, or holds a password.
    pub fn parse(text: &str) -> Option<Self> {
        let bad = |letter: char| letter.is_control() || letter.is_whitespace();
        if text.contains(bad) || text.contains(['?', '#', '\\', '\'', '"']) {
            return None;
        }
        let Some((scheme, rest)) = text.split_once("://") else { return Self::parse_scp(text) };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            "ssh" => Scheme::Ssh,
            "file" => Scheme::File,
            _ => return None,
        };
        let (authority, path) = rest.split_once('/')?;
        let (user, host) = authority_parts(authority)?;
        let no_host = scheme == Scheme::File;
        if host.is_empty() != no_host || (no_host && user.is_some()) {
            return None;
        }
        Self { scheme, user, host, path: path.to_owned(), relative: false }.checked()
    }

    /// Reads `user@host:path`.
    fn parse_scp(text: &str) -> Option<Self> {
        let (authority, path) = text.split_once(':')?;
        let (user, host) = authority_parts(authority)?;
        if host.is_empty() || host.contains('/') {
            return None;
        }
        let relative = !path.starts_with('/');
        let path = path.trim_start_matches('/').to_owned();
        Self { scheme: Scheme::Ssh, user: Some(user?), host, path, relative }.checked()
    }

    fn checked(self) -> Option<Self> {
        let path = Path::new(&self.path);
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        (plain && path.components().next().is_some()).then_some(self)
    }

    /// The URL for git: without a user, except where the user is a part of the place.
    pub fn url(&self) -> String {
        let Self { scheme, user, host, path, relative } = self;
        match scheme {
            Scheme::Https | Scheme::Http => format!("{}://{host}/{path}", scheme.as_str()),
            Scheme::File => format!("file:///{path}"),
            Scheme::Ssh => {
                let user = user.as_deref().unwrap_or("git");
                match relative {
                    true => format!("{user}@{host}:{path}"),
                    false => format!("ssh://{user}@{host}/{path}"),
                }
            }
        }
    }

    /// The folder on the machine, of a [`Scheme::File`].
    pub fn folder(&self) -> PathBuf {
        Path::new("/").join(&self.path)
    }

    /// Where in a source's folder the repository is. AWS: `github.com/acme/app`.
    pub fn place(&self) -> String {
        let (host, port) = self.host.rsplit_once(':').unwrap_or((&self.host, ""));
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
        let host = if is_port { host } else { &self.host };
        let host = host.trim_matches(['[', ']']).replace(':', "_");
        let path = self.path.trim_end_matches('/');
        let path = path.strip_suffix(".git").filter(|path| !path.ends_with('/')).unwrap_or(path);
        format!("{host}/{path}").trim_start_matches('/').to_owned()
    }
}

/// The user and the host of an authority; none when there is a password, or either is odd.
fn authority_parts(authority: &str) -> Option<(Option<String>, String)> {
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+%".contains(&byte);
    let good_user = |user: &str| !user.is_empty() && user.bytes().all(plain);
    let good_host = host.bytes().all(|byte| plain(byte) || b"[]:".contains(&byte));
    // What begins with a dash could be taken for an option by some program.
    let odd = host.starts_with('-') || user.is_some_and(|user| user.starts_with('-'));
    let good = !odd && good_host && user.is_none_or(good_user);
    good.then(|| (user.map(str::to_owned), host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::{Location, Scheme};

    #[test]
    fn locations_are_taken_apart() {
        for (text, scheme, url, place) in [
            (
                "https://github.com/acme/app.git",
                Scheme::Https,
                "https://github.com/acme/app.git",
                "github.com/acme/app",
            ),
            (
                "https://ann@bitbucket.org/acme/app",
                Scheme::Https,
                "https://bitbucket.org/acme/app",
                "bitbucket.org/acme/app",
            ),
            (
                "http://Git.Example:8080/a/b/c.git/",
                Scheme::Http,
                "http://git.example:8080/a/b/c.git/",
                "git.example/a/b/c",
            ),
            (
                "https://git-codecommit.us-east-1.amazonaws.com/v1/repos/app",
                Scheme::Https,
                "https://git-codecommit.us-east-1.amazonaws.com/v1/repos/app",
                "git-codecommit.us-east-1.amazonaws.com/v1/repos/app",
            ),
            ("http://[::1]:80/x", Scheme::Http, "http://[::1]:80/x", "__1/x"),
            ("ssh://host/a/b", Scheme::Ssh, "ssh://git@host/a/b", "host/a/b"),
            ("ssh://me@host:22/a", Scheme::Ssh, "ssh://me@host:22/a", "host/a"),
            ("git@host:a/b.git", Scheme::Ssh, "git@host:a/b.git", "host/a/b"),
            ("git@host:/a/b.git", Scheme::Ssh, "ssh://git@host/a/b.git", "host/a/b"),
            ("file:///srv/git/app.git", Scheme::File, "file:///srv/git/app.git", "srv/git/app"),
        ] {
            let location = Location::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(location.scheme, scheme, "{text}");
            assert_eq!(location.url(), url, "{text}");
            assert_eq!(location.place(), place, "{text}");
        }
    }

    #[test]
    fn what_is_no_location_is_refused() {
        for text in [
            "",
            "github.com/acme/app",
            "https://github.com",
            "https://github.com/",
            "https:///acme/app",
            "https://user:secret@github.com/acme/app",
            "https://h/a/../../b",
            "https://h/a b",
            "https://h/a\nb",
            "https://h/a?b",
            "https://-oProxyCommand=x/a",
            "ext::sh -c x",
            "--upload-pack=x",
            "-oProxyCommand=x@h:a",
            "host:a",
            "file://host/a",
            "ftp://h/a",
            "git@host:",
        ] {
            assert_eq!(Location::parse(text), None, "{text:?}");
        }
    }
}
