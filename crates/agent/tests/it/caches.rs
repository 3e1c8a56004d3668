//! Caches: what a build leaves, what the next one finds, and what the log says of it.

use crate::agent::{Outcome, Trial, inline};
use crate::store::Store;
use agent_protocol::{CacheOrder, LocalCache, LocalMode, LocalState, S3Cache, Timestamp, Variable};
use expect_test::{Expect, expect};
use regex::Regex;
use std::fs;
use tempfile::TempDir;

fn s3(project: &str) -> S3Cache {
    S3Cache {
        bucket: "caches".to_owned(),
        prefix: "of".to_owned(),
        project: format!("eu-west-1/{project}"),
        namespace: None,
        invalidated_at: None,
    }
}

/// A build of these commands with this `cache` section.
fn build(store: &Store, order: S3Cache, section: &str, commands: &[&str]) -> Trial {
    let list = serde_json::to_string(commands).unwrap();
    let text = format!("version: 0.2\nphases: {{build: {{commands: {list}}}}}\ncache: {section}\n");
    let mut trial = inline(&text);
    trial.orders.object_store.endpoint = store.endpoint.clone();
    trial.orders.cache = CacheOrder::S3(order);
    with_programs(trial)
}

/// The programs that builds find on their `PATH`.
fn with_programs(mut trial: Trial) -> Trial {
    let folder = trial.root.path().join("codebuild/user/bin");
    fs::create_dir_all(&folder).unwrap();
    for name in ["codebuild-hash-files", "codebuild-glob-search", "codebuild-tests-run"] {
        fs::copy(env!("CARGO_BIN_EXE_agent"), folder.join(name)).unwrap();
    }
    let value = format!("/usr/bin:/bin:{}", folder.display());
    trial.orders.base_variables.push(Variable { name: "PATH".to_owned(), value });
    trial
}

