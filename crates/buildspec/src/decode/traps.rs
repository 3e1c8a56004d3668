//! What the commands of the phases do that their author probably did not mean.

use super::reader::Reader;
use crate::lint::{self, Script};
use crate::model::{Buildspec, OnFailure, Phase, Shell};
use crate::problem::{Problem, Severity};
use crate::yaml::{Entry, Node, NodeValue};
use std::collections::HashSet;
use std::ops::Range;

/// A command where it stands.
struct Written<'n> {
    node: &'n Node,
    text: &'n str,
    /// The phase's key.
    phase: &'n str,
    list: List,
}

/// Which of a phase's lists a command is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Commands,
    Finally,
}

impl Reader<'_> {
    /// Warns of traps. `section` is `phases`, `env` the section of that name.
    pub(super) fn traps(&mut self, section: &Entry, env: Option<&Entry>, buildspec: &Buildspec) {
        let commands = written(section);
        if let Some(env) = env {
            self.lint_exports(env, buildspec, &commands);
        }
        let shell = buildspec.env.shell.as_ref();
        let is_windows = match shell {
            Some(Shell::PowerShell | Shell::Cmd) => true,
            Some(Shell::Sh | Shell::Bash | Shell::Other(_)) => false,
            None => commands.iter().any(|command| lint::is_powershell(command.text)),
        };
        if is_windows {
            return;
        }
        let mut deployment = !ends_at_failure(buildspec);
        for command in &commands {
            if !self.has_room(Severity::Warning) {
                return;
            }
            let script = Script::new(command.text);
            self.lint_script(command, &script, buildspec);
            if command.phase == "post_build" && command.list == List::Commands && deployment {
                deployment = self.lint_deployment(command, &script);
            }
        }
    }

    fn lint_script(&mut self, command: &Written<'_>, script: &Script<'_>, buildspec: &Buildspec) {
        let shell = buildspec.env.shell.as_ref();
        if matches!(shell, None | Some(Shell::Sh))
            && let Some(bytes) = lint::bashism(script)
        {
            let word = command.text[bytes.clone()].to_owned();
            self.trap(command, bytes, |place| Problem::bash_in_sh(place, &word));
        }
        if let Some(bytes) = lint::hidden_status(script) {
            let hidden = command.text[bytes.clone()].to_owned();
            self.trap(command, bytes, |place| Problem::hidden_status(place, &hidden));
        }
        if let Some(bytes) = lint::hidden_behind_pipe(script) {
            let hidden = command.text[bytes.clone()].to_owned();
            self.trap(command, bytes, |place| Problem::hidden_behind_pipe(place, &hidden));
        }
        if let Some(lost) = lint::lost(script, buildspec.version) {
            self.problem(Problem::does_not_carry_over(command.node.place, lost));
        }
        if let Some(bytes) = lint::ecr_get_login(script) {
            self.trap(command, bytes, Problem::ecr_get_login);
        }
    }

    /// Warns of the first thing in `post_build` that would deploy what a failed `build` left.
    /// Whether the next command is to be looked at.
    fn lint_deployment(&mut self, command: &Written<'_>, script: &Script<'_>) -> bool {
        if lint::asks_for_success(command.text) {
            return false;
        }
        let Some((deploy, bytes)) = lint::deploys(script) else { return true };
        self.trap(command, bytes, |place| Problem::deploys_after_failure(place, deploy));
        false
    }

    fn trap(
        &mut self,
        command: &Written<'_>,
        bytes: Range<usize>,
        problem: impl FnOnce(crate::yaml::Place) -> Problem,
    ) {
        let place = self.within(command.node, command.text, bytes);
        self.problem(problem(place));
    }

    /// Warns of exported variables that nothing in the buildspec sets.
    fn lint_exports(&mut self, env: &Entry, buildspec: &Buildspec, commands: &[Written<'_>]) {
        let entries = env.value.entries().unwrap_or_default();
        let exported = entries.iter().find(|entry| &*entry.key == "exported-variables");
        let Some(exported) = exported.filter(|_| !commands.is_empty()) else { return };
        let env = &buildspec.env;
        let mut set: HashSet<&str> = HashSet::new();
        set.extend(env.variables.iter().map(|(name, _)| name.as_str()));
        set.extend(env.parameter_store.iter().map(|(name, _)| name.as_str()));
        set.extend(env.secrets_manager.iter().map(|(name, _)| name.as_str()));
        for command in commands {
            if !lint::names_set(command.text, &mut set) {
                return;
            }
        }
        let NodeValue::List(items) = &exported.value.value else { return };
        for item in items {
            let Some(name) = item.text() else { continue };
            let is_ours = name.starts_with("AWS_") || name.starts_with("CODEBUILD_");
            if !is_ours && !name.is_empty() && !set.contains(name) {
                self.problem(Problem::never_set(item.place, name));
            }
        }
    }
}

/// Whether a failed `build` phase, or there being none, keeps `post_build` from running.
fn ends_at_failure(buildspec: &Buildspec) -> bool {
    // The last retry of a build goes on to `post_build` as without one.
    let stops = |phase: &Phase| phase.on_failure == Some(OnFailure::Abort);
    buildspec.phases.build.as_ref().is_none_or(stops)
}

/// Every command of every phase, in the order of the text.
fn written(section: &Entry) -> Vec<Written<'_>> {
    let phases = section.value.entries().unwrap_or_default();
    let mut found = Vec::new();
    for phase in phases {
        for entry in phase.value.entries().unwrap_or_default() {
            let list = match &*entry.key {
                "commands" => List::Commands,
                "finally" => List::Finally,
                _ => continue,
            };
            let nodes = match &entry.value.value {
                NodeValue::List(items) => items.as_slice(),
                NodeValue::Null | NodeValue::Text { .. } | NodeValue::Mapping(_) => {
                    std::slice::from_ref(&entry.value)
                }
            };
            found.extend(nodes.iter().filter_map(|node| {
                Some(Written { node, text: node.text()?, phase: &phase.key, list })
            }));
        }
    }
    found
}
