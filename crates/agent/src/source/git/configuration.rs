//! What git is told before it meets a server or a repository that may be an enemy's. Pure.
//!
//! It is git's only configuration: the image's and the user's are not read, as both may name
//! programs to run, which would then run beside a credential.

use std::fmt::Write;

/// What is different from source to source.
pub(super) struct Choices<'a> {
    /// The helper's command, for credentials.
    pub(super) helper: &'a str,
    /// Protocols that may be used, also by submodules.
    pub(super) protocols: &'a [&'a str],
    /// Seconds after which a server that sends nothing is given up.
    pub(super) stalled_seconds_max: u32,
    /// Whether servers' certificates are taken as they come.
    pub(super) insecure_tls: bool,
    /// Whether what is fetched is kept for later builds.
    pub(super) is_kept: bool,
    /// The file of certificate authorities, when it is not the image's.
    pub(super) authorities: Option<&'a str>,
}

/// The text of git's configuration file.
pub(super) fn text(choices: &Choices<'_>) -> String {
    let mut text = String::new();
    let mut section = |name: &str, values: &[(&str, &str)]| {
        let _ = writeln!(text, "[{name}]");
        for (key, value) in values {
            let value = value.replace('\\', r"\\").replace('"', "\\\"");
            let _ = writeln!(text, "\t{key} = \"{value}\"");
        }
    };
    section(
        "core",
        &[
            ("hooksPath", "/dev/null"),
            ("fsmonitor", "false"),
            ("askPass", ""),
            // The environment does not outlive the machine, and a cache may.
            ("fsync", if choices.is_kept { "pack,pack-metadata" } else { "none" }),
        ],
    );
    section("init", &[("templateDir", ""), ("defaultBranch", "main")]);
    // An owner of another number is what a folder of the machine has in the environment.
    section("safe", &[("directory", "*")]);
    // The empty one forgets all helpers that were named before.
    section("credential", &[("helper", ""), ("helper", choices.helper)]);
    section("protocol", &[("allow", "never")]);
    for protocol in choices.protocols {
        section(&format!("protocol \"{protocol}\""), &[("allow", "always")]);
    }
    let stalled = choices.stalled_seconds_max.to_string();
    let verify = if choices.insecure_tls { "false" } else { "true" };
    section("http", &[("lowSpeedLimit", "1"), ("lowSpeedTime", &stalled), ("sslVerify", verify)]);
    if let Some(file) = choices.authorities {
        section("http", &[("sslCAInfo", file)]);
    }
    if choices.is_kept {
        // Only packs are kept.
        section("transfer", &[("unpackLimit", "1")]);
    }
    section("gc", &[("auto", "0")]);
    section("maintenance", &[("auto", "false")]);
    section("submodule", &[("recurse", "false")]);
    section("fetch", &[("recurseSubmodules", "false")]);
    section("advice", &[("detachedHead", "false")]);
    section("lfs", &[("activitytimeout", &stalled), ("dialtimeout", &stalled)]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted() {
        let choices = Choices {
            helper: r#"/a "b" \c"#,
            protocols: &["https"],
            stalled_seconds_max: 7,
            insecure_tls: false,
            is_kept: true,
            authorities: Some("/ca.pem"),
        };
        let text = text(&choices);
        for line in [
            r#"	helper = "/a \"b\" \\c""#,
            "[protocol \"https\"]\n\tallow = \"always\"",
            "\tlowSpeedTime = \"7\"",
            "\tsslCAInfo = \"/ca.pem\"",
            "[transfer]\n\tunpackLimit = \"1\"",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
