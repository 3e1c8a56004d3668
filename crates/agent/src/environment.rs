//! The variables that the first command finds: who may override whom. Pure.

use agent_protocol::{Orders, Variable};

/// Where programs are looked for, if the image does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Merges the environment's own variables, the buildspec's and the caller's, weakest first, and
/// what the agent itself has to say.
pub(crate) fn merge(orders: &Orders, buildspec: &[(String, String)]) -> Vec<(String, String)> {
    let pairs = |variables: &[Variable]| {
        variables.iter().map(|v| (v.name.clone(), v.value.clone())).collect::<Vec<_>>()
    };
    let defaults =
        vec![("HOME".to_owned(), "/root".to_owned()), ("PATH".to_owned(), PATH.to_owned())];
    let folders = orders.secondary_sources.iter().map(|secondary| {
        (secondary_folder_variable(&secondary.identifier), secondary.source_dir.clone())
    });
    let own = [("CODEBUILD_SRC_DIR".to_owned(), orders.source_dir.clone())];
    let base = pairs(&orders.base_variables);
    let reserved = base.iter().filter(|(name, _)| is_reserved(name)).cloned();
    let settled = reserved.chain(own).chain(folders).collect();
    buildspec::merge_variables([
        defaults,
        base.clone(),
        buildspec.to_vec(),
        pairs(&orders.variables),
        settled,
    ])
}

/// Whether a variable that the service sets has that value whatever others say.
// AWS: names that begin so are reserved, but for the switches that people set.
fn is_reserved(name: &str) -> bool {
    name.starts_with("CODEBUILD_") && !name.starts_with("CODEBUILD_CONFIG_")
}

/// The name of the variable with a secondary source's folder; the identifier keeps its case.
pub(crate) fn secondary_folder_variable(identifier: &str) -> String {
    format!("CODEBUILD_SRC_DIR_{identifier}")
}

/// Whether a variable's value may be told to the caller.
pub(crate) fn is_exportable(name: &str) -> bool {
    !name.starts_with("AWS_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent_protocol::{
        BuildspecLocation, Credentials, GitSettings, ObjectStore, RuntimesOrder, Source,
    };

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
            git: GitSettings::default(),
            buildspec: BuildspecLocation::Path { path: String::new() },
            base_variables: variables(&[
                ("A", "image"),
                ("B", "image"),
                ("C", "image"),
                ("CODEBUILD_BUILD_ID", "demo:1"),
                ("CODEBUILD_CONFIG_AUTO_DISCOVER", "image"),
                ("AWS_REGION", "here"),
            ]),
            variables: variables(&[
                ("C", "$HOME"),
                ("CODEBUILD_SRC_DIR", "elsewhere"),
                ("CODEBUILD_BUILD_ID", "demo:2"),
                ("CODEBUILD_CONFIG_AUTO_DISCOVER", "false"),
                ("CODEBUILD_MINE", "mine"),
                ("AWS_REGION", "there"),
            ]),
            runtimes: RuntimesOrder::Image,
            compute: None,
            artifacts: None,
            secondary_artifacts: Vec::new(),
            cache: agent_protocol::CacheOrder::NoCache,
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
        for (name, expected) in [
            ("A", "image"),
            ("B", "buildspec"),
            ("C", "$HOME"),
            ("CODEBUILD_SRC_DIR", "/src"),
            ("CODEBUILD_BUILD_ID", "demo:1"),
            ("CODEBUILD_CONFIG_AUTO_DISCOVER", "false"),
            ("CODEBUILD_MINE", "mine"),
            ("AWS_REGION", "there"),
        ] {
            assert_eq!(value(name), expected, "{name}");
        }
    }
}
