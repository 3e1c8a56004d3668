//! Machines of folders and small files, and what is found on them.

use super::{Search, find};
use crate::layout::Layout;
use buildspec::Runtimes;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use tempfile::TempDir;

/// A machine with these files: their text, or a program where it begins with `#!`.
fn machine(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    root
}

fn look(root: &Path, folders: &[&str], asked: &[&str]) -> Runtimes {
    let asked: Vec<_> = asked.iter().map(|name| ((*name).to_owned(), String::new())).collect();
    let folders: Vec<_> = folders.iter().map(|folder| (*folder).to_owned()).collect();
    find(&search(&Layout::below(root), &folders), &asked)
}

fn search<'a>(layout: &'a Layout, folders: &'a [String]) -> Search<'a> {
    Search { layout, folders, search_path: "/usr/local/bin:/usr/bin", takes_nearest: false }
}

/// The versions of a runtime, the greatest first.
fn versions(root: &Path, runtime: &str) -> Vec<String> {
    let found = look(root, &[], &[runtime]);
    let runtime = found.0.into_iter().find(|found| found.name == runtime);
    let versions = runtime.map(|runtime| runtime.versions).unwrap_or_default();
    versions.into_iter().map(|version| version.name).collect()
}

/// What is run for a version, with the machine's root taken out.
fn commands(root: &Path, folders: &[&str], runtime: &str, version: &str) -> Vec<String> {
    let asked = [(runtime.to_owned(), version.to_owned())];
    let selected = look(root, folders, &[runtime]).select(&asked).result.unwrap();
    let root = root.canonicalize().unwrap();
    let shown = |command: &String| command.replace(root.to_str().unwrap(), "");
    selected[0].commands.iter().map(shown).collect()
}

const NODE: &str = "#!/bin/sh\necho v20.1.2\n";

#[test]
fn development_kits_are_known_by_their_release_files() {
    let root = machine(&[
        ("usr/lib/jvm/java-17/release", "IMPLEMENTOR=\"Debian\"\nJAVA_VERSION=\"17.0.13\"\n"),
        ("usr/lib/jvm/java-17/bin/java", "#!"),
        (
            "usr/lib/jvm/corretto-8/release",
            "JAVA_VERSION=\"1.8.0_432\"\nIMPLEMENTOR=\"Amazon.com Inc.\"",
        ),
        ("usr/lib/jvm/corretto-8/bin/java", "#!"),
        ("opt/kit/release", "JAVA_VERSION=\"21.0.1\"\nIMPLEMENTOR=\"Eclipse Adoptium\"\n"),
        ("opt/kit/bin/java", "#!"),
        ("opt/no-kit/release", "JAVA_VERSION=\"99\"\n"),
    ]);
    symlink("java-17", root.path().join("usr/lib/jvm/default-java")).unwrap();
    assert_eq!(versions(root.path(), "java"), ["temurin21", "openjdk17", "corretto8"]);
    for text in ["corretto17", "openjdk17", "17", "17.0.13", "temurin17", "corretto17.x"] {
        assert_eq!(
            commands(root.path(), &[], "java", text),
            [
                "echo \"Using Java 17.0.13 in /usr/lib/jvm/java-17\"",
                "export JAVA_HOME=\"/usr/lib/jvm/java-17\" JDK_HOME=\"/usr/lib/jvm/java-17\" \
                 JRE_HOME=\"/usr/lib/jvm/java-17\" PATH=\"/usr/lib/jvm/java-17/bin:$PATH\"",
            ],
            "{text}"
        );
    }
    assert!(commands(root.path(), &[], "java", "latest")[0].contains("21.0.1"));
    assert!(commands(root.path(), &[], "java", "corretto8")[0].contains("1.8.0_432"));
}

