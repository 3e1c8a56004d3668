//! The variables that the first command finds: who may override whom. Pure.

use crate::secrets::Held;
use agent_protocol::{Orders, Variable};

/// Where programs are looked for, if the image does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The commit that was built, or the like.
const RESOLVED_VERSION: &str = "CODEBUILD_RESOLVED_SOURCE_VERSION";

/// Merges the environment's own variables, the buildspec's and the caller's, weakest first, and
/// what the agent itself has to say. `held` are the values that services keep, `resolved` is the
/// version of the source where that has one.
pub(crate) fn merge(
    orders: &Orders,
    buildspec: &[(String, String)],
    held: &Held,
    resolved: Option<&str>,
) -> Vec<(String, String)> {
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
    let resolved = resolved.map(|version| (RESOLVED_VERSION.to_owned(), version.to_owned()));
    let settled = reserved.chain(own).chain(folders).chain(resolved).collect();
    buildspec::merge_variables([
        defaults,
        base.clone(),
        buildspec.to_vec(),
        held.buildspec.clone(),
        pairs(&orders.variables),
        held.caller.clone(),
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
// AWS: a variable that the project takes from a service is not exported.
pub(crate) fn is_exportable(orders: &Orders, name: &str) -> bool {
    !name.starts_with("AWS_") && orders.references.iter().all(|reference| reference.name != name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent_protocol::{
        BuildspecLocation, Course, Credentials, GitSettings, Keeper, ObjectStore, Reference,
        RuntimesOrder, Source,
    };

    fn variables(pairs: &[(&str, &str)]) -> Vec<Variable> {
        let variable = |(name, value): &(&str, &str)| Variable {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        };
        pairs.iter().map(variable).collect()
    }

    fn orders() -> Orders {
        Orders {
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
            references: vec![Reference {
                name: "E".to_owned(),
                keeper: Keeper::ParameterStore,
                value: "e".to_owned(),
            }],
            runtimes: RuntimesOrder::Image,
            course: Course::default(),
            compute: None,
            auto_retry_number: 0,
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
        }
    }

    #[test]
    fn the_caller_overrides_the_buildspec_which_overrides_the_image() {
        let orders = orders();
        let pair = |(n, v): (&str, &str)| (n.to_owned(), v.to_owned());
        let buildspec = [("B", "buildspec"), ("C", "buildspec"), ("D", "plain")].map(pair);
        let held = Held {
            buildspec: vec![pair(("D", "secret")), pair(("E", "secret"))],
            caller: vec![pair(("E", "parameter"))],
        };
        let merged = merge(&orders, &buildspec, &held, Some("5f2b9c1"));
        let value = |name: &str| &merged.iter().find(|(known, _)| known == name).unwrap().1;
        for (name, expected) in [
            ("A", "image"),
            ("B", "buildspec"),
            ("C", "$HOME"),
            ("D", "secret"),
            ("E", "parameter"),
            ("CODEBUILD_SRC_DIR", "/src"),
            ("CODEBUILD_BUILD_ID", "demo:1"),
            ("CODEBUILD_CONFIG_AUTO_DISCOVER", "false"),
            ("CODEBUILD_MINE", "mine"),
            ("CODEBUILD_RESOLVED_SOURCE_VERSION", "5f2b9c1"),
            ("AWS_REGION", "there"),
        ] {
            assert_eq!(value(name), expected, "{name}");
        }
        let exportable = |name| is_exportable(&orders, name);
        assert!(exportable("D") && !exportable("E") && !exportable("AWS_REGION"));
    }
}
