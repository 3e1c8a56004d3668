//! Peers that serve: Buildbot, podman's Docker API, and moto.

use super::{
    peer::{IMAGE, RUN_MAX, Server, ULIMITS, mounts, quietly},
    plain::Place,
};
use crate::{
    client::Client,
    service::{ACCESS_KEY_ID, SECRET_ACCESS_KEY},
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};
use wire::sigv4::Credentials;

/// How long to wait before asking again.
const POLL: Duration = Duration::from_millis(1);

/// A port that was free a moment ago.
fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn listens(place: &Place) -> bool {
    match place {
        Place::Address(address) => TcpStream::connect(address).is_ok(),
        Place::Socket(path) => path.exists(),
    }
}

/// Buildbot's master and one worker.
pub(super) struct Buildbot {
    master: Server,
    worker: Server,
}

/// The master's configuration: what a build does is told with it.
const MASTER: &str = r#"
from buildbot.plugins import schedulers, steps, util, worker
script = steps.ShellCommand(command=["sh", "-c", util.Property("script")], usePTY=False, logEnviron=False)
builder = util.BuilderConfig(name="b", workernames=["w"], factory=util.BuildFactory([script]))
words = [util.StringParameter(name="script", default=":", multiline=True)]
BuildmasterConfig = {
    "workers": [worker.Worker("w", "password", max_builds=WORKERS)],
    "protocols": {"pb": {"port": "tcp:PORT:interface=127.0.0.1"}},
    "builders": [builder],
    "schedulers": [schedulers.ForceScheduler(name="force", builderNames=["b"], properties=words)],
    "www": {"port": "tcp:WEB:interface=127.0.0.1", "plugins": {}},
    "db": {"db_url": "sqlite:///state.sqlite"},
    "collapseRequests": False,
    "buildbotNetUsageData": None,
}
"#;

impl Buildbot {
    /// Starts it with a state of its own; none where it is not installed.
    pub(super) fn start(folder: &Path, peers: &Path) -> Result<Option<Self>> {
        let bin = peers.join("venv/bin");
        let program = |name: &str| {
            let mut command = Command::new(bin.join(name));
            command.current_dir(folder);
            command
        };
        if !bin.join("buildbot").exists() {
            return Ok(None);
        }
        let (port, web) = (free_port()?, free_port()?);
        quietly(program("buildbot").args(["create-master", "-q", "master"]))?;
        let text = MASTER.replace("PORT", &port.port().to_string());
        let text = text.replace("WEB", &web.port().to_string()).replace("WORKERS", "16");
        fs::write(folder.join("master/master.cfg"), text)?;
        let words = ["create-worker", "worker", &port.to_string(), "w", "password"];
        quietly(program("buildbot-worker").args(words))?;
        let mut command = program("buildbot");
        command.args(["start", "--nodaemon", "master"]);
        let master = Server::start(&mut command, Place::Address(web), listens)?;
        let mut command = program("buildbot-worker");
        command.args(["start", "--nodaemon", "worker"]);
        let attached = |_: &Place| {
            let found =
                master.place.json("GET", "/api/v2/workers?field=connected_to", &json!(null));
            found.is_ok_and(|f| {
                f["workers"][0]["connected_to"].as_array().is_some_and(|c| !c.is_empty())
            })
        };
        let worker = Server::start(&mut command, Place::Address(port), attached)?;
        Ok(Some(Self { master, worker }))
    }

    /// Forces a build; gives the number of its request.
    pub(super) fn force(&self, script: &str) -> Result<u64> {
        let asked = json!({
            "jsonrpc": "2.0", "id": 1, "method": "force",
            "params": { "builderid": "1", "script": script },
        });
        let answer = self.master.place.json("POST", "/api/v2/forceschedulers/force", &asked)?;
        answer["result"][1]["1"].as_u64().with_context(|| format!("a build's request: {answer}"))
    }

    /// Waits for the end of a build.
    pub(super) fn wait(&self, request: u64) -> Result<()> {
        let path = format!("/api/v2/buildrequests/{request}");
        let began = Instant::now();
        loop {
            ensure!(began.elapsed() < RUN_MAX, "a build had not ended after {RUN_MAX:?}");
            let found = self.master.place.json("GET", &path, &Value::Null)?;
            let found = &found["buildrequests"][0];
            if found["complete"] == json!(true) {
                ensure!(found["results"] == json!(0), "a build failed: {found}");
                return Ok(());
            }
            thread::sleep(POLL);
        }
    }