#[test]
fn version_managers_name_their_folders() {
    let root = machine(&[
        ("usr/bin/node", NODE),
        (
            "usr/include/node/node_version.h",
            "#define NODE_MAJOR_VERSION 18\n#define NODE_MINOR_VERSION 4\n#define NODE_PATCH_VERSION 0\n",
        ),
        ("usr/local/n/versions/node/22.11.0/bin/node", NODE),
        ("usr/local/nvm/versions/node/v22.3.0/bin/node", NODE),
        ("opt/fnm/node-versions/v24.1.0/installation/bin/node", NODE),
        ("opt/node-v16.2.0-linux-x64/bin/node", NODE),
        ("opt/unnamed/bin/node", NODE),
        ("opt/rbenv/versions/3.3.1/bin/ruby", "#!"),
        ("usr/local/pyenv/versions/3.12.4/bin/python3.12", "#!"),
        ("opt/php/8.3.2/bin/php", "#!"),
    ]);
    assert_eq!(versions(root.path(), "nodejs"), ["24", "22", "22.3.0", "20", "18", "16"]);
    assert_eq!(
        commands(root.path(), &[], "nodejs", "22.11"),
        [
            "echo \"Using Node.js 22.11.0 in /usr/local/n/versions/node/22.11.0\"",
            "export PATH=\"/usr/local/n/versions/node/22.11.0/bin:$PATH\"",
        ]
    );
    assert_eq!(
        commands(root.path(), &[], "nodejs", "18"),
        ["echo \"Using Node.js 18.4.0 in /usr\""]
    );
    assert_eq!(versions(root.path(), "ruby"), ["3.3"]);
    assert_eq!(versions(root.path(), "python"), ["3.12"]);
    assert_eq!(versions(root.path(), "php"), ["8.3"]);
    assert!(commands(root.path(), &[], "python", "3.12.4")[1].contains("3.12.4/bin:$PATH"));
}

#[test]
fn programs_side_by_side_are_chosen_by_links() {
    let root = machine(&[
        ("usr/bin/python3.9", "#!"),
        ("usr/bin/python3.11", "#!"),
        ("usr/bin/python3-config", "#!"),
        ("usr/bin/python3.11-config", "#!"),
        ("usr/lib/python3.9/EXTERNALLY-MANAGED", ""),
        ("usr/bin/ruby3.1", "#!"),
        ("usr/bin/gem3.1", "#!"),
        ("usr/bin/php8.2", "#!"),
    ]);
    symlink("python3.11", root.path().join("usr/bin/python3")).unwrap();
    symlink("ruby3.1", root.path().join("usr/bin/ruby")).unwrap();
    assert_eq!(versions(root.path(), "python"), ["3.11", "3.9"]);
    assert_eq!(
        commands(root.path(), &[], "python", "3.9")[1..3],
        [
            "mkdir -p \"/codebuild/user/runtimes\" && \
             ln -sf \"/usr/bin/python3.9\" \"/codebuild/user/runtimes/python3\" && \
             ln -sf \"/usr/bin/python3.9\" \"/codebuild/user/runtimes/python\"",
            "export PIP_BREAK_SYSTEM_PACKAGES=1 PATH=\"/codebuild/user/runtimes:$PATH\"",
        ]
    );
    // What means it already needs no link.
    let links = &commands(root.path(), &[], "python", "3.x")[1];
    assert!(links.contains("/python\"") && !links.contains("/python3\""), "{links}");
    let links = &commands(root.path(), &[], "ruby", "3.1")[1];
    assert!(links.contains("/gem\"") && !links.contains("/ruby\""), "{links}");
    assert_eq!(versions(root.path(), "php"), ["8.2"]);
}

#[test]
fn compilers_tell_their_versions_in_files() {
    let manifest =
        "[pkg.cargo]\nversion = \"0.96.0 (x)\"\n[pkg.rustc]\nversion = \"1.95.0 (abc)\"\n";
    let root = machine(&[
        ("usr/local/go/VERSION", "go1.22.3\ntime 2024\n"),
        ("usr/local/go/bin/go", "#!"),
        ("usr/lib/go-1.19/VERSION", "go1.19"),
        ("usr/lib/go-1.19/bin/go", "#!"),
        ("usr/local/rustup/toolchains/stable-x86_64/bin/rustc", "#!"),
        (
            "usr/local/rustup/toolchains/stable-x86_64/lib/rustlib/multirust-channel-manifest.toml",
            manifest,
        ),
        ("usr/local/rustup/toolchains/1.80.1-x86_64/bin/rustc", "#!"),
        ("usr/share/dotnet/dotnet", "#!"),
        ("usr/share/dotnet/sdk/8.0.404/x", ""),
        ("usr/share/dotnet/sdk/6.0.100/x", ""),
        ("usr/share/dotnet/sdk/NuGetFallbackFolder/x", ""),
    ]);
    assert_eq!(versions(root.path(), "golang"), ["1.22", "1.19"]);
    assert!(
        commands(root.path(), &[], "golang", "1.x")[1].contains("GOROOT=\"/usr/local/go\" PATH=")
    );
    assert_eq!(versions(root.path(), "rust"), ["1.95", "1.80"]);
    assert_eq!(versions(root.path(), "dotnet"), ["8.0", "6.0"]);
    let dotnet = commands(root.path(), &[], "dotnet", "6.0");
    assert!(
        dotnet[1].contains("DOTNET_ROOT=\"/usr/share/dotnet\" PATH=\"/usr/share/dotnet:$PATH\"")
    );
    assert!(
        dotnet[2].contains("\"version\":\"6.0.100\"") && dotnet[2].ends_with(">../global.json")
    );
}

