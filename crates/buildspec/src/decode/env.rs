//! The sections `env` and `proxy`, and users.

use super::reader::Reader;
use crate::lint;
use crate::model::{Env, Proxy, Shell};
use crate::problem::{Problem, Severity, Value};
use crate::secret::SecretReference;
use crate::yaml::{Entry, Node};
use std::rc::Rc;

const ENV_KEYS: &[&str] = &[
    "shell",
    "variables",
    "parameter-store",
    "secrets-manager",
    "exported-variables",
    "git-credential-helper",
];

impl Reader<'_> {
    pub(super) fn env(&mut self, section: &Entry) -> Env {
        let mut env = Env::default();
        for entry in self.section(section, "env") {
            let value = &entry.value;
            match &*entry.key {
                "shell" => env.shell = self.shell(value),
                "variables" => {
                    env.variables = self.variables(value, "env.variables");
                    self.lint_variables(value);
                }
                "parameter-store" => {
                    env.parameter_store = self.variables(value, "env.parameter-store");
                }
                "secrets-manager" => env.secrets_manager = self.secrets(value),
                "exported-variables" => env.exported_variables = self.exported(value),
                "git-credential-helper" => {
                    let flag = self.flag(value, "env.git-credential-helper");
                    env.git_credential_helper = flag.unwrap_or_default();
                }
                _ => self.unknown_key(entry, "env", ENV_KEYS),
            }
        }
        env
    }

    /// The `environment_variables` of version 0.1.
    pub(super) fn plaintext_variables(&mut self, section: &Entry) -> Vec<(String, String)> {
        let path = "environment_variables";
        let mut variables = Vec::new();
        for entry in self.section(section, path) {
            match &*entry.key {
                "plaintext" => {
                    variables = self.variables(&entry.value, "environment_variables.plaintext");
                }
                _ => {
                    self.unknown_key(entry, path, &["plaintext"]);
                }
            }
        }
        variables
    }

    /// Names and texts, such as a build's variables.
    pub(super) fn variables(&mut self, node: &Node, path: &str) -> Vec<(String, String)> {
        let entries = self.mapping(node, path);
        let pairs = entries.iter().filter_map(|entry| {
            let value = self.text(&entry.value, &format!("{path}.{}", entry.key))?;
            self.variable_name(entry).then_some(())?;
            if value.contains('\0') {
                self.problem(Problem::variable_value(entry.value.place, &entry.key));
                return None;
            }
            Some((entry.key.to_string(), value))
        });
        pairs.collect()
    }

    /// Warns of values that are something else than they seem.
    pub(super) fn lint_variables(&mut self, node: &Node) {
        for entry in node.entries().unwrap_or_default() {
            let Some(value) = entry.value.text().filter(|_| self.has_room(Severity::Warning))
            else {
                continue;
            };
            if let Some(reference) = lint::reference(value) {
                let at = value.find(reference).unwrap_or_default();
                let place = self.within(&entry.value, value, at..at + reference.len());
                self.problem(Problem::not_expanded(place, reference));
            }
            if lint::is_secret(&entry.key, value) {
                self.problem(Problem::secret_in_text(entry.key_place, &entry.key));
            }
            // `8.0` and `1.0` say the same as numbers; `1.10` does not.
            let is_short = value.ends_with(".0");
            if entry.value.is_plain() && lint::loses_its_zero(value) && !is_short {
                self.problem(Problem::zero_lost(entry.value.place, value));
            }
        }
    }

    /// Whether a key can be a variable's name.
    pub(super) fn variable_name(&mut self, entry: &Entry) -> bool {
        let (name, place) = (&*entry.key, entry.key_place);
        if name.is_empty() || name.contains(['=', '\0']) {
            self.problem(Problem::variable_name(place, name));
            return false;
        }
        let reachable = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !name.starts_with(|char: char| char.is_ascii_digit());
        if !reachable {
            self.problem(Problem::variable_name_unreachable(place, name));
        } else if name.starts_with("CODEBUILD_") && !name.starts_with("CODEBUILD_CONFIG_") {
            self.problem(Problem::variable_reserved(place, name));
        }
        true
    }

    fn secrets(&mut self, node: &Node) -> Vec<(String, SecretReference)> {
        let entries = self.mapping(node, "env.secrets-manager");
        let pairs = entries.iter().filter_map(|entry| {
            let path = format!("env.secrets-manager.{}", entry.key);
            let text = self.text(&entry.value, &path)?;
            self.variable_name(entry).then_some(())?;
            match SecretReference::parse(&text) {
                Ok(reference) => Some((entry.key.to_string(), reference)),
                Err(error) => {
                    let value = Value { path: &path, text: &text };
                    self.problem(Problem::secret(entry.value.place, value, error));
                    None
                }
            }
        });
        pairs.collect()
    }

    fn exported(&mut self, node: &Rc<Node>) -> Vec<String> {
        let items = self.list(node, "env.exported-variables");
        let names = items.iter().filter_map(|item| {
            let name = self.optional_text(item, "env.exported-variables")?;
            if name.starts_with("AWS_") {
                self.problem(Problem::not_exportable(item.place, &name));
                return None;
            }
            Some(name)
        });
        names.collect()
    }

    fn shell(&mut self, node: &Node) -> Option<Shell> {
        let text = self.optional_text(node, "env.shell")?;
        let shell = Shell::parse(text.trim());
        if let Shell::Other(program) = &shell {
            self.problem(Problem::shell_unknown(node.place, program));
        }
        Some(shell)
    }

    pub(super) fn proxy(&mut self, section: &Entry) -> Proxy {
        let mut proxy = Proxy::default();
        for entry in self.section(section, "proxy") {
            let value = &entry.value;
            match &*entry.key {
                "upload-artifacts" => {
                    let flag = self.flag(value, "proxy.upload-artifacts");
                    proxy.upload_artifacts = flag.unwrap_or_default();
                }
                "logs" => proxy.logs = self.flag(value, "proxy.logs").unwrap_or_default(),
                _ => {
                    let known = &["upload-artifacts", "logs"];
                    self.unknown_key(entry, "proxy", known);
                }
            }
        }
        proxy
    }

    /// The name of a user.
    pub(super) fn user(&mut self, node: &Node, path: &str) -> Option<String> {
        let user = self.optional_text(node, path)?.trim().to_owned();
        let usable = user.chars().all(|char| !char.is_whitespace() && !char.is_control())
            && !user.starts_with('-')
            && !user.contains(':');
        if !usable {
            self.problem(Problem::run_as_unusable(node.place, path, &user));
            return None;
        }
        Some(user)
    }
}