    /// Runs a script that prints `hello`: until that is in its log, and until the end.
    pub(super) fn run(&self, script: &str) -> Result<(Duration, Duration)> {
        let began = Instant::now();
        let request = self.force(script)?;
        let first = loop {
            ensure!(began.elapsed() < RUN_MAX, "a build had said nothing after {RUN_MAX:?}");
            if super::peer::contains(&self.log(request)?, b"\nhello\n") {
                break began.elapsed();
            }
            thread::sleep(POLL);
        };
        self.wait(request)?;
        Ok((first, began.elapsed()))
    }

    /// What is in a build's log; nothing when there is none yet.
    pub(super) fn log(&self, request: u64) -> Result<Vec<u8>> {
        let path = format!("/api/v2/builds?buildrequestid={request}");
        let found = self.master.place.json("GET", &path, &Value::Null)?;
        let Some(build) = found["builds"][0]["buildid"].as_u64() else { return Ok(Vec::new()) };
        let path = format!("/api/v2/builds/{build}/steps/1/logs/stdio/raw_inline");
        // There is none until the step has begun.
        Ok(self.master.place.text("GET", &path, &Value::Null).unwrap_or_default())
    }

    /// The memory of both, in bytes.
    pub(super) fn memory(&self) -> Result<u64> {
        Ok(self.master.memory()? + self.worker.memory()?)
    }
}

/// Podman's service, which speaks Docker's API.
pub(super) struct Engine {
    server: Server,
}

impl Engine {
    /// Starts it; the image has been imported.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let socket = folder.join("podman.sock");
        let mut command = Command::new("podman");
        command.args(["--runtime", "runc", "system", "service", "--time", "0"]);
        command.arg(format!("unix://{}", socket.display()));
        Ok(Self { server: Server::start(&mut command, Place::Socket(socket), listens)? })
    }

    /// Makes and starts a container; gives its id.
    fn make(&self, script: &str) -> Result<String> {
        let limit = |(name, most)| json!({ "Name": name, "Soft": most, "Hard": most });
        let asked = json!({
            "Image": IMAGE,
            "Cmd": ["sh", "-c", script],
            "HostConfig": {
                "Binds": mounts(&[]), "NetworkMode": "none",
                "Ulimits": ULIMITS.map(limit),
            },
        });
        let made = self.server.place.json("POST", "/v1.40/containers/create", &asked)?;
        let id = made["Id"].as_str().context("a container's id")?.to_owned();
        let path = format!("/v1.40/containers/{id}/start");
        self.server.place.text("POST", &path, &Value::Null)?;
        Ok(id)
    }

    /// Runs a script that prints `hello`: until that is in the log, and until the container is gone.
    pub(super) fn run(&self, script: &str) -> Result<(Duration, Duration)> {
        let began = Instant::now();
        let id = self.make(script)?;
        let path = format!("/v1.40/containers/{id}/logs?stdout=1&follow=1");
        ensure!(self.server.place.until(&path, b"hello\n")?, "the container's log has no greeting");
        let first = began.elapsed();
        self.server.place.json("POST", &format!("/v1.40/containers/{id}/wait"), &Value::Null)?;
        self.server.place.text("DELETE", &format!("/v1.40/containers/{id}"), &Value::Null)?;
        Ok((first, began.elapsed()))
    }

    /// Its memory, in bytes.
    pub(super) fn memory(&self) -> Result<u64> {
        self.server.memory()
    }
}

/// The server that pretends to be AWS.
pub(super) struct Moto {
    server: Server,
    address: SocketAddr,
}

impl Moto {
    /// Starts it; none where it is not installed.
    pub(super) fn start(peers: &Path) -> Result<Option<Self>> {
        let program = peers.join("venv/bin/moto_server");
        if !program.exists() {
            return Ok(None);
        }
        let address = free_port()?;
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &address.port().to_string()]);
        let server = Server::start(&mut command, Place::Address(address), listens)?;
        Ok(Some(Self { server, address }))
    }

    /// A connection to it.
    pub(super) fn client(&self) -> Result<Client> {
        let credentials = Credentials {
            access_key_id: ACCESS_KEY_ID.to_owned(),
            secret_access_key: SECRET_ACCESS_KEY.to_owned(),
            session_token: None,
        };
        Client::connect(self.address, credentials)
    }

    /// Its memory, in bytes.
    pub(super) fn memory(&self) -> Result<u64> {
        self.server.memory()
    }
}
