//! The variables that the first command finds: who may override whom. Pure.

use agent_protocol::{Orders, Variable};

/// Merges the environment's own variables, the buildspec's and the caller's, weakest first, and
/// what the agent itself has to say.
pub(crate) fn merge(orders: &Orders, buildspec: &[(String, String)]) -> Vec<(String, String)> {
    let mut merged = Merged(Vec::new());
    merged.set("HOME", "/root");
    merged.set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    let pair = |variable: &Variable| (variable.name.clone(), variable.value.clone());
    let orders_base = orders.base_variables.iter().map(pair);
    let orders_own = orders.variables.iter().map(pair);
    for (name, value) in orders_base.chain(buildspec.iter().cloned()).chain(orders_own) {
        merged.set(&name, &value);
    }
    merged.set("CODEBUILD_SRC_DIR", &orders.source_dir);
    for source in &orders.secondary_sources {
        merged.set(&secondary_folder_variable(&source.identifier), &source.source_dir);
    }
    merged.0
}

/// The name of the variable with a secondary source's folder; the identifier keeps its case.
pub(crate) fn secondary_folder_variable(identifier: &str) -> String {
    format!("CODEBUILD_SRC_DIR_{identifier}")
}

/// Whether a variable's value may be told to the caller.
pub(crate) fn is_exportable(name: &str) -> bool {
    !name.starts_with("AWS_")
}

struct Merged(Vec<(String, String)>);

impl Merged {
    fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some(known) => value.clone_into(&mut known.1),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent_protocol::{BuildspecLocation, Credentials, ObjectStore, Source};

    fn variables(pairs: &[(&str, &str)]) -> Vec<Variable> {
        let variable = |(name, value): &(&str, &str)| Variable {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        };
        pairs.iter().map(variable).collect()
    }

    #[test]
    fn the_caller_overrides_the_buildspec_which_overrides_the_image() {
        let orders = Orders {
            protocol: agent_protocol::PROTOCOL_VERSION,
            build_arn: String::new(),
            build_uuid: String::new(),
            source: Source::NoSource,
            source_dir: "/src".to_owned(),
            secondary_sources: Vec::new(),
            buildspec: BuildspecLocation::Path { path: String::new() },
            base_variables: variables(&[("A", "image"), ("B", "image"), ("C", "image")]),
            variables: variables(&[("C", "$HOME"), ("CODEBUILD_SRC_DIR", "elsewhere")]),
            artifacts: None,
            secondary_artifacts: Vec::new(),
            object_store: ObjectStore {
                endpoint: String::new(),
                region: String::new(),
                credentials: Credentials {
                    access_key_id: String::new(),
                    secret_access_key: String::new(),
                    session_token: String::new(),
                },
            },
        };
        let buildspec = [("B", "buildspec"), ("C", "buildspec")];
        let merged = merge(&orders, &buildspec.map(|(n, v)| (n.to_owned(), v.to_owned())));
        let value = |name: &str| &merged.iter().find(|(known, _)| known == name).unwrap().1;
        assert_eq!(
            ["A", "B", "C", "CODEBUILD_SRC_DIR"].map(value),
            ["image", "buildspec", "$HOME", "/src"],
        );
    }
}
