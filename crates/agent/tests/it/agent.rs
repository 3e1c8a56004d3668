//! Starts the agent without a sandbox, and renders its journal so that a person can read it.

use agent_protocol::journal::Reader;
use agent_protocol::{
    BuildspecLocation, CacheOrder, Course, Credentials, Fact, GitSettings, ObjectStore, Orders,
    PROTOCOL_VERSION, Record, RecordBody, RuntimesOrder, Source, Variable,
};
use expect_test::Expect;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::fs::{self, File, OpenOptions};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A build to be tried: its orders, and the folder that stands for the environment's root.
pub(crate) struct Trial {
    pub(crate) root: TempDir,
    pub(crate) orders: Orders,
    /// A program and its arguments that the agent is started through.
    pub(crate) wrapper: Vec<&'static str>,
}

/// What a build left behind.
pub(crate) struct Outcome {
    pub(crate) root: TempDir,
    pub(crate) records: Vec<Record>,
    pub(crate) process: Output,
}

/// A build of an inline buildspec without a source.
pub(crate) fn inline(buildspec: &str) -> Trial {
    let root = TempDir::with_prefix("agent").unwrap();
    let orders = Orders {
        protocol: PROTOCOL_VERSION,
        build_arn: "arn:aws:codebuild:eu-west-1:000000000000:build/demo:b-uuid".to_owned(),
        build_uuid: "b-uuid".to_owned(),
        source: Source::NoSource,
        source_dir: at(&root, "codebuild/output/src42/src"),
        secondary_sources: Vec::new(),
        git: GitSettings::default(),
        buildspec: BuildspecLocation::Inline { text: buildspec.to_owned() },
        base_variables: vec![Variable { name: "CODEBUILD_CI".into(), value: "true".into() }],
        variables: Vec::new(),
        references: Vec::new(),
        runtimes: RuntimesOrder::Image,
        course: Course::default(),
        compute: None,
        auto_retry_number: 0,
        artifacts: None,
        secondary_artifacts: Vec::new(),
        cache: CacheOrder::NoCache,
        object_store: ObjectStore {
            endpoint: "http://127.0.0.1:9".to_owned(),
            region: "eu-west-1".to_owned(),
            credentials: Credentials {
                access_key_id: "ASIABUILD".to_owned(),
                secret_access_key: "secret".to_owned(),
                session_token: "token".to_owned(),
            },
        },
    };
    Trial { root, orders, wrapper: Vec::new() }
}

/// A build whose BUILD phase runs these commands.
pub(crate) fn commands(commands: &[&str]) -> Trial {
    inline(&buildspec("", commands))
}

/// A buildspec whose BUILD phase runs these commands, with `head` before its phases.
pub(crate) fn buildspec(head: &str, commands: &[&str]) -> String {
    let list: String = commands
        .iter()
        .map(|command| format!("      - {}\n", serde_json::to_string(command).unwrap()))
        .collect();
    format!("version: 0.2\n{head}phases:\n  build:\n    commands:\n{list}")
}

fn at(root: &TempDir, path: &str) -> String {
    root.path().join(path).to_str().unwrap().to_owned()
}

