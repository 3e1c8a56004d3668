//! Artifacts: which files, where, in which form.

use crate::agent::{Outcome, inline};
use crate::store::Store;
use agent_protocol::{ArtifactsOrder, NamespaceType, Packaging};
use expect_test::{Expect, expect};
use md5::{Digest, Md5};
use std::io::{Cursor, Read};
use zip::ZipArchive;

fn order(packaging: Packaging) -> ArtifactsOrder {
    ArtifactsOrder {
        identifier: None,
        bucket: "out".to_owned(),
        path: String::new(),
        namespace_type: NamespaceType::None,
        name: "demo".to_owned(),
        packaging,
        override_artifact_name: false,
    }
}

fn run(store: &Store, order: ArtifactsOrder, commands: &str, artifacts: &str) -> Outcome {
    let text = format!(
        "version: 0.2\nphases:\n  build:\n    commands:\n      - {}\nartifacts:\n{artifacts}",
        serde_json::to_string(commands).unwrap()
    );
    let mut trial = inline(&text);
    trial.orders.object_store.endpoint = store.endpoint.clone();
    trial.orders.artifacts = Some(order);
    trial.run()
}

const TREE: &str = "mkdir -p my-build-1 my-build-2/my-subdirectory .hidden && \
                    echo 1 > my-build-1/my-file-1.txt && echo 2 > my-build-2/my-file-2.txt && \
                    echo 3 > my-build-2/my-subdirectory/my-file-3.txt && echo h > .hidden/h";

fn check_loose(artifacts: &str, expected: Expect) {
    let store = Store::start();
    run(&store, order(Packaging::None), TREE, artifacts).expect_exit_0();
    expected.assert_eq(&store.paths());
}

