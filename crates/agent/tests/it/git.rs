//! Sources that are Git repositories, from git's own server program, with and without a password.

use crate::agent::{Trial, inline};
use crate::git_server::{Access, GitServer, PASSWORD, Repository, USER, serve};
use agent_protocol::{
    BuildspecLocation, GitReference, GitSource, GitVersion, SecondarySource, Source,
};
use expect_test::expect;
use regex::Regex;
use std::net::TcpListener;

const SPEC: &str = "version: 0.2\nphases:\n  build:\n    commands:\n      - cat greeting.txt\n      \
                    - git log --format=%s%d | head -3\n      - git status --short --branch\n";

fn source(server: &GitServer, reference: GitReference) -> GitSource {
    GitSource {
        url: format!("{}/app", server.url),
        version: GitVersion { reference, commit: None },
        asked_version: "asked".to_owned(),
        depth: None,
        fetch_submodules: false,
        insecure_tls: false,
    }
}

fn trial(server: &GitServer, source: GitSource) -> Trial {
    let mut trial = inline("");
    trial.orders.buildspec = BuildspecLocation::Path { path: "buildspec.yml".to_owned() };
    trial.orders.source = Source::Git(source);
    trial.orders.git.credentials_url.clone_from(&server.credentials_url);
    trial.orders.git.stalled_seconds_max = 30;
    let path = std::env::var("PATH").unwrap();
    trial = trial.variable("PATH", &path);
    let base = agent_protocol::Variable { name: "PATH".to_owned(), value: path };
    trial.orders.base_variables.push(base);
    trial
}

/// A repository with three commits on `main`, a branch, two tags and a pull request.
fn repository(server: &GitServer) -> Repository {
    let made = server.repository("app", &[("buildspec.yml", SPEC), ("greeting.txt", "one\n")]);
    made.git(&["tag", "v1"]);
    made.commit(&[("greeting.txt", "two\n")]);
    made.git(&["tag", "--annotate", "--message=two", "v2"]);
    made.git(&["checkout", "--quiet", "-b", "feature/x"]);
    made.commit(&[("greeting.txt", "feature\n")]);
    made.git(&["checkout", "--quiet", "--detach"]);
    made.commit(&[("greeting.txt", "pull request\n")]);
    made.git(&["update-ref", "refs/pull/7/head", "HEAD"]);
    made.git(&["checkout", "--quiet", "main"]);
    made.commit(&[("greeting.txt", "three\n")]);
    made
}

fn named(name: &str) -> GitReference {
    GitReference::Named(name.to_owned())
}

fn full(name: &str) -> GitReference {
    GitReference::Full(name.to_owned())
}

#[test]
fn a_repository_is_cloned_with_a_password_that_nobody_sees() {
    let server = GitServer::start(Access::Password);
    let repository = repository(&server);
    let build = trial(&server, source(&server, GitReference::Default)).run();
    build.expect_exit_0().expect_printed(expect![[r#"
        three
        a change (HEAD -> main, origin/main, origin/HEAD)
        a change (tag: v2)
        a change (tag: v1)
        ## main...origin/main
    "#]]);
    let head = repository.git(&["rev-parse", "HEAD"]);
    assert!(build.facts().contains(&format!("source {head}\n")), "{}", build.facts());
    let host = server.url.strip_prefix("http://").unwrap();
    let questions = server.questions();
    let asked = format!("protocol=http\nhost={host}\n");
    assert_eq!(questions.len(), 1, "{questions:?}");
    assert!(questions[0].starts_with("source=\n") && questions[0].contains(&asked));
    for entry in walk(build.root.path()) {
        let text = std::fs::read(&entry).unwrap();
        let found = text.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
        assert!(!found, "the password is in {}", entry.display());
    }
    assert!(!build.log().contains(USER));
    assert!(!build.root.path().join("codebuild/output/tmp/git").exists());
}

/// All files below a folder.
pub(crate) fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(walk(&entry.path()));
        } else if entry.file_type().unwrap().is_file() {
            found.push(entry.path());
        }
    }
    found
}