impl Trial {
    /// Sets a variable of the caller.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.orders.variables.push(Variable { name: name.to_owned(), value: value.to_owned() });
        self
    }

    /// Runs the build to its end.
    pub(crate) fn run(self) -> Outcome {
        let orders = serde_json::to_vec(&self.orders).unwrap();
        self.run_with_orders(&orders)
    }

    /// Runs the agent with these bytes as its orders.
    pub(crate) fn run_with_orders(self, orders: &[u8]) -> Outcome {
        let folder = self.root.path();
        fs::write(folder.join("orders"), orders).unwrap();
        let process = Command::new("sh")
            .arg("-c")
            .arg(r#"exec 3<"$1/orders" 4>>"$1/journal"; shift; exec "$@""#)
            .arg("sh")
            .arg(folder)
            .args(&self.wrapper)
            .args([env!("CARGO_BIN_EXE_agent"), "--root"])
            .arg(folder)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let records = read_journal(&folder.join("journal"));
        Outcome { root: self.root, records, process }
    }

    /// The same with orders and journal handed over at a door; with no orders, nothing is.
    pub(crate) fn run_at_a_door(self, orders: &[u8]) -> Outcome {
        let folder = self.root.path();
        let door = UnixListener::bind(folder.join("door")).unwrap();
        fs::write(folder.join("orders"), orders).unwrap();
        let journal = OpenOptions::new().append(true).create(true).open(folder.join("journal"));
        let journal = journal.unwrap();
        let agent = Command::new(env!("CARGO_BIN_EXE_agent"))
            .args(["--root".as_ref(), folder, "--door".as_ref(), &folder.join("door")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (visitor, _) = door.accept().unwrap();
        if !orders.is_empty() {
            let orders = File::open(folder.join("orders")).unwrap();
            let descriptors = [orders.as_fd(), journal.as_fd()];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
            let mut beside = SendAncillaryBuffer::new(&mut space);
            assert!(beside.push(SendAncillaryMessage::ScmRights(&descriptors)));
            sendmsg(&visitor, &[IoSlice::new(b"\0")], &mut beside, SendFlags::empty()).unwrap();
        }
        drop(visitor);
        let process = agent.wait_with_output().unwrap();
        let records = read_journal(&folder.join("journal"));
        Outcome { root: self.root, records, process }
    }
}

fn read_journal(path: &Path) -> Vec<Record> {
    let mut reader = Reader::new(0);
    reader.push(&fs::read(path).unwrap());
    let records = std::iter::from_fn(|| reader.next_record().unwrap()).collect();
    reader.finish().unwrap();
    records
}

impl Outcome {
    /// What the build's log shows.
    pub(crate) fn log(&self) -> String {
        let mut bytes = Vec::new();
        for record in &self.records {
            if let RecordBody::Log(output) = &record.body {
                bytes.extend_from_slice(output);
            }
        }
        normalise(&String::from_utf8_lossy(&bytes), self.root.path())
    }

    /// What the commands printed: the log without the agent's lines and the empty ones.
    pub(crate) fn printed(&self) -> String {
        let log = self.log();
        let lines = log.lines().filter(|line| !line.is_empty() && !line.starts_with("[Container]"));
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// The facts, one a line.
    pub(crate) fn facts(&self) -> String {
        let facts = self.records.iter().filter_map(|record| match &record.body {
            RecordBody::Fact(fact) => Some(fact_line(fact)),
            RecordBody::Log(_) => None,
        });
        normalise(&facts.collect::<String>(), self.root.path())
    }

    /// Compares what the commands printed.
    pub(crate) fn expect_printed(&self, expected: Expect) -> &Self {
        expected.assert_eq(&self.printed());
        self
    }

    /// Compares the facts.
    pub(crate) fn expect_facts(&self, expected: Expect) -> &Self {
        expected.assert_eq(&self.facts());
        self
    }

    /// Compares the whole log.
    pub(crate) fn expect_log(&self, expected: Expect) -> &Self {
        expected.assert_eq(&self.log());
        self
    }

    /// The agent ended by itself and well.
    pub(crate) fn expect_exit_0(&self) -> &Self {
        assert_eq!(self.process.status.into_raw(), 0, "{:?}", self.process);
        self
    }
}

fn fact_line(fact: &Fact) -> String {
    let (name, rest) = match fact {
        Fact::Hello { protocol } => ("hello", protocol.to_string()),
        Fact::PhaseStarted { phase } => ("started", phase.as_str().to_owned()),
        Fact::PhaseFinished { phase, outcome } => {
            let context = outcome.context();
            let words = [phase.as_str(), outcome.status.as_str(), &context.status_code];
            ("ended", format!("{} {}", words.join(" "), context.message))
        }
        Fact::CommandStarted(_) | Fact::CommandEnded(_) | Fact::Used(_) => return String::new(),
        Fact::SourceResolved { version } => ("source", version.clone()),
        Fact::SourcesFetched => ("sources", "are there".to_owned()),
        Fact::GitCredentialHelper => ("offered", "git credentials".to_owned()),
        Fact::Exported { variables } => ("exported", format!("{variables:?}")),
        Fact::ArtifactUploaded(uploaded) => ("uploaded", format!("{uploaded:?}")),
        Fact::RetryAsked { count } => ("retry asked", count.to_string()),
        Fact::Finished => ("finished", String::new()),
    };
    format!("{}\n", format!("{name} {rest}").trim_end())
}

/// Takes out what differs from run to run: the moment, and the folder that stands for the root.
fn normalise(text: &str, root: &Path) -> String {
    let text = text.replace(root.to_str().unwrap(), "");
    text.split_inclusive('\n').map(without_moment).collect()
}

fn without_moment(line: &str) -> String {
    const MOMENT: usize = "2026/01/31 23:59:59.123456 ".len();
    match line.strip_prefix("[Container] ") {
        Some(rest) => format!("[Container] {}", &rest[MOMENT..]),
        None => line.to_owned(),
    }
}
