//! Sources from a store: ZIPs, good and evil, and folders.

use crate::agent::{Trial, inline};
use crate::store::Store;
use agent_protocol::{BuildspecLocation, S3Location, SecondarySource, Source};
use expect_test::expect;
use std::io::{Cursor, Write};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const SPEC: &str = "version: 0.2\nphases:\n  build:\n    commands:\n      - cat greeting.txt\n      \
                    - ./run.sh\n      - cat link.txt\n      - ls -A\n";

fn options(mode: u32) -> SimpleFileOptions {
    SimpleFileOptions::default().unix_permissions(mode)
}

fn zip(fill: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    fill(&mut zip);
    zip.finish().unwrap().into_inner()
}

fn from(key: &str) -> S3Location {
    S3Location { bucket: "sources".to_owned(), key: key.to_owned(), version: None }
}

fn build(store: &Store, source: Source) -> Trial {
    let mut trial = inline("");
    trial.orders.object_store.endpoint = store.endpoint.clone();
    trial.orders.buildspec = BuildspecLocation::Path { path: "buildspec.yml".to_owned() };
    trial.orders.source = source;
    trial
}

#[test]
fn a_zip_is_unpacked_with_modes_and_links() {
    let store = Store::start();
    let bytes = zip(|zip| {
        for (name, mode, text) in [
            ("buildspec.yml", 0o644, SPEC),
            ("greeting.txt", 0o644, "hello\n"),
            ("run.sh", 0o755, "#!/bin/sh\necho running\n"),
            ("deep/er/file.txt", 0o644, "deep\n"),
        ] {
            zip.start_file(name, options(mode)).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.add_symlink("link.txt", "deep/er/../er/file.txt", options(0o777)).unwrap();
    });
    store.put("sources/app/my source.zip", bytes);
    let build = build(&store, Source::S3Zip(from("app/my source.zip"))).run();
    build.expect_exit_0().expect_printed(expect![[r#"
        hello
        running
        deep
        buildspec.yml
        deep
        greeting.txt
        link.txt
        run.sh
    "#]]);
    let log = build.log();
    let first: String = log.lines().take(8).map(|line| format!("{line}\n")).collect();
    expect![[r#"
        [Container] Waiting for agent ping
        [Container] Waiting for DOWNLOAD_SOURCE
        [Container] Phase is DOWNLOAD_SOURCE
        [Container] CODEBUILD_SRC_DIR=/codebuild/output/src42/src
        [Container] YAML location is /codebuild/output/src42/src/buildspec.yml
        [Container] Setting HTTP client timeout to higher timeout for S3 source
        [Container] Processing environment variables
        [Container] No runtime version selected in buildspec.
    "#]]
    .assert_eq(&first);
    let left = |folder: &str| {
        let left = std::fs::read_dir(build.root.path().join(folder)).unwrap();
        let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        left
    };
    assert_eq!(left("codebuild/output"), ["src42", "tmp"]);
    assert_eq!(left("codebuild/output/tmp"), ["script.sh"]);
}

#[test]
fn evil_zips_are_refused_and_write_nothing_outside() {
    let file = |name: &'static str| {
        zip(move |zip| {
            zip.start_file(name, options(0o644)).unwrap();
            zip.write_all(b"evil").unwrap();
        })
    };
    let link = |target: &'static str| {
        zip(move |zip| zip.add_symlink("link", target, options(0o777)).unwrap())
    };
    let through = zip(|zip| {
        zip.add_symlink("dir", "..", options(0o777)).unwrap();
        zip.start_file("dir/evil.txt", options(0o644)).unwrap();
        zip.write_all(b"evil").unwrap();
    });
    let over = zip(|zip| {
        zip.add_symlink("a", "b", options(0o777)).unwrap();
        zip.start_file("a/evil.txt", options(0o644)).unwrap();
    });
    let mut told = String::new();
    for bytes in [
        file("../evil.txt"),
        file("a/../../evil.txt"),
        file("/tmp/evil.txt"),
        link("/etc/passwd"),
        link("../outside"),
        through,
        over,
        b"this is no zip".to_vec(),
        Vec::new(),
    ] {
        let store = Store::start();
        store.put("sources/evil.zip", bytes);
        let build = build(&store, Source::S3Zip(from("evil.zip"))).run();
        build.expect_exit_0();
        let facts = build.facts();
        told.push_str(facts.lines().find(|line| line.starts_with("ended")).unwrap());
        told.push('\n');
        let outside = std::fs::read_dir(build.root.path().join("codebuild/output/src42")).unwrap();
        assert_eq!(outside.count(), 1);
    }
    expect![[r#"
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR failed to unzip the source: ../evil.txt: the path leads out of the source's folder for primary source
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR failed to unzip the source: a/../../evil.txt: the path leads out of the source's folder for primary source
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR failed to unzip the source: /tmp/evil.txt: the path leads out of the source's folder for primary source
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR failed to unzip the source: link: the path leads out of the source's folder for primary source
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR failed to unzip the source: link: the path leads out of the source's folder for primary source
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR failed to unzip the source: dir: the path leads out of the source's folder for primary source
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR failed to unzip the source: a: file exists for primary source
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR zip: not a valid zip file for primary source
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR zip: not a valid zip file for primary source
    "#]].assert_eq(&told);
}

#[test]
fn what_is_not_there_fails_with_the_stores_words() {
    let store = Store::start();
    build(&store, Source::S3Zip(from("missing.zip"))).run().expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR NoSuchKey: The specified key does not exist. status code: 404, request id: R1, host id: H1 for primary source
        finished
    "#]]);
    let gone = S3Location { bucket: "gone".to_owned(), ..from("a.zip") };
    build(&store, Source::S3Zip(gone)).run().expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR NoSuchBucket: The specified bucket does not exist status code: 404, request id: R1, host id: H1 for primary source
        finished
    "#]]);
    build(&store, Source::S3Folder(from("missing/"))).run().expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR no objects found below s3://sources/missing/ for primary source
        finished
    "#]]);
}

#[test]
fn a_folder_is_copied_page_by_page() {
    let store = Store::start();
    let spec = "version: 0.2\nphases: {build: {commands: [\"find . -type f | sort\"]}}\n";
    store.put("sources/app/buildspec.yml", spec);
    store.put("sources/app/a/b/c.txt", "c");
    store.put("sources/app/a/d.txt", "d");
    store.put("sources/app/empty/", "");
    store.put("sources/other/x.txt", "x");
    let build = build(&store, Source::S3Folder(from("app/"))).run();
    build.expect_exit_0().expect_printed(expect![[r#"
        ./a/b/c.txt
        ./a/d.txt
        ./buildspec.yml
    "#]]);
}

#[test]
fn a_version_and_secondary_sources_are_asked_for() {
    let store = Store::start();
    let spec = "version: 0.2\nphases: {build: {commands: [\"cat $CODEBUILD_SRC_DIR_lib/x\"]}}\n";
    store.put("sources/specs/spec.yml", spec);
    store.put(
        "sources/lib.zip",
        zip(|zip| {
            zip.start_file("x", options(0o644)).unwrap();
            zip.write_all(b"from the library\n").unwrap();
        }),
    );
    let mut trial = build(&store, Source::NoSource);
    trial.orders.buildspec = BuildspecLocation::S3(from("specs/spec.yml"));
    trial.orders.secondary_sources = vec![SecondarySource {
        identifier: "lib".to_owned(),
        source: Source::S3Zip(S3Location { version: Some("v7".to_owned()), ..from("lib.zip") }),
        source_dir: trial.orders.source_dir.replace("/src42/", "/src43/"),
    }];
    trial.run().expect_exit_0().expect_printed(expect![[r#"
        from the library
    "#]]);
    assert_eq!(
        store.requests(),
        ["GET /sources/lib.zip versionId=v7", "GET /sources/specs/spec.yml"]
    );
}

#[test]
fn a_store_that_is_busy_is_asked_again() {
    let store = Store::start();
    store
        .put("sources/app/buildspec.yml", "version: 0.2\nphases: {build: {commands: [echo ok]}}\n");
    store.refuse(2);
    build(&store, Source::S3Folder(from("app/"))).run().expect_printed(expect![[r#"
        ok
    "#]]);
}

#[test]
fn a_bucket_that_goes_half_way_fails_the_phase() {
    for (key, source) in [
        ("large.zip", Source::S3Zip(from("large.zip"))),
        ("large/noise", Source::S3Folder(from("large/"))),
    ] {
        let store = Store::start();
        let bytes = if key == "large.zip" {
            zip(|zip| {
                let stored = options(0o644).compression_method(zip::CompressionMethod::Stored);
                zip.start_file("noise", stored).unwrap();
                zip.write_all(&vec![1; 40_000_000]).unwrap();
            })
        } else {
            vec![1; 40_000_000]
        };
        store.put(&format!("sources/{key}"), bytes);
        store.vanish_after(if key == "large.zip" { 1 } else { 2 });
        let build = build(&store, source).run();
        build.expect_exit_0();
        build.expect_facts(expect![[r#"
            hello 1
            started DOWNLOAD_SOURCE
            ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR NoSuchBucket: The specified bucket does not exist status code: 404, request id: R1, host id: H1 for primary source
            finished
        "#]]);
    }
}

#[test]
fn a_large_zip_comes_in_stretches_and_an_empty_object_is_none() {
    let store = Store::start();
    let noise: Vec<u8> =
        (0..40_000_000_u32).map(|n| (n.wrapping_mul(n) >> 7).to_le_bytes()[0]).collect();
    let spec = "version: 0.2\nphases: {build: {commands: [\"md5sum noise | cut -c1-32\"]}}\n";
    store.put(
        "sources/large.zip",
        zip(|zip| {
            zip.start_file("buildspec.yml", options(0o644)).unwrap();
            zip.write_all(spec.as_bytes()).unwrap();
            let stored = options(0o644).compression_method(zip::CompressionMethod::Stored);
            zip.start_file("noise", stored).unwrap();
            zip.write_all(&noise).unwrap();
        }),
    );
    let build = build(&store, Source::S3Zip(from("large.zip"))).run();
    use md5::{Digest, Md5};
    assert_eq!(build.printed(), format!("{}\n", hex::encode(Md5::digest(&noise))));
    assert_eq!(store.requests().len(), 3, "{:?}", store.requests());
    let empty = Store::start();
    empty.put("sources/app/buildspec.yml", "version: 0.2\nphases: {build: {commands: [ls -s]}}\n");
    empty.put("sources/app/nothing", "");
    let build = self::build(&empty, Source::S3Folder(from("app/"))).run();
    assert!(build.printed().contains("0 nothing"), "{}", build.printed());
}
