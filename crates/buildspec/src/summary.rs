//! The lines of the log that say what was found.

use crate::decode::UnknownKey;
use crate::model::Buildspec;
use std::collections::BTreeMap;

/// The lines that CodeBuild logs of a buildspec: how many phases, and the commands of each.
///
/// ```text
/// Phases found in YAML: 2
///  PRE_BUILD: 9 commands
///  BUILD: 1 commands
/// ```
pub fn phases_found(buildspec: &Buildspec) -> Vec<String> {
    let count = buildspec.phases.iter().count();
    let mut lines = vec![format!("Phases found in YAML: {count}")];
    lines.extend(buildspec.phases.iter().map(|(name, phase)| {
        // AWS: the blank in front, and no singular.
        format!(" {}: {} commands", name.label(), phase.commands.len())
    }));
    lines
}

/// What CodeBuild logs of the keys that mean nothing, as one text of many lines; none when there
/// is no such key.
///
/// ```text
/// Found possible syntax errors in buildspec:
/// In the section artifacts
///     The following keys cannot be identified:
///         type
/// ```
pub fn unknown_keys_found(unknown: &[UnknownKey]) -> Option<String> {
    let mut sections: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for UnknownKey { section, key } in unknown {
        sections.entry(section).or_default().push(key);
    }
    if sections.is_empty() {
        return None;
    }
    // AWS: the blank at the end of the first line.
    let mut text = "Found possible syntax errors in buildspec: ".to_owned();
    for (section, keys) in sections {
        let indent = if section.is_empty() { "" } else { "    " };
        if !section.is_empty() {
            text.push_str(&format!("\nIn the section {section}"));
        }
        text.push_str(&format!("\n{indent}The following keys cannot be identified:"));
        for key in keys {
            let key: String = key.chars().filter(|char| !char.is_control()).collect();
            text.push_str(&format!("\n{indent}    {key}"));
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::{phases_found, unknown_keys_found};
    use crate::parse;

    #[test]
    fn keys_that_mean_nothing_are_listed_by_section() {
        let text = "version: 0.2\nfoo: 1\nphases:\n  pre_build: {commands: [a], env: {}}\n  \
                    build: {commands: [a], env: {}, x: y}\nartifacts: {files: [a], type: zip}\n";
        let parsed = parse(text);
        let expected = "Found possible syntax errors in buildspec: \n\
                        The following keys cannot be identified:\n    foo\n\
                        In the section BUILD\n    The following keys cannot be identified:\n        \
                        env\n        x\n\
                        In the section PRE_BUILD\n    The following keys cannot be identified:\n        \
                        env\n\
                        In the section artifacts\n    The following keys cannot be identified:\n        \
                        type";
        assert_eq!(unknown_keys_found(&parsed.unknown_keys).as_deref(), Some(expected));
        let plain = parse("version: 0.2\nphases: {build: {commands: [a]}}\n");
        assert_eq!(unknown_keys_found(&plain.unknown_keys), None);
    }

    #[test]
    fn phases_are_counted_in_the_order_they_run() {
        let text = "version: 0.2\nphases:\n  build: {commands: [a]}\n  \
                    install: {runtime-versions: {java: corretto17}}\n";
        let buildspec = parse(text).buildspec.expect("a buildspec");
        let lines = phases_found(&buildspec);
        assert_eq!(
            lines,
            ["Phases found in YAML: 2", " INSTALL: 0 commands", " BUILD: 1 commands"]
        );
    }
}