#[test]
fn patterns_choose_files() {
    check_loose(
        "  files: ['**/*']\n",
        expect![[r#"
        /out/demo/.hidden/h
        /out/demo/my-build-1/my-file-1.txt
        /out/demo/my-build-2/my-file-2.txt
        /out/demo/my-build-2/my-subdirectory/my-file-3.txt
    "#]],
    );
    check_loose(
        "  files: ['my-build-2/*']\n",
        expect![[r#"
        /out/demo/my-build-2/my-file-2.txt
    "#]],
    );
    check_loose(
        "  files: ['*/my-file-3.txt']\n  base-directory: my-build-2\n",
        expect![[r#"
        /out/demo/my-subdirectory/my-file-3.txt
    "#]],
    );
    check_loose(
        "  files: ['**/*']\n  base-directory: 'my-build*'\n  discard-paths: yes\n",
        expect![[r#"
            /out/demo/my-file-1.txt
            /out/demo/my-file-2.txt
            /out/demo/my-file-3.txt
        "#]],
    );
    check_loose(
        "  files: ['**/*']\n  exclude-paths: ['.hidden/**/*', '*/*-1.txt']\n",
        expect![[r#"
            /out/demo/my-build-2/my-file-2.txt
            /out/demo/my-build-2/my-subdirectory/my-file-3.txt
        "#]],
    );
    check_loose(
        "  files: ['*']\n  base-directory: $PWD/my-build-1\n",
        expect![[r#"
        /out/demo/my-file-1.txt
    "#]],
    );
}

#[test]
fn the_log_tells_how_files_were_found() {
    let store = Store::start();
    let artifacts = "  files: ['my-build-1/*', 'target/app.jar']\n  name: ignored\n";
    let build = run(&store, order(Packaging::None), TREE, artifacts);
    let log = build.log();
    let from = log.find("[Container] Expanding base").unwrap();
    expect![[r#"
        [Container] Expanding base directory path: .
        [Container] Assembling file list
        [Container] Expanding .
        [Container] Expanding file paths for base directory .
        [Container] Assembling file list
        [Container] Expanding my-build-1/*
        [Container] Expanding target/app.jar
        [Container] Skipping invalid file path target/app.jar
        [Container] Found 1 file(s)
        [Container] Phase complete: UPLOAD_ARTIFACTS State: SUCCEEDED
        [Container] Phase context status code:  Message: 
    "#]]
    .assert_eq(&log[from..]);
    build.expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE SUCCEEDED
        started INSTALL
        ended INSTALL SUCCEEDED
        started PRE_BUILD
        ended PRE_BUILD SUCCEEDED
        started BUILD
        ended BUILD SUCCEEDED
        started POST_BUILD
        ended POST_BUILD SUCCEEDED
        started UPLOAD_ARTIFACTS
        uploaded ArtifactUploaded { identifier: None, bucket: "out", key: "demo", md5: None, sha256: None }
        ended UPLOAD_ARTIFACTS SUCCEEDED
        finished
    "#]]);
    assert_eq!(
        store.object("out/demo/my-build-1/my-file-1.txt").metadata["codebuild-buildarn"],
        "arn:aws:codebuild:eu-west-1:000000000000:build/demo:b-uuid"
    );
}

#[test]
fn nothing_that_matches_is_a_failure() {
    let store = Store::start();
    let nothing = run(&store, order(Packaging::Zip), TREE, "  files: ['*.jar']\n");
    let base = "  files: ['**/*']\n  base-directory: cdk.out\n";
    let nowhere = run(&store, order(Packaging::Zip), TREE, base);
    let mut bucket = order(Packaging::Zip);
    bucket.bucket = "gone".to_owned();
    let gone = run(&store, bucket, TREE, "  files: ['**/*']\n");
    let told: String = [nothing, nowhere, gone]
        .iter()
        .map(|build| build.facts().lines().rev().nth(1).unwrap().to_owned() + "\n")
        .collect();
    expect![[r#"
        ended UPLOAD_ARTIFACTS FAILED CLIENT_ERROR no matching artifact paths found
        ended UPLOAD_ARTIFACTS FAILED CLIENT_ERROR no matching base directory path found for cdk.out
        ended UPLOAD_ARTIFACTS FAILED CLIENT_ERROR Failed to upload artifacts: NoSuchBucket: The specified bucket does not exist status code: 404, request id: R1, host id: H1
    "#]].assert_eq(&told);
}

#[test]
fn a_zip_keeps_modes_and_follows_links() {
    let store = Store::start();
    let commands = "mkdir d && echo text > d/file && chmod 755 d/file && ln -s d/file link && \
                    ln -s d dlink && ln -s . d/loop && touch -d '2024-02-29 12:34:56Z' d/file";
    let order = ArtifactsOrder { name: "a.zip".to_owned(), ..order(Packaging::Zip) };
    run(&store, order.clone(), commands, "  files: ['**/*']\n").expect_exit_0();
    let object = store.object("out/a.zip");
    expect![[r#"
        100755 d/file text 2024-02-29 12:34:56
        100755 link text 2024-02-29 12:34:56
    "#]]
    .assert_eq(&listing(&object.body));
    assert_eq!(object.metadata["codebuild-content-md5"], hex::encode(Md5::digest(&object.body)));
    assert_eq!(object.metadata["codebuild-content-sha256"].len(), 64);
    run(&store, order, commands, "  files: ['**/*']\n  enable-symlinks: yes\n").expect_exit_0();
    expect![[r#"
        100755 d/file text 2024-02-29 12:34:56
        120777 d/loop . 
        120777 dlink d 
        120777 link d/file 
    "#]]
    .assert_eq(&listing(&store.object("out/a.zip").body));
}

fn listing(bytes: &[u8]) -> String {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut entry = zip.by_index(index).unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let (mode, name) = (entry.unix_mode().unwrap(), entry.name().unwrap().into_owned());
            let at = if text == "text\n" {
                entry.last_modified().unwrap().to_string()
            } else {
                String::new()
            };
            format!("{mode:o} {name} {} {at}\n", text.trim())
        })
        .collect()
}

#[test]
fn a_large_zip_goes_in_parts() {
    let store = Store::start();
    let commands = "head -c 70000000 /dev/urandom > big.bin";
    run(&store, order(Packaging::Zip), commands, "  files: [big.bin]\n").expect_exit_0();
    let object = store.object("out/demo");
    assert_eq!(object.metadata["codebuild-content-md5"], hex::encode(Md5::digest(&object.body)));
    assert_eq!(store.requests().len(), 7, "{:?}", store.requests());
}

#[test]
fn names_are_evaluated_by_the_shell() {
    let store = Store::start();
    let order = ArtifactsOrder {
        override_artifact_name: true,
        namespace_type: NamespaceType::BuildId,
        ..order(Packaging::Zip)
    };
    let artifacts = "  files: ['*.txt']\n  name: 'v-$VERSION-$(echo \"a  b\" | tr \" \" -).zip'\n  \
                     s3-prefix: pre\n";
    run(&store, order, "export VERSION=7; echo > a.txt", artifacts).expect_exit_0();
    expect![[r#"
        /out/pre/b-uuid/v-7-a--b.zip
    "#]]
    .assert_eq(&store.paths());
}

#[test]
fn secondary_artifacts_go_where_they_belong() {
    let store = Store::start();
    let text = "version: 0.2\nphases: {build: {commands: ['echo 1 > a; echo 2 > b']}}\nartifacts:\n  \
                files: [a]\n  secondary-artifacts:\n    second: {files: [b], name: ignored}\n";
    let mut trial = inline(text);
    trial.orders.object_store.endpoint = store.endpoint.clone();
    trial.orders.secondary_artifacts = vec![ArtifactsOrder {
        identifier: Some("second".to_owned()),
        path: "side".to_owned(),
        ..order(Packaging::None)
    }];
    let missing = ArtifactsOrder { identifier: Some("third".to_owned()), ..order(Packaging::None) };
    trial.orders.secondary_artifacts.push(missing);
    let build = trial.run();
    expect![[r#"
        /out/side/demo/b
    "#]]
    .assert_eq(&store.paths());
    let facts = build.facts();
    let from = facts.find("started UPLOAD").unwrap();
    expect![[r#"
        started UPLOAD_ARTIFACTS
        uploaded ArtifactUploaded { identifier: Some("second"), bucket: "out", key: "side/demo", md5: None, sha256: None }
        ended UPLOAD_ARTIFACTS FAILED CLIENT_ERROR no definition for secondary artifact third found in the buildspec
        finished
    "#]].assert_eq(&facts[from..]);
}