/// What the log says of the cache, without what differs from run to run.
fn told(build: &Outcome) -> String {
    let words = "(?i)cache|archiving|symlinking|mkdirall";
    let words = Regex::new(words).unwrap();
    let mut lines: String = build
        .log()
        .lines()
        .filter(|line| line.starts_with("[Container]") && words.is_match(line))
        .map(|line| format!("{}\n", &line["[Container] ".len()..]))
        .collect();
    for (pattern, shown) in [
        (r"/tmp/\.tmp\w+", "ELSEWHERE"),
        (r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", "MOMENT"),
        (r"\d+\.\d s\b", "N s"),
        (r"(from|as) [0-9.]+ (bytes|KiB|MiB)", "$1 SIZE"),
        (r": N s less", ""),
    ] {
        lines = Regex::new(pattern).unwrap().replace_all(&lines, shown).into_owned();
    }
    lines
}

fn expect_told(build: &Outcome, expected: Expect) {
    build.expect_exit_0();
    expected.assert_eq(&told(build));
}

#[test]
fn a_rolling_cache_comes_back_as_it_was() {
    let (store, elsewhere) = (Store::start(), TempDir::new().unwrap());
    let other = elsewhere.path().to_str().unwrap();
    let section = format!("{{paths: ['deps/**/*', '{other}/.m2/**/*']}}");
    let make = format!(
        "mkdir -p deps/a/empty deps/b && echo text > deps/a/file && chmod 750 deps/a && \
         chmod 4755 deps/a/file && touch -d '2024-02-29 12:34:56.123456789Z' deps/a/file && \
         ln -s ../a/file deps/b/link && ln deps/a/file deps/b/same && touch -d @1 deps/b && \
         seq 1 900000 > deps/large && chmod 600 deps/large && touch -d @7 deps/large && \
         mkdir {other}/.m2 && echo jar > {other}/.m2/x.jar"
    );
    let first = build(&store, s3("demo"), &section, &[&make]).run();
    expect_told(
        &first,
        expect![[r#"
            Expanded cache path deps/**/*
            Expanded cache path ELSEWHERE/.m2/**/*
            Downloading S3 cache...
            Cache miss: there is none of this project
            Uploading S3 cache...
            Cache saved: 8 files, 5.9 MiB as SIZE in N s
        "#]],
    );
    fs::remove_dir_all(elsewhere.path().join(".m2")).unwrap();
    let look = format!(
        "stat -c '%n %A %h %Y' deps/a deps/a/empty deps/a/file deps/b deps/large; \
         stat -c %y deps/a/file; readlink deps/b/link; cat deps/b/same {other}/.m2/x.jar; \
         seq 1 900000 | cmp - deps/large && echo equal"
    );
    let second = build(&store, s3("demo"), &section, &[&look, "touch deps/more"]).run();
    let printed = Regex::new(r"(deps/a/empty|deps/a) (\S+) (\d) \d+").unwrap();
    let printed = printed.replace_all(&second.printed(), "$1 $2 $3 NOW").into_owned();
    expect![[r#"
        deps/a drwxr-x--- 3 NOW
        deps/a/empty drwxr-xr-x 2 NOW
        deps/a/file -rwsr-xr-x 2 1709210096
        deps/b drwxr-xr-x 2 1
        deps/large -rw------- 1 7
        2024-02-29 12:34:56.123456789 +0000
        ../a/file
        text
        jar
        equal
    "#]]
    .assert_eq(&printed);
    expect_told(
        &second,
        expect![[r#"
        Expanded cache path deps/**/*
        Expanded cache path ELSEWHERE/.m2/**/*
        Downloading S3 cache...
        Unarchiving cache...
        Cache hit: 8 files, 5.9 MiB from SIZE in N s; saved by demo:b-uuid at MOMENT, whose commands ran N s
        Uploading S3 cache...
        Cache saved: 9 files, 5.9 MiB as SIZE in N s
        The commands ran N s with the cache, and N s in demo:b-uuid, which saved it
    "#]],
    );
}

/// A build whose key is made of two files, which its source is said to hold.
fn keyed(store: &Store, lock: &str, more: &str, command: &str) -> Trial {
    let section = format!(
        "{{key: 'npm-$(codebuild-hash-files \"*.lock\" | cut -c1-8)', paths: [node_modules]{more}}}"
    );
    let mut trial = build(store, s3("demo"), &section, &[command]);
    let source = trial.root.path().join("codebuild/output/src42/src");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("package.lock"), lock).unwrap();
    fs::write(source.join("other.lock"), "same").unwrap();
    trial.orders.build_arn = trial.orders.build_arn.replace("b-uuid", &format!("build-{lock}"));
    trial
}

const FILL: &str = "mkdir -p node_modules && echo $RANDOM > node_modules/x";

#[test]
fn a_key_is_saved_once_and_a_miss_names_the_file_that_changed() {
    let store = Store::start();
    expect_told(
        &keyed(&store, "1", "", FILL).run(),
        expect![[r#"
        Expanded cache path node_modules
        Downloading S3 cache...
        Cache miss: there is none of key npm-5dc77cf4: none was saved here yet
        Uploading S3 cache...
        Cache saved: key npm-5dc77cf4: 2 files, 1 bytes as SIZE in N s
    "#]],
    );
    let saved = store.paths();
    expect_told(
        &keyed(&store, "1", "", "cat node_modules/x && rm -r node_modules").run(),
        expect![[r#"
            Expanded cache path node_modules
            Downloading S3 cache...
            Unarchiving cache...
            Cache hit: key npm-5dc77cf4: 2 files, 1 bytes from SIZE in N s; saved by demo:build-1 at MOMENT, whose commands ran N s
            Skip cache upload: key npm-5dc77cf4 is there already
            The commands ran N s with the cache, and N s in demo:build-1, which saved it
        "#]],
    );
    assert_eq!(store.paths(), saved);
    expect_told(
        &keyed(&store, "2", "", FILL).run(),
        expect![[r#"
        Expanded cache path node_modules
        Downloading S3 cache...
        Cache miss: there is none of key npm-e140d2a6: package.lock changed since npm-5dc77cf4, the newest key, was saved by demo:build-1 at MOMENT
        Uploading S3 cache...
        Cache saved: key npm-e140d2a6: 2 files, 1 bytes as SIZE in N s
    "#]],
    );
    expect_told(
        &keyed(&store, "3", ", fallback-keys: [yarn-, npm-]", FILL).run(),
        expect![[r#"
        Expanded cache path node_modules
        Downloading S3 cache...
        Cache miss: there is none of key npm-8cc4b683: package.lock changed since npm-e140d2a6, the newest key, was saved by demo:build-2 at MOMENT
        Cache miss: no key begins with yarn-
        Unarchiving cache...
        Cache hit: key npm-e140d2a6 by fallback key npm-: 2 files, 1 bytes from SIZE in N s; saved by demo:build-2 at MOMENT, whose commands ran N s
        Uploading S3 cache...
        Cache saved: key npm-8cc4b683: 2 files, 1 bytes as SIZE in N s
        The commands ran N s with the cache, and N s in demo:build-2, which saved it
    "#]],
    );
    expect![[r#"
        /caches/of/project/eu-west-1/demo/caches/efb6b1f72b698d1a/npm-5dc77cf4
        /caches/of/project/eu-west-1/demo/caches/efb6b1f72b698d1a/npm-8cc4b683
        /caches/of/project/eu-west-1/demo/caches/efb6b1f72b698d1a/npm-e140d2a6
        /caches/of/project/eu-west-1/demo/notes/efb6b1f72b698d1a/npm-5dc77cf4
        /caches/of/project/eu-west-1/demo/notes/efb6b1f72b698d1a/npm-8cc4b683
        /caches/of/project/eu-west-1/demo/notes/efb6b1f72b698d1a/npm-e140d2a6
    "#]]
    .assert_eq(&store.paths());
}

#[test]
fn what_was_removed_from_the_bucket_and_other_paths_are_told_apart() {
    let store = Store::start();
    keyed(&store, "1", "", FILL).run();
    let cache = store.paths().lines().next().unwrap()[1..].to_owned();
    store.remove(&cache);
    let again = told(&keyed(&store, "1", ", action: restore", FILL).run());
    expect![[r#"
        Expanded cache path node_modules
        Downloading S3 cache...
        Cache miss: there is none of key npm-5dc77cf4: what demo:build-1 saved at MOMENT has been removed from the bucket since
    "#]].assert_eq(&again);
    let mut other = keyed(&store, "1", ", action: restore", FILL);
    let agent_protocol::BuildspecLocation::Inline { text } = &mut other.orders.buildspec else {
        panic!("the buildspec is inline");
    };
    *text = text.replace("[node_modules]", "[node_modules, .cache]");
    expect![[r#"
        Expanded cache path node_modules
        Expanded cache path .cache
        Downloading S3 cache...
        Cache miss: there is none of key npm-5dc77cf4 and these paths: npm-5dc77cf4, the newest key, was saved by demo:build-1 of other paths: node_modules
    "#]].assert_eq(&told(&other.run()));
}

#[test]
fn a_damaged_cache_is_a_line_and_the_build_goes_on_without_it() {
    let store = Store::start();
    let section = "{paths: ['deps/**/*']}";
    let make = "mkdir -p deps/sub; seq 1 900000 > deps/large; echo new > deps/small";
    build(&store, s3("demo"), section, &[make]).run().expect_exit_0();
    let path = "caches/of/project/eu-west-1/demo/rolling";
    let whole = store.object(path).body;
    let look = "cat deps/small; find deps -type f | sort";
    let mut lines = String::new();
    for damage in [
        |body: &mut Vec<u8>| body.truncate(body.len() / 2),
        |body: &mut Vec<u8>| body.clear(),
        |body: &mut Vec<u8>| {
            let middle = body.len() / 2;
            body[middle] ^= 1;
        },
        |body: &mut Vec<u8>| *body = b"<html>not a cache</html>".repeat(10_000),
    ] {
        let mut body = whole.clone();
        damage(&mut body);
        store.put(path, body);
        let mut trial = build(&store, s3("demo"), section, &[look]);
        // What the source has of the same names is as it was.
        let deps = trial.root.path().join("codebuild/output/src42/src/deps");
        fs::create_dir_all(&deps).unwrap();
        fs::write(deps.join("small"), "from the source\n").unwrap();
        trial.orders.variables.clear();
        let ended = trial.run();
        ended.expect_exit_0().expect_printed(expect![[r#"
            from the source
            deps/small
        "#]]);
        assert!(ended.facts().contains("ended DOWNLOAD_SOURCE SUCCEEDED"));
        let unable =
            told(&ended).lines().find(|line| line.starts_with("Unable")).map(str::to_owned);
        lines += &format!("{}\n", unable.unwrap());
    }
    expect![[r#"
        Unable to download cache: the cache is damaged: it has no index
        Unable to download cache: the cache is damaged: it has no index
        Unable to download cache: the cache is damaged: Restored data doesn't match checksum
        Unable to download cache: the cache is damaged: it has no index
    "#]]
    .assert_eq(&lines);
}

#[test]
fn a_store_that_does_not_take_or_give_is_a_line() {
    let store = Store::start();
    let order = S3Cache { bucket: "gone".to_owned(), ..s3("demo") };
    let ended =
        build(&store, order, "{paths: ['deps/**/*']}", &["mkdir deps; echo > deps/x"]).run();
    expect_told(
        &ended,
        expect![[r#"
        Expanded cache path deps/**/*
        Downloading S3 cache...
        Unable to download cache: NoSuchBucket: The specified bucket does not exist status code: 404, request id: R1, host id: H1
        Uploading S3 cache...
        Unable to upload cache: NoSuchBucket: The specified bucket does not exist status code: 404, request id: R1, host id: H1
    "#]],
    );
    assert!(ended.facts().contains("ended UPLOAD_ARTIFACTS SUCCEEDED"));
    let nothing = build(&store, s3("demo"), "{paths: ['deps/**/*']}", &["true"]).run();
    expect_told(
        &nothing,
        expect![[r#"
        Expanded cache path deps/**/*
        Downloading S3 cache...
        Cache miss: there is none of this project
        Uploading S3 cache...
        Unable to upload cache: the cache paths hold no files
    "#]],
    );
    let key = build(&store, s3("demo"), "{key: '$(false)', paths: [deps]}", &["true"]).run();
    expect_told(
        &key,
        expect![[r#"
        Unable to initialize cache download: the cache key is empty
    "#]],
    );
    let unmatched = "{key: 'k-$(codebuild-hash-files none.lock)', paths: [deps]}";
    let unmatched = build(&store, s3("demo"), unmatched, &["true"]).run();
    assert!(unmatched.log().contains("codebuild-hash-files: no file matches none.lock\n"));
}

#[test]
fn a_failed_build_saves_nothing_and_an_action_does_one_half() {
    let store = Store::start();
    let make = "mkdir -p deps; echo > deps/x";
    let failed = build(&store, s3("demo"), "{paths: [deps]}", &[make, "false"]).run();
    expect_told(
        &failed,
        expect![[r#"
        Expanded cache path deps
        Downloading S3 cache...
        Cache miss: there is none of this project
        Skip cache upload: the build did not succeed
    "#]],
    );
    assert_eq!(store.paths(), "");
    let restore = build(&store, s3("demo"), "{paths: [deps], action: restore}", &[make]).run();
    expect_told(
        &restore,
        expect![[r#"
        Expanded cache path deps
        Downloading S3 cache...
        Cache miss: there is none of this project
    "#]],
    );
    assert_eq!(store.paths(), "");
    let save = build(&store, s3("demo"), "{paths: [deps], action: save}", &[make]).run();
    expect_told(
        &save,
        expect![[r#"
        Uploading S3 cache...
        Cache saved: 2 files, 1 bytes as SIZE in N s
    "#]],
    );
    let save =
        build(&store, s3("demo"), "{paths: [deps], action: save}", &["ls deps || echo none"]);
    save.run().expect_printed(expect![[r#"
        ls: cannot access 'deps': No such file or directory
        none
    "#]]);
}

#[test]
fn what_the_paths_do_not_mean_is_left_out_and_an_invalidated_cache_is_none() {
    let store = Store::start();
    let make = "mkdir -p one two; echo 1 > one/x; echo 2 > two/y";
    build(&store, s3("demo"), "{paths: [one, two]}", &[make]).run();
    let fewer = build(&store, s3("demo"), "{paths: [two], action: restore}", &["ls"]).run();
    expect_told(
        &fewer,
        expect![[r#"
        Expanded cache path two
        Downloading S3 cache...
        Unarchiving cache...
        Skipping cache entry: path "one" is not within allowed cache paths
        Skipping cache entry: path "one/x" is not within allowed cache paths
        Cache hit: 2 files, 2 bytes from SIZE in N s; saved by demo:b-uuid at MOMENT, whose commands ran N s
        The commands ran N s with the cache, and N s in demo:b-uuid, which saved it
    "#]],
    );
    fewer.expect_printed(expect![[r#"
        two
    "#]]);
    let far = Timestamp::from_millis(4_102_444_800_000);
    let order = S3Cache { invalidated_at: Some(far), ..s3("demo") };
    let invalid = build(&store, order, "{paths: [two], action: restore}", &["ls"]).run();
    expect_told(
        &invalid,
        expect![[r#"
        Expanded cache path two
        Downloading S3 cache...
        Unable to download cache: the cache was invalidated at MOMENT
    "#]],
    );
    invalid.expect_printed(expect![[""]]);
}

#[test]
fn a_namespace_shares_keys_between_projects_and_nothing_else_does() {
    let store = Store::start();
    let section = "{key: k1, paths: [deps]}";
    let shared = |project: &str| S3Cache { namespace: Some("team".to_owned()), ..s3(project) };
    let make = "mkdir deps; echo of one > deps/x";
    build(&store, shared("one"), section, &[make]).run();
    let look = &["cat deps/x || echo none"];
    build(&store, shared("two"), section, look).run().expect_printed(expect![[r#"
        of one
    "#]]);
    build(&store, s3("three"), section, look).run().expect_printed(expect![[r#"
        cat: deps/x: No such file or directory
        none
    "#]]);
    build(&store, shared("two"), "{paths: [deps]}", look).run().expect_printed(expect![[r#"
        cat: deps/x: No such file or directory
        none
    "#]]);
}

#[test]
fn folders_of_a_local_cache_are_links() {
    let machine = TempDir::new().unwrap();
    let local = |state: LocalState, paths: &str, commands: &[&str]| {
        let store = Store::start();
        let mut trial = build(&store, s3("demo"), &format!("{{paths: [{paths}]}}"), commands);
        trial.orders.cache = CacheOrder::Local(LocalCache {
            folder: machine.path().to_str().unwrap().to_owned(),
            id: "1d".to_owned(),
            custom: LocalMode::On,
            source: LocalMode::Off,
            docker_layers: LocalMode::Off,
            state,
        });
        let source = trial.root.path().join("codebuild/output/src42/src");
        fs::create_dir_all(source.join("lib/in")).unwrap();
        fs::write(source.join("lib/in/own"), "of the source\n").unwrap();
        fs::write(source.join("file"), "").unwrap();
        trial.run()
    };
    let paths = "'deps/**/*', lib/, 'file', '**/x'";
    let first = local(LocalState::First, paths, &["cat lib/in/own; echo kept > deps/x; ls -d lib"]);
    expect_told(
        &first,
        expect![[r#"
        Expanded cache path deps/**/*
        Expanded cache path lib/
        Expanded cache path file
        Expanded cache path **/x
        Local cache: empty, as no build of the project has used it
        MkdirAll: ELSEWHERE/custom/1d/deps
        Symlinking: /codebuild/output/src42/src/deps => ELSEWHERE/custom/1d/deps
        MkdirAll: ELSEWHERE/custom/1d/lib
        Symlinking: /codebuild/output/src42/src/lib => ELSEWHERE/custom/1d/lib
        Unable to initialize cache download: only directories can be cached locally: file
        Unable to initialize cache download: only directories can be cached locally: **/x
    "#]],
    );
    first.expect_printed(expect![[r#"
        of the source
        lib
    "#]]);
    let used = LocalState::Kept { used_at: Timestamp::from_millis(1) };
    let look = "cat deps/x lib/in/own; echo changed > lib/in/own";
    local(used.clone(), paths, &[look]).expect_printed(expect![[r#"
        kept
        of the source
    "#]]);
    // What is cached takes the place of what the source has.
    let third = local(used, paths, &["cat lib/in/own", "rm -r machine deps/x"]);
    third.expect_printed(expect![[r#"
        changed
        rm: cannot remove 'machine': No such file or directory
    "#]]);
}
