//! Repositories of which a build of before has left what it fetched in the project's local cache.

use crate::agent::{Outcome, inline};
use crate::git::walk;
use crate::git_server::{Access, GitServer, PASSWORD, Repository};
use agent_protocol::{
    BuildspecLocation, CacheOrder, GitReference, GitSource, GitVersion, LocalCache, LocalMode,
    LocalState, Source, Variable,
};
use expect_test::expect;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What does not become less by compression, so that it shows in what is sent.
const LARGE_BYTES: usize = 300_000;

struct Machine {
    server: GitServer,
    repository: Repository,
    cache: TempDir,
}

fn machine(access: Access) -> Machine {
    let server = GitServer::start(access);
    let large: String = noise(LARGE_BYTES);
    let files = [("buildspec.yml", ""), ("large", large.as_str()), ("greeting.txt", "one\n")];
    let repository = server.repository("app", &files);
    repository.git(&["tag", "v1"]);
    Machine { server, repository, cache: TempDir::with_prefix("machine").unwrap() }
}

fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'!' + u8::try_from((state >> 40) % 90).unwrap())
    };
    (0..length).map(|_| next()).collect()
}

impl Machine {
    /// A build of a version, at any depth, and how many bytes the server has sent for it.
    fn build(&self, version: &str, depth: Option<u32>, commands: &[&str]) -> (Outcome, u64) {
        let commands = serde_json::to_string(commands).unwrap();
        let mut trial = inline("");
        let text = format!("version: 0.2\nphases: {{build: {{commands: {commands}}}}}\n");
        trial.orders.buildspec = BuildspecLocation::Inline { text };
        let reference = match version {
            "" => GitReference::Default,
            name if name.starts_with("refs/") => GitReference::Full(name.to_owned()),
            name => GitReference::Named(name.to_owned()),
        };
        let commit = (version.len() == 40).then(|| version.to_owned());
        let reference = if commit.is_some() { GitReference::Default } else { reference };
        trial.orders.source = Source::Git(GitSource {
            url: format!("{}/app", self.server.url),
            version: GitVersion { reference, commit },
            asked_version: version.to_owned(),
            depth,
            fetch_submodules: false,
            insecure_tls: false,
        });
        trial.orders.git.credentials_url.clone_from(&self.server.credentials_url);
        trial.orders.git.stalled_seconds_max = 30;
        let path = std::env::var("PATH").unwrap();
        trial.orders.base_variables.push(Variable { name: "PATH".to_owned(), value: path });
        trial.orders.cache = CacheOrder::Local(LocalCache {
            folder: self.cache.path().to_str().unwrap().to_owned(),
            id: "1d".to_owned(),
            custom: LocalMode::Off,
            source: LocalMode::On,
            docker_layers: LocalMode::Off,
            state: LocalState::First,
        });
        let before = self.server.bytes_sent();
        let build = trial.run();
        (build, self.server.bytes_sent() - before)
    }

    fn kept(&self) -> PathBuf {
        let folder = fs::read_dir(self.cache.path().join("source/1d")).unwrap().next();
        folder.unwrap().unwrap().path()
    }
}

/// What the log says of the cache.
fn told(build: &Outcome) -> Vec<String> {
    let log = build.log();
    let lines = log.lines().filter_map(|line| line.strip_prefix("[Container] "));
    lines.filter(|line| line.to_lowercase().contains("local")).map(str::to_owned).collect()
}

const LOOK: &[&str] = &["cat greeting.txt; git log --format=%s%d; git status --short --branch"];

