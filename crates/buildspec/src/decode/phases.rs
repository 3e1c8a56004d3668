//! The section `phases`.

use super::reader::Reader;
use crate::lint;
use crate::model::{OnFailure, Phase, PhaseName, Phases};
use crate::problem::{CommandItem, PHASE_KEYS, Problem, Value};
use crate::yaml::{Entry, Node, NodeValue};
use std::rc::Rc;

impl Reader<'_> {
    pub(super) fn phases(&mut self, section: &Entry) -> Phases {
        let mut phases = Phases::default();
        let entries = self.mapping(&section.value, "phases");
        if section.value.is_null() || section.value.entries().is_some_and(<[Entry]>::is_empty) {
            self.problem(Problem::no_phase(section.key_place));
        }
        for entry in entries {
            let Some(name) = self.phase_name(entry) else { continue };
            let phase = Some(self.phase(name, entry));
            match name {
                PhaseName::Install => phases.install = phase,
                PhaseName::PreBuild => phases.pre_build = phase,
                PhaseName::Build => phases.build = phase,
                PhaseName::PostBuild => phases.post_build = phase,
            }
        }
        phases
    }

    fn phase_name(&mut self, entry: &Entry) -> Option<PhaseName> {
        let written = &*entry.key;
        let found =
            PhaseName::ALL.into_iter().find(|name| name.key().eq_ignore_ascii_case(written));
        match found {
            Some(name) if name.key() != written => {
                self.problem(Problem::phase_case(entry.key_place, written, name));
            }
            Some(_) => {}
            None => self.problem(Problem::unknown_phase(entry.key_place, written)),
        }
        found
    }

    fn phase(&mut self, name: PhaseName, entry: &Entry) -> Phase {
        let path = format!("phases.{}", name.key());
        let mut phase = Phase::default();
        for inner in self.mapping(&entry.value, &path) {
            let value = &inner.value;
            match &*inner.key {
                "commands" => phase.commands = self.commands(value, &format!("{path}.commands")),
                "finally" => phase.finally = self.commands(value, &format!("{path}.finally")),
                "on-failure" => {
                    phase.on_failure = self.on_failure(value, &format!("{path}.on-failure"));
                }
                "run-as" => phase.run_as = self.user(value, &format!("{path}.run-as")),
                "runtime-versions" if name == PhaseName::Install => {
                    phase.runtime_versions = self.runtime_versions(value);
                }
                "runtime-versions" => {
                    self.note_unknown(inner, &path);
                    self.problem(Problem::runtimes_outside_install(inner.key_place, name));
                }
                _ => {
                    let install = name == PhaseName::Install;
                    let known = &PHASE_KEYS[..PHASE_KEYS.len() - usize::from(!install)];
                    self.unknown_key(inner, &path, known);
                }
            }
        }
        self.check_phase(name, entry, &phase);
        phase
    }

    fn check_phase(&mut self, name: PhaseName, entry: &Entry, phase: &Phase) {
        let value = &entry.value;
        // Commands that are there and wrong have been told about.
        let written = |key: &str| {
            let inner = value.entries().unwrap_or_default().iter().find(|inner| &*inner.key == key);
            inner.is_some_and(|inner| match &inner.value.value {
                NodeValue::Null => false,
                NodeValue::List(items) => !items.is_empty(),
                NodeValue::Text { .. } | NodeValue::Mapping(_) => true,
            })
        };
        let is_mapping = value.is_null() || value.entries().is_some();
        let has_commands = written("commands") || written("finally");
        if is_mapping && !has_commands && phase.runtime_versions.is_empty() {
            self.problem(Problem::no_commands(entry.key_place, name));
        }
    }

    fn commands(&mut self, node: &Rc<Node>, path: &str) -> Vec<String> {
        let items = self.list(node, path);
        let commands = items.iter().enumerate();
        commands.filter_map(|(index, item)| self.command(item, path, index)).collect()
    }

    fn command(&mut self, node: &Node, path: &str, index: usize) -> Option<String> {
        let item = CommandItem { path, index, line: node.place.line };
        match &node.value {
            NodeValue::Text { text, .. } if text.contains('\0') => {
                self.problem(Problem::command_with_nul(node.place, path, index));
                None
            }
            NodeValue::Text { text, .. } => Some(text.clone()),
            NodeValue::Null => {
                self.problem(Problem::command_is_empty(node.place, path, index));
                None
            }
            NodeValue::Mapping(entries) => {
                // A mapping without braces begins where its first key does.
                let first = entries.first().map(|first| first.key_place);
                let one_line = |entry: &Entry| entry.value.place.line == node.place.line;
                let is_one_line = entries.iter().all(one_line);
                let line = if is_one_line { self.entry_line(node.place) } else { "" };
                self.problem(match first.filter(|first| first.begins_with(node.place)) {
                    Some(key) => Problem::command_is_mapping(key.just_behind(), item, line),
                    None => Problem::command_in_braces(node.place, item, line),
                });
                None
            }
            NodeValue::List(_) => {
                self.problem(Problem::command_is_list(node.place, item));
                None
            }
        }
    }

    fn on_failure(&mut self, node: &Node, path: &str) -> Option<OnFailure> {
        let text = self.optional_text(node, path)?;
        match OnFailure::parse(&text) {
            Ok(on_failure) => Some(on_failure),
            Err(error) => {
                let value = Value { path, text: &text };
                self.problem(Problem::on_failure(node.place, value, &error));
                None
            }
        }
    }

    fn runtime_versions(&mut self, node: &Node) -> Vec<(String, String)> {
        let path = "phases.install.runtime-versions";
        let entries = self.mapping(node, path);
        let pairs = entries.iter().filter_map(|entry| {
            let path = format!("{path}.{}", entry.key);
            let version = self.optional_text(&entry.value, &path)?;
            let version = version.trim();
            if &*entry.key == "docker" {
                self.problem(Problem::docker_runtime(entry.key_place));
            }
            if entry.value.is_plain() && lint::loses_its_zero(version) {
                self.problem(Problem::zero_lost(entry.value.place, version));
            }
            Some((entry.key.to_string(), version.to_owned()))
        });
        pairs.collect()
    }
}
