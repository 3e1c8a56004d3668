//! What a recipe says of `runtime-versions`: the file that its image carries, and the commands that
//! see, while it is made, whether that is true.

use serde::Deserialize;
use std::{collections::BTreeMap, fmt::Write};

/// A runtime, such as Java.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuntimeOfRecipe {
    /// A command that prints the version in use.
    check: String,
    /// Its versions, by the names that buildspecs have for them.
    pub(super) versions: BTreeMap<String, VersionOfRecipe>,
}

/// A version of a runtime.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VersionOfRecipe {
    /// Other names for it.
    #[serde(default)]
    also: Vec<String>,
    /// What makes it the one in use.
    commands: Vec<String>,
}

type RuntimesOfRecipe = BTreeMap<String, RuntimeOfRecipe>;

/// The image's `runtimes.yml`. AWS: its images carry the same form.
pub(super) fn file(runtimes: &RuntimesOfRecipe) -> String {
    let mut text = "version: 0.1\nruntimes:\n".to_owned();
    for (runtime, RuntimeOfRecipe { versions, .. }) in runtimes {
        put(&mut text, 1, &format!("{}:", quoted(runtime)));
        put(&mut text, 2, "versions:");
        for (name, version) in versions {
            for name in [name].into_iter().chain(&version.also) {
                put(&mut text, 3, &format!("{}:", quoted(name)));
                put(&mut text, 4, "commands:");
                for command in &version.commands {
                    put(&mut text, 5, &format!("- {}", quoted(command)));
                }
            }
        }
    }
    text
}

fn put(text: &mut String, depth: usize, line: &str) {
    let indent = depth * 2;
    writeln!(text, "{:indent$}{line}", "").expect("a string takes all");
}

/// A text as YAML has it between double quotes, which is as JSON has it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Commands for the image, one for each version, that fail when it is not the one in use after its
/// own commands.
pub(super) fn checks(runtimes: &RuntimesOfRecipe) -> Vec<String> {
    let mut checks = Vec::new();
    for (runtime, RuntimeOfRecipe { check, versions }) in runtimes {
        for (name, version) in versions {
            let number = name.trim_start_matches(|letter: char| !letter.is_ascii_digit());
            let pattern = format!("(^|[^0-9.]){}([^0-9]|$)", number.replace('.', "\\."));
            let commands = version.commands.join("\n");
            checks.push(format!(
                "{commands}\n\
                 told=$({check} 2>&1)\n\
                 printf '%s\\n' \"$told\" | grep -Eq '{pattern}' && exit\n\
                 echo \"E: the recipe has {runtime} {name}, and there is: $told\" >&2\n\
                 exit 1"
            ));
        }
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::{RuntimesOfRecipe, checks, file};
    use buildspec::Runtimes;
    use expect_test::expect;
    use std::process::Command;

    fn runtimes(check: &str) -> RuntimesOfRecipe {
        let text = format!(
            "[tool]\ncheck = '{check}'\n[tool.versions.open2]\nalso = [\"2\"]\n\
             commands = ['echo \"it: a\"', 'export A=\"b\"']\n"
        );
        toml::from_str(&text).expect("runtimes")
    }

    #[test]
    fn the_file_is_what_the_agent_reads() {
        let text = file(&runtimes("true"));
        expect![[r#"
            version: 0.1
            runtimes:
              "tool":
                versions:
                  "open2":
                    commands:
                      - "echo \"it: a\""
                      - "export A=\"b\""
                  "2":
                    commands:
                      - "echo \"it: a\""
                      - "export A=\"b\""
        "#]]
        .assert_eq(&text);
        let read = Runtimes::parse(&text).expect("the agent's parser understands it");
        let selected = read.select(&[("tool".to_owned(), "2".to_owned())]);
        let commands = &selected.result.expect("it is there")[0].commands;
        assert_eq!(*commands, ["echo \"it: a\"", "export A=\"b\""]);
    }

    #[test]
    fn a_version_that_is_not_there_is_noticed() {
        for (prints, is_there) in
            [("tool 2.1", true), ("v2", true), ("tool 12.0", false), ("tool 1.2", false)]
        {
            let commands = checks(&runtimes(&format!("echo {prints}")));
            let ran = Command::new("sh").args(["-e", "-c", &commands[0]]).output().expect("sh");
            assert_eq!(ran.status.success(), is_there, "{prints}");
            let told = String::from_utf8_lossy(&ran.stderr);
            assert_eq!(told.contains("the recipe has tool open2, and there is: "), !is_there);
        }
    }
}
