//! The lines of the log that say what was found.

use crate::model::Buildspec;

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

#[cfg(test)]
mod tests {
    use super::phases_found;
    use crate::parse;

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