#[test]
fn every_kind_of_version_is_checked_out() {
    let server = GitServer::start(Access::Open);
    let repository = repository(&server);
    let first = repository.git(&["rev-parse", "v1"]);
    let lost = repository.git(&["rev-parse", "refs/pull/7/head"]);
    repository.git(&["update-ref", "refs/hidden/x", &lost]);
    let cases = [
        (named("feature/x"), None, "feature"),
        (named("v1"), None, "one"),
        (named("v2"), None, "two"),
        (named(&first[..8]), None, "one"),
        (full("refs/heads/main"), None, "three"),
        (full("refs/tags/v2"), None, "two"),
        (full("refs/pull/7/head"), None, "pull request"),
        (GitReference::Default, Some(&first), "one"),
        (GitReference::Default, Some(&lost), "pull request"),
        (full("refs/heads/main"), Some(&first), "one"),
        (full("refs/pull/7/head"), Some(&first), "one"),
    ];
    for (reference, commit, greeting) in cases {
        for depth in [None, Some(1)] {
            let mut source = source(&server, reference.clone());
            source.depth = depth;
            source.version.commit = commit.cloned();
            let build = trial(&server, source).run();
            build.expect_exit_0();
            let printed = build.printed();
            let place = format!("{reference:?} {commit:?} {depth:?}: {}", build.log());
            assert_eq!(printed.lines().next(), Some(greeting), "{place}");
            let shown = build.facts();
            let resolved = shown.lines().find_map(|line| line.strip_prefix("source "));
            assert!(commit.is_none_or(|commit| resolved == Some(commit)), "{place}");
        }
    }
}

#[test]
fn a_depth_is_how_much_history_comes() {
    let server = GitServer::start(Access::Open);
    let spec = "version: 0.2\nphases: {build: {commands: [git rev-list --count HEAD]}}\n";
    repository(&server).commit(&[("buildspec.yml", spec)]);
    let head = source(&server, GitReference::Default);
    for (depth, count) in [(None, "4\n"), (Some(1), "1\n"), (Some(3), "3\n")] {
        let build = trial(&server, GitSource { depth, ..head.clone() }).run();
        assert_eq!(build.printed(), count, "{depth:?}");
    }
}

