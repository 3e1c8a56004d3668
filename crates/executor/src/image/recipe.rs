//! What an image of our own is made from, with every name looked up, and how `mmdebstrap` is told.

use super::Reference;
use std::{ffi::OsString, path::PathBuf};

/// The program that makes file systems of Debian's packages.
pub(super) const PROGRAM: &str = "mmdebstrap";
/// Where commands in an image find programs while it is made.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an image is made from: packages of Debian, and what is done when they are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// What the image is called; at least one name.
    pub names: Vec<Reference>,
    /// The release of Debian, such as `trixie`.
    pub suite: String,
    /// Where packages come from, as lines of apt's `sources.list`.
    pub sources: Vec<String>,
    /// The packages beside those that every Debian has.
    pub packages: Vec<String>,
    /// Paths that packages do not bring in, with `*` for any characters.
    pub left_out: Vec<String>,
    /// Those of the paths left out that come in all the same.
    pub kept: Vec<String>,
    /// What its root runs in it by `/bin/sh` when the packages are there.
    pub commands: Vec<String>,
    /// The variables of whatever runs in it.
    pub environment: Vec<(String, String)>,
    /// Files that are laid over the packages, by their absolute paths.
    pub files: Vec<(PathBuf, String)>,
    /// What is said of the image in its configuration.
    pub labels: Vec<(String, String)>,
    /// The latest time that a file in it may have, in seconds since 1970; the image's own time.
    pub date: u64,
    /// The same as OCI writes times.
    pub created: String,
}

impl Recipe {
    /// The arguments with which `mmdebstrap` writes the packages' archive to standard output.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<String> =
            ["--verbose", "--variant=apt", "--format=tar"].map(str::to_owned).to_vec();
        // A layer may not bring devices; each container is given its own.
        arguments.push("--skip=output/dev".to_owned());
        if !self.packages.is_empty() {
            arguments.push(format!("--include={}", self.packages.join(",")));
        }
        for (option, paths) in [("path-exclude", &self.left_out), ("path-include", &self.kept)] {
            arguments.extend(paths.iter().map(|path| format!("--dpkgopt={option}={path}")));
        }
        let hooks = self.commands.iter().map(|command| self.in_image(command));
        // This machine's own, which mmdebstrap has lent it.
        let own = "rm -f \"$1/etc/hostname\" \"$1/etc/resolv.conf\"".to_owned();
        let hooks = hooks.chain([own]).map(|hook| format!("--customize-hook={hook}"));
        arguments.extend(hooks);
        arguments.extend([self.suite.clone(), "-".to_owned()]);
        arguments.extend(self.sources.iter().cloned());
        arguments.into_iter().map(OsString::from).collect()
    }

    /// A command of the host that runs a command in the image, whose folder is `$1`.
    fn in_image(&self, command: &str) -> String {
        // The moment is for programs that write it into files: `useradd` notes the day.
        let date = self.date.to_string();
        let fixed = [("PATH", PATH), ("HOME", "/root"), ("SOURCE_DATE_EPOCH", date.as_str())];
        let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = fixed.iter().chain(&self.environment);
        let variables: Vec<String> =
            variables.map(|(name, value)| quoted(&format!("{name}={value}"))).collect();
        let variables = variables.join(" ");
        format!("chroot \"$1\" env -i {variables} /bin/sh -e -c {}", quoted(command))
    }
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::Recipe;
    use expect_test::expect;

    #[test]
    fn the_arguments_are_what_the_recipe_says() {
        let recipe = Recipe {
            names: vec!["buildyard/tool".parse().expect("a name")],
            suite: "trixie".to_owned(),
            sources: vec!["deb http://mirror.example.org/debian trixie main".to_owned()],
            packages: vec!["bash".to_owned(), "git".to_owned()],
            left_out: vec!["/usr/share/man/*/*".to_owned()],
            kept: vec!["/usr/share/man/man1/git*".to_owned()],
            commands: vec!["echo 'it'\"s\"".to_owned()],
            environment: vec![("A".to_owned(), "one two".to_owned())],
            files: Vec::new(),
            labels: Vec::new(),
            date: 1_700_000_000,
            created: String::new(),
        };
        let arguments = recipe.arguments();
        let lines: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
        expect![[r#"
            --verbose
            --variant=apt
            --format=tar
            --skip=output/dev
            --include=bash,git
            --dpkgopt=path-exclude=/usr/share/man/*/*
            --dpkgopt=path-include=/usr/share/man/man1/git*
            --customize-hook=chroot "$1" env -i 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' 'HOME=/root' 'SOURCE_DATE_EPOCH=1700000000' 'A=one two' /bin/sh -e -c 'echo '\''it'\''"s"'
            --customize-hook=rm -f "$1/etc/hostname" "$1/etc/resolv.conf"
            trixie
            -
            deb http://mirror.example.org/debian trixie main"#]]
        .assert_eq(&lines.join("\n"));
    }
}