#[test]
fn a_second_build_fetches_what_is_new() {
    let machine = machine(Access::Password);
    let (first, all) = machine.build("", None, &["cat .git | cut -c1-8; git fsck --strict"]);
    first.expect_exit_0().expect_printed(expect![[r#"
        gitdir: 
    "#]]);
    assert_eq!(told(&first), ["Local source cache: empty, all of the history is fetched"]);
    assert!(all > LARGE_BYTES as u64 / 2, "{all}");
    machine.repository.commit(&[("greeting.txt", "two\n")]);
    let (second, new) = machine.build("", None, LOOK);
    second.expect_exit_0().expect_printed(expect![[r#"
        two
        a change (HEAD -> main, origin/main, origin/HEAD)
        a change (tag: v1)
        ## main...origin/main
    "#]]);
    let line = &told(&second)[0];
    assert!(line.ends_with("KiB are here, what is new is fetched"), "{line}");
    assert!(new < 10_000, "{new} bytes were sent again");
    // Of nothing new, nothing but the references.
    let (third, none) = machine.build("", None, LOOK);
    third.expect_exit_0();
    assert!(none < 3_000, "{none} bytes were sent again");
    for entry in walk(machine.cache.path()) {
        let text = fs::read(&entry).unwrap();
        let found = text.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
        assert!(!found, "the password is in {}", entry.display());
    }
}

#[test]
fn every_version_comes_from_what_is_kept() {
    let machine = machine(Access::Open);
    let first = machine.repository.git(&["rev-parse", "HEAD"]);
    machine.build("", None, LOOK).0.expect_exit_0();
    machine.repository.commit(&[("greeting.txt", "two\n")]);
    machine.repository.git(&["checkout", "--quiet", "--detach"]);
    machine.repository.commit(&[("greeting.txt", "pull request\n")]);
    machine.repository.git(&["update-ref", "refs/pull/7/head", "HEAD"]);
    machine.repository.git(&["checkout", "--quiet", "main"]);
    for (version, greeting) in [
        ("", "two"),
        ("v1", "one"),
        (&first[..8], "one"),
        ("refs/tags/v1", "one"),
        ("refs/pull/7/head", "pull request"),
        ("refs/heads/main", "two"),
        (&first, "one"),
    ] {
        let (build, sent) = machine.build(version, None, LOOK);
        assert_eq!(build.printed().lines().next(), Some(greeting), "{version}: {}", build.log());
        assert!(sent < 10_000, "{sent} bytes were sent for {version}");
        assert_eq!(told(&build).len(), 1, "{version}: {:?}", told(&build));
    }
    // A part of the history is not kept, and does not come from what is.
    let (shallow, sent) = machine.build("", Some(1), &["git rev-list --count HEAD; ls -d .git/"]);
    shallow.expect_printed(expect![[r#"
        1
        .git/
    "#]]);
    assert_eq!(told(&shallow), ["Local source cache: not used for a part of the history"]);
    assert!(sent > LARGE_BYTES as u64 / 2, "{sent}");
    let (missing, _) = machine.build("nope", None, LOOK);
    assert!(missing.facts().contains("reference not found"), "{}", missing.facts());
}

#[test]
fn a_cache_that_is_broken_is_a_line_and_everything_is_fetched() {
    let machine = machine(Access::Open);
    let break_pack = |change: &dyn Fn(&Path)| {
        let packs = fs::read_dir(machine.kept().join("git/objects/pack")).unwrap();
        for entry in packs {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "pack") {
                change(&path);
            }
        }
    };
    let cases: [(&str, &dyn Fn()); 5] = [
        ("nothing was kept", &|| {}),
        ("a pack is gone", &|| break_pack(&|path| fs::remove_file(path).unwrap())),
        ("a pack is torn", &|| {
            break_pack(&|path| {
                fs::remove_file(path).unwrap();
                fs::write(path, "torn").unwrap();
            });
        }),
        ("a pack is damaged", &|| {
            break_pack(&|path| {
                let mut bytes = fs::read(path).unwrap();
                let middle = bytes.len() / 2;
                bytes[12..middle].fill(0xa5);
                fs::remove_file(path).unwrap();
                fs::write(path, bytes).unwrap();
            });
        }),
        ("the note is no JSON", &|| fs::write(machine.kept().join("packs.json"), "{").unwrap()),
    ];
    for (what, change) in cases {
        change();
        let (build, sent) = machine.build("", None, LOOK);
        build.expect_exit_0();
        assert_eq!(build.printed().lines().next(), Some("one"), "{what}: {}", build.log());
        assert!(sent > LARGE_BYTES as u64 / 2, "{what}: {sent}: {}", build.log());
        // What was damaged has gone, and the next build keeps everything anew.
        let (_, _) = machine.build("", None, LOOK);
        let (again, sent) = machine.build("", None, LOOK);
        assert!(sent < 3_000, "after {what}: {sent}: {}", again.log());
    }
}

#[test]
fn what_commands_leave_in_it_runs_in_no_later_build() {
    let machine = machine(Access::Password);
    let evil = machine.cache.path().join("evil");
    let touch = format!("touch {}", evil.display());
    let plant = format!(
        "cd $(git rev-parse --absolute-git-dir); git config core.sshCommand '{touch}'; git config \
         core.fsmonitor '{touch}'; git config credential.helper '!{touch};'; git config \
         core.alternateRefsCommand '{touch}'; mkdir -p hooks; for hook in post-checkout \
         reference-transaction; do printf '#!/bin/sh\\n{touch}\\n' > hooks/$hook; chmod +x \
         hooks/$hook; done; echo /nowhere > objects/info/alternates; git update-ref \
         refs/heads/evil HEAD; rm -f {}",
        evil.display()
    );
    machine.build("", None, &[&plant]).0.expect_exit_0();
    machine.repository.commit(&[("greeting.txt", "two\n")]);
    let (next, sent) = machine.build("", None, &["cat greeting.txt; git branch --list evil"]);
    next.expect_exit_0().expect_printed(expect![[r#"
        two
    "#]]);
    assert!(sent < 10_000, "{sent}");
    assert!(!evil.exists(), "what a command left was run");
    // A folder that has become a link is not followed when it is emptied.
    let precious = machine.cache.path().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("file"), "").unwrap();
    fs::remove_dir_all(machine.kept().join("git")).unwrap();
    std::os::unix::fs::symlink(&precious, machine.kept().join("git")).unwrap();
    let (after, _) = machine.build("", None, LOOK);
    assert_eq!(after.printed().lines().next(), Some("two"), "{}", after.log());
    assert!(precious.join("file").exists());
}

#[test]
fn many_small_fetches_become_one_pack() {
    let machine = machine(Access::Open);
    machine.build("", None, LOOK).0.expect_exit_0();
    for number in 0..11 {
        machine.repository.commit(&[("greeting.txt", &format!("{number}\n"))]);
        let (build, sent) = machine.build("", None, &["git rev-list --count HEAD"]);
        assert_eq!(build.printed(), format!("{}\n", number + 2), "{}", build.log());
        assert!(sent < 10_000, "{sent}");
    }
    let packs = fs::read_dir(machine.kept().join("git/objects/pack")).unwrap().count();
    assert!(packs <= 6, "{packs} files of packs");
}
