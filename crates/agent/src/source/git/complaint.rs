//! What git says when it fails, as CodeBuild says it. Pure.
//!
//! AWS: CodeBuild clones with a library of its own, whose few errors have other words than git's;
//! for the rest it shows git's.

use crate::credential_helper::REFUSED;

/// Longer complaints are cut.
const CHARACTERS_MAX: usize = 1_000;

/// Why a repository was not cloned, from all that git printed.
pub(super) fn reason(said: &str) -> String {
    let lines: Vec<&str> = said.split(['\n', '\r']).map(str::trim).collect();
    let has = |words: &str| lines.iter().any(|line| line.contains(words));
    if let Some(reason) = lines.iter().find_map(|line| line.strip_prefix(REFUSED)) {
        return format!("Git clone failed: {}", shown(reason));
    }
    for (words, reason) in KNOWN {
        if has(words) {
            return (*reason).to_owned();
        }
    }
    if let Some(line) = lines.iter().find(|line| line.starts_with("ssh: ")) {
        return format!("Git clone failed: {}", shown(line));
    }
    if lines.iter().any(|line| line.ends_with("not found") && line.contains("repository '")) {
        return "repository not found".to_owned();
    }
    // The connection's own error says more than what it then makes fail.
    let first = |prefix: &str| lines.iter().find_map(|line| line.strip_prefix(prefix));
    let chosen = first("fatal: unable to access ")
        .map(|rest| format!("unable to access {rest}"))
        .or_else(|| first("error: RPC failed; ").map(|rest| format!("RPC failed; {rest}")))
        .or_else(|| first("fatal: ").map(str::to_owned))
        .or_else(|| first("error: ").map(str::to_owned))
        .or_else(|| lines.iter().rev().find(|line| !line.is_empty()).map(|line| (*line).to_owned()))
        .unwrap_or_else(|| "git says nothing".to_owned());
    format!("Git clone failed: {}", shown(&chosen))
}

/// Whether a reason is the server's answer, or that there was none: nothing that is kept of a
/// repository changes it.
pub(super) fn is_the_servers(reason: &str) -> bool {
    const ANSWERS: [&str; 6] = [
        "authentication required",
        "authorization failed",
        "repository not found",
        "Git clone failed: unable to access ",
        "Git clone failed: nothing was heard ",
        "Git clone failed: transport ",
    ];
    ANSWERS.iter().any(|answer| reason.starts_with(answer))
}

/// Words of git's, and the reason that they stand for.
const KNOWN: &[(&str, &str)] = &[
    ("terminal prompts disabled", "authentication required"),
    ("Authentication failed for", "authentication required"),
    ("Permission denied (publickey", "authentication required"),
    ("The requested URL returned error: 403", "authorization failed"),
    ("Remote branch", "reference not found"),
    ("couldn't find remote ref", "reference not found"),
    ("does not appear to be a git repository", "repository not found"),
    ("Repository not found.", "repository not found"),
    ("Host key verification failed", "Git clone failed: Host key verification failed"),
];

/// A complaint without passwords in its URLs, in one line of bounded length.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after.find(['/', ' ', '\'', '"']).unwrap_or(after.len());
        rest = after[..end].rfind('@').map_or(after, |at| &after[at + 1..]);
    }
    shown.push_str(rest);
    shown.chars().filter(|letter| !letter.is_control()).take(CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_becomes_what_codebuild_says() {
        for (said, expected) in [
            (
                "Cloning into 'x'...\nfatal: could not read Username for 'http://h': terminal \
                 prompts disabled\n",
                "authentication required",
            ),
            (
                "remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'http://h/r/'",
                "authentication required",
            ),
            (
                "fatal: unable to access 'http://h/r/': The requested URL returned error: 403",
                "authorization failed",
            ),
            ("fatal: repository 'http://h/r/' not found", "repository not found"),
            (
                "warning: Could not find remote branch nope to clone.\nfatal: Remote branch nope not found in upstream origin",
                "reference not found",
            ),
            ("fatal: couldn't find remote ref refs/pull/9/head", "reference not found"),
            (
                "fatal: unable to access 'https://h/r/': SSL certificate problem: self signed certificate",
                "Git clone failed: unable to access 'https://h/r/': SSL certificate problem: self signed certificate",
            ),
            (
                "error: RPC failed; curl 28 Operation too slow\nfatal: expected flush after ref listing",
                "Git clone failed: RPC failed; curl 28 Operation too slow",
            ),
            ("", "Git clone failed: git says nothing"),
        ] {
            assert_eq!(reason(said), expected);
        }
    }

    #[test]
    fn no_password_is_shown() {
        for (text, expected) in [
            ("unable to access 'https://u:p@h/r/': no", "unable to access 'https://h/r/': no"),
            ("https://u:p@@h https://h2/@x", "https://h https://h2/@x"),
            ("a\u{1b}[31mb\tc", "a[31mbc"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
