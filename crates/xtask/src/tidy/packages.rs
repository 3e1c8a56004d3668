//! Who may know whom: the dependency table of ARCHITECTURE.md as data.

use super::Finding;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Our packages, each with those of ours that it may use.
const OURS: [(&str, &[&str]); 10] = [
    ("buildspec", &[]),
    ("agent-protocol", &[]),
    ("wire", &[]),
    ("executor", &[]),
    ("xtask", &[]),
    ("build-core", &["agent-protocol", "buildspec"]),
    ("agent", &["agent-protocol", "buildspec"]),
    ("store", &["build-core"]),
    ("server", &["agent-protocol", "buildspec", "build-core", "wire", "executor", "store"]),
    ("bench", &["wire", "executor"]),
];

/// Packages of others that only some of ours may use, and why.
const FENCED: [(&str, &[&str], &str); 7] = [
    ("rusqlite", &["store"], "SQL is only in store"),
    ("postgres", &["store"], "SQL is only in store"),
    ("tokio-postgres", &["store"], "SQL is only in store"),
    ("axum", &["server"], "only the server serves"),
    ("hyper", &["server"], "only the server serves"),
    ("tokio", &["server", "store", "executor", "agent", "bench"], "the pure packages do no I/O"),
    ("http", &["server", "wire", "bench"], "HTTP types stay at the edge"),
];

/// Reads every manifest under `crates/`.
pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join("crates")).context("reading crates/")? {
        let folder = entry?.file_name().to_string_lossy().into_owned();
        let file = format!("crates/{folder}/Cargo.toml");
        let manifest = fs::read_to_string(root.join(&file)).with_context(|| file.clone())?;
        found.extend(judge(&file, &folder, &manifest)?);
    }
    Ok(found)
}

fn judge(file: &str, folder: &str, manifest: &str) -> Result<Vec<Finding>> {
    let table: toml::Table = manifest.parse().with_context(|| format!("parsing {file}"))?;
    let finding = |sentence: String| Finding { file: file.to_owned(), line: 1, sentence };
    let name = table.get("package").and_then(|package| package.get("name"));
    let name = name.and_then(toml::Value::as_str).unwrap_or_default();
    if name != folder {
        return Ok(vec![finding(format!("`{name}` is in the folder `{folder}`"))]);
    }
    let ours: BTreeMap<&str, &[&str]> = OURS.into_iter().collect();
    let Some(allowed) = ours.get(name) else {
        return Ok(vec![finding(format!(
            "`{name}` is not in the table; a new package needs a decision"
        ))]);
    };
    let mut found = Vec::new();
    for dependency in dependencies(&table) {
        if ours.contains_key(dependency) && !allowed.contains(&dependency) {
            found.push(finding(format!("`{name}` may not know `{dependency}`")));
        }
        for (fenced, users, why) in FENCED {
            if dependency == fenced && !users.contains(&name) {
                found.push(finding(format!("`{name}` may not use `{fenced}`: {why}")));
            }
        }
    }
    Ok(found)
}

/// What the package is built from; tests may use what they like.
fn dependencies(table: &toml::Table) -> Vec<&str> {
    let direct = ["dependencies", "build-dependencies"];
    let mut tables: Vec<&toml::Table> = vec![table];
    if let Some(targets) = table.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(toml::Value::as_table));
    }
    let sections = tables.into_iter().flat_map(|table| direct.map(|key| table.get(key)));
    let sections = sections.flatten().filter_map(toml::Value::as_table);
    sections.flat_map(|section| section.keys().map(String::as_str)).collect()
}

#[cfg(test)]
mod tests {
    use super::judge;
    use expect_test::{Expect, expect};

    fn check(folder: &str, manifest: &str, expected: &Expect) {
        let found = judge("Cargo.toml", folder, manifest).unwrap();
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_package_knows_only_whom_it_may() {
        check(
            "agent",
            "[package]\nname = \"agent\"\n[dependencies]\nbuildspec = {}\nwire.workspace = true\n\
             [target.'cfg(unix)'.dependencies]\nserver = {}\n[dev-dependencies]\nstore = {}\n",
            &expect![[r#"
                Cargo.toml:1: `agent` may not know `wire`
                Cargo.toml:1: `agent` may not know `server`"#]],
        );
        check(
            "buildspec",
            "[package]\nname = \"buildspec\"\n[build-dependencies]\nrusqlite = \"1\"\ntokio = \"1\"\n",
            &expect![[r#"
                Cargo.toml:1: `buildspec` may not use `rusqlite`: SQL is only in store
                Cargo.toml:1: `buildspec` may not use `tokio`: the pure packages do no I/O"#]],
        );
    }

    #[test]
    fn a_package_is_in_the_table_and_in_its_folder() {
        check(
            "helpers",
            "[package]\nname = \"helpers\"\n",
            &expect!["Cargo.toml:1: `helpers` is not in the table; a new package needs a decision"],
        );
        check(
            "wire",
            "[package]\nname = \"wires\"\n",
            &expect!["Cargo.toml:1: `wires` is in the folder `wire`"],
        );
    }
}