#[test]
fn what_is_not_there_fails_in_codebuilds_words() {
    let server = GitServer::start(Access::Open);
    repository(&server);
    let mut told = String::new();
    let mut tell = |source: GitSource| {
        let build = trial(&server, source).run();
        build.expect_exit_0();
        let facts = build.facts().replace(&server.url, "URL");
        let ended = facts.lines().find(|line| line.starts_with("ended")).unwrap();
        // How long a busy machine takes to refuse a connection.
        let ended = Regex::new(r"after \d+ ms").unwrap().replace(ended, "after N ms");
        told.push_str(&ended);
        told.push('\n');
    };
    let none = "0123456789012345678901234567890123456789".to_owned();
    for reference in [
        named("nope"),
        named("0123456"),
        named("--upload-pack=touch /tmp/evil"),
        full("refs/pull/8/head"),
        full("refs/heads/v1"),
    ] {
        tell(source(&server, reference));
    }
    let mut commit = source(&server, GitReference::Default);
    commit.version.commit = Some(none);
    tell(commit.clone());
    tell(GitSource { depth: Some(1), ..commit });
    let elsewhere = |url: String| GitSource { url, ..source(&server, GitReference::Default) };
    tell(elsewhere(format!("{}/nope", server.url)));
    tell(elsewhere("http://127.0.0.1:9/app".to_owned()));
    tell(elsewhere("ext::touch /tmp/evil".to_owned()));
    tell(elsewhere("file:///etc".to_owned()));
    expect![[r#"
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR reference not found for primary source and source version asked
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR reference not found for primary source and source version asked
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR reference not found for primary source and source version asked
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR reference not found for primary source and source version asked
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR reference not found for primary source and source version asked
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR reference not found for primary source and source version asked
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR reference not found for primary source and source version asked
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR repository not found for primary source and source version asked
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR Git clone failed: unable to access 'http://127.0.0.1:9/app/': Failed to connect to 127.0.0.1 port 9 after N ms: Couldn't connect to server for primary source and source version asked
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR Git clone failed: transport 'ext' not allowed for primary source and source version asked
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR Git clone failed: transport 'file' not allowed for primary source and source version asked
    "#]].assert_eq(&told);
}

#[test]
fn a_wrong_password_is_no_password() {
    let server = GitServer::start(Access::Password);
    repository(&server);
    let wrong = b"username=ann\npassword=wrong\n";
    let mut trial = trial(&server, source(&server, GitReference::Default));
    trial.orders.git.credentials_url = serve(|_| (200, String::new(), wrong.to_vec()));
    trial.run().expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR authentication required for primary source and source version asked
        finished
    "#]]);
}

#[test]
fn a_server_that_hangs_is_given_up() {
    let server = GitServer::start(Access::Open);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/app", silent.local_addr().unwrap());
    let mut trial = trial(&server, GitSource { url, ..source(&server, GitReference::Default) });
    trial.orders.git.stalled_seconds_max = 1;
    let build = trial.run();
    let port = silent.local_addr().unwrap().port().to_string();
    let facts = build.facts().replace(&port, "PORT");
    expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR Git clone failed: unable to access 'http://127.0.0.1:PORT/app/': Operation too slow. Less than 1 bytes/sec transferred the last 1 seconds for primary source and source version asked
        finished
    "#]].assert_eq(&facts);
}

#[test]
fn a_secondary_source_is_a_clone_too() {
    let server = GitServer::start(Access::Password);
    repository(&server);
    server.repository("lib", &[("x", "from the library\n")]);
    let mut trial = inline(
        "version: 0.2\nphases: {build: {commands: [\"cat $CODEBUILD_SRC_DIR_lib/x; echo $CODEBUILD_RESOLVED_SOURCE_VERSION\"]}}\n",
    );
    let prepared = self::trial(&server, source(&server, GitReference::Default));
    trial.orders.git = prepared.orders.git.clone();
    trial.orders.base_variables = prepared.orders.base_variables;
    trial.orders.secondary_sources = vec![SecondarySource {
        identifier: "lib".to_owned(),
        source: Source::Git(GitSource {
            url: format!("{}/lib", server.url),
            ..source(&server, named("main"))
        }),
        source_dir: trial.orders.source_dir.replace("/src42/", "/src43/"),
    }];
    let build = trial.run();
    build.expect_printed(expect![[r#"
        from the library
    "#]]);
    assert!(server.questions()[0].starts_with("source=lib\n"));
    assert!(server.requests().iter().any(|request| request.starts_with("POST /lib/git-upload")));
}

const SHOW: &str = "version: 0.2\nphases: {build: {commands: [\"find . -name '*.txt' | sort\"]}}\n";

#[test]
fn submodules_come_with_their_own() {
    let server = GitServer::start(Access::Password);
    let deep = server.repository("deep", &[("deep.txt", "")]);
    let lib = server.repository("lib", &[("lib.txt", "")]);
    lib.add_submodule("deep", "../deep", &deep.git(&["rev-parse", "HEAD"]));
    let app = server.repository("app", &[("buildspec.yml", SHOW), ("app.txt", "")]);
    let url = format!("{}/lib", server.url);
    app.add_submodule("parts/lib", &url, &lib.git(&["rev-parse", "HEAD"]));
    let wanted = source(&server, GitReference::Default);
    let without = trial(&server, wanted.clone()).run();
    without.expect_exit_0().expect_printed(expect![[r#"
        ./app.txt
    "#]]);
    for depth in [None, Some(1)] {
        let wanted = GitSource { fetch_submodules: true, depth, ..wanted.clone() };
        let build = trial(&server, wanted).run();
        build.expect_exit_0().expect_printed(expect![[r#"
            ./app.txt
            ./parts/lib/deep/deep.txt
            ./parts/lib/lib.txt
        "#]]);
    }
}

#[test]
fn submodules_that_cannot_be_had_fail_the_phase() {
    let server = GitServer::start(Access::Open);
    let none = "0123456789012345678901234567890123456789";
    let mut told = String::new();
    for (name, url) in [
        ("missing", "../nope"),
        ("file", "file:///etc"),
        ("command", "ext::touch /tmp/evil"),
        ("option", "--upload-pack=touch /tmp/evil"),
        ("ssh", "ssh://-oProxyCommand=x/y"),
    ] {
        let made = server.repository(name, &[("buildspec.yml", SHOW)]);
        made.add_submodule("part", url, none);
        let url = format!("{}/{name}", server.url);
        let wanted = source(&server, GitReference::Default);
        let build = trial(&server, GitSource { url, fetch_submodules: true, ..wanted }).run();
        build.expect_exit_0();
        let facts = build.facts().replace(&server.url, "URL");
        told.push_str(facts.lines().find(|line| line.starts_with("ended")).unwrap());
        told.push('\n');
    }
    expect![[r#"
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR repository not found: clone of 'URL/nope' into submodule path '/codebuild/output/src42/src/part' for primary source and source version asked
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR Git clone failed: transport 'file' not allowed: clone of 'file:///etc' into submodule path '/codebuild/output/src42/src/part' for primary source and source version asked
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR Git clone failed: transport 'ext' not allowed: clone of 'ext::touch /tmp/evil' into submodule path '/codebuild/output/src42/src/part' for primary source and source version asked
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR Git clone failed: No url found for submodule path 'part' in .gitmodules for primary source and source version asked
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR Git clone failed: transport 'ssh' not allowed: clone of 'ssh://-oProxyCommand=x/y' into submodule path '/codebuild/output/src42/src/part' for primary source and source version asked
    "#]].assert_eq(&told);
}

#[test]
fn a_loop_of_submodules_ends() {
    let server = GitServer::start(Access::Open);
    let app = server.repository("app", &[("buildspec.yml", SHOW)]);
    for _ in 0..18 {
        app.add_submodule("app", "../app", &app.git(&["rev-parse", "HEAD"]));
    }
    let wanted = source(&server, GitReference::Default);
    let build = trial(&server, GitSource { fetch_submodules: true, ..wanted }).run();
    build.expect_exit_0().expect_facts(expect![[r#"
        hello 1
        started DOWNLOAD_SOURCE
        ended DOWNLOAD_SOURCE FAILED CLIENT_ERROR Git clone failed: submodules are nested more than 16 levels deep, as in a loop: app/app/app/app/app/app/app/app/app/app/app/app/app/app/app/app for primary source and source version asked
        finished
    "#]]);
}

#[test]
fn commands_have_a_credential_helper_when_the_buildspec_says_so() {
    let server = GitServer::start(Access::Password);
    server.repository("lib", &[("x", "")]);
    let list =
        format!("git ls-remote {}/lib 2>&1 | sed 's/[0-9a-f]*\\t//; s,http.*,URL,'", server.url);
    let mut told = Vec::new();
    for answer in ["no", "yes"] {
        let spec = format!(
            "version: 0.2\nenv: {{git-credential-helper: {answer}}}\nphases:\n  build:\n    \
             commands:\n      - {list:?}\n"
        );
        let name = format!("app-{answer}");
        server.repository(&name, &[("buildspec.yml", &spec)]);
        let url = format!("{}/{name}", server.url);
        let wanted = GitSource { url, ..source(&server, GitReference::Default) };
        let mut trial = trial(&server, wanted).variable("GIT_TERMINAL_PROMPT", "0");
        let home = trial.root.path().join("root").to_str().unwrap().to_owned();
        trial = trial.variable("HOME", &home);
        let build = trial.run();
        build.expect_exit_0();
        let offered = build.facts().contains("offered");
        told.push(format!("{answer}: offered {offered}\n{}", build.printed()));
    }
    expect![[r#"
        no: offered false
        fatal: could not read Username for 'URL
        yes: offered true
        HEAD
        refs/heads/main
    "#]]
    .assert_eq(&told.concat());
    let asked = server.questions();
    assert!(asked[2].starts_with("source=*\n") && asked[2].contains("path=lib\n"), "{asked:?}");
}