#[test]
fn folders_of_the_configuration_are_looked_into() {
    let root = machine(&[
        ("tools/jdk/release", "JAVA_VERSION=\"11.0.2\"\n"),
        ("tools/jdk/bin/java", "#!"),
        ("home/rustup/toolchains/1.70.0-x/bin/rustc", "#!"),
    ]);
    assert!(commands(root.path(), &["/tools/jdk"], "java", "11")[0].contains("in /tools/jdk"));
    assert!(commands(root.path(), &["/tools"], "java", "11")[0].contains("in /tools/jdk"));
    assert!(commands(root.path(), &["/home/rustup"], "rust", "1.70")[0].contains("1.70.0"));
}

#[test]
fn what_is_not_there_is_told_with_all_that_is() {
    let root = machine(&[
        ("usr/local/go/VERSION", "go1.22.3\n"),
        ("usr/local/go/bin/go", "#!"),
        ("opt/rubies/ruby-3.2.1/bin/ruby", "#!"),
    ]);
    let failed = |runtime: &str, version: &str| {
        let asked = [(runtime.to_owned(), version.to_owned())];
        look(root.path(), &[], &[runtime]).select(&asked).result.unwrap_err().to_string()
    };
    assert_eq!(
        failed("java", "corretto17"),
        "Unknown runtime named 'java'. This build image has the following runtimes: golang, ruby"
    );
    assert_eq!(
        failed("golang", "1.21"),
        "Unknown runtime version named '1.21' of golang. This build image has the following \
         versions: 1.22"
    );
}

#[test]
fn any_version_of_docker_will_do() {
    let root = machine(&[]);
    for version in ["18", "20", "latest", "19.03"] {
        let told = commands(root.path(), &[], "docker", version);
        assert_eq!(told.len(), 1, "{version}");
        assert!(told[0].contains("chooses no version of Docker"), "{version}");
    }
    // It is no runtime of a machine that was not asked for it.
    let asked = [("cobol".to_owned(), "1".to_owned())];
    let refused = look(root.path(), &[], &["cobol"]).select(&asked).result;
    assert!(!refused.unwrap_err().to_string().contains("docker"));
}

#[test]
fn the_nearest_version_stands_for_another_where_that_is_allowed() {
    let root = machine(&[
        ("opt/node18/include/node/node_version.h", &node_header(18)),
        ("opt/node18/bin/node", NODE),
        ("opt/node20/include/node/node_version.h", &node_header(20)),
        ("opt/node20/bin/node", NODE),
    ]);
    let layout = Layout::below(root.path());
    let search = Search { takes_nearest: true, ..search(&layout, &[]) };
    for (text, told) in [
        ("16", Some("no nodejs 16: the nearest that it has is 18")),
        ("16.x", Some("no nodejs 16: the nearest that it has is 18")),
        ("19", Some("no nodejs 19: the nearest that it has is 20")),
        ("22", Some("no nodejs 22: the nearest that it has is 20")),
        ("18", None),
        ("20.x", None),
        ("latest", None),
    ] {
        let asked = [("nodejs".to_owned(), text.to_owned())];
        let selected = find(&search, &asked).select(&asked).result.unwrap();
        let first = &selected[0].commands[0];
        match told {
            Some(told) => assert!(first.contains(told), "{text}: {first}"),
            None => assert!(first.contains("Using Node.js"), "{text}: {first}"),
        }
    }
    for (runtime, text) in [("nodejs", "lts"), ("ruby", "3.1")] {
        let asked = [(runtime.to_owned(), text.to_owned())];
        assert!(find(&search, &asked).select(&asked).result.is_err(), "{runtime}");
    }
}

fn node_header(major: u32) -> String {
    let numbers = [("MAJOR", major), ("MINOR", 1), ("PATCH", 0)];
    numbers.map(|(part, number)| format!("#define NODE_{part}_VERSION {number}\n")).concat()
}
