//! Calls of the API: how many a second on a few connections, and how long they take.

use super::{
    Contest, Race, Spec, folder, millis,
    servers::Moto,
    service,
    table::{Figure, Role},
};
use crate::{
    builds,
    client::{Answer, Client},
};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::{
    cell::Cell,
    fs::File,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime},
};

/// How many calls are made in a turn, at most, and how many files are appended to.
const CALLS: usize = 800;
const APPENDS: usize = 50;
/// How often a byte goes there and back on each connection.
const ECHOES: usize = 500;
const PROJECT: &str = "called";
const GROUP: &str = "called";

/// The operations, each with the rows of its rate and of its slowest hundredth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    CreateProject,
    StartBuild,
    BatchGetBuilds,
    GetLogEvents,
}

const OPERATIONS: [(Operation, [Spec; 2]); 4] = [
    (
        Operation::CreateProject,
        rows(["api-create", "api-create-p99"], ["CreateProject", "CreateProject, 99th percentile"]),
    ),
    (
        Operation::StartBuild,
        rows(
            ["api-start", "api-start-p99"],
            ["StartBuild (queued)", "StartBuild (queued), 99th percentile"],
        ),
    ),
    (
        Operation::BatchGetBuilds,
        rows(["api-get", "api-get-p99"], ["BatchGetBuilds", "BatchGetBuilds, 99th percentile"]),
    ),
    (
        Operation::GetLogEvents,
        rows(
            ["api-log", "api-log-p99"],
            ["GetLogEvents, 100 events", "GetLogEvents, 99th percentile"],
        ),
    ),
];

const fn rows(names: [&'static str; 2], titles: [&'static str; 2]) -> [Spec; 2] {
    [
        Spec::new(names[0], titles[0], "per second").more().goal("moto", 20.0),
        Spec::new(names[1], titles[1], "ms"),
    ]
}

/// Measures every operation against moto, and against what they cannot do without.
pub(super) fn measure(race: &Race<'_>) -> Result<Vec<(Spec, Vec<Figure>)>> {
    let folder = folder()?;
    let configuration = "[builds]\nat_once_max = 1\n";
    let (service, mut client) = service(race, folder.path(), configuration)?;
    let clients = race.clients;
    let moto = Moto::start(&race.peers)?;
    let ours = Target::prepare(&mut client, clients, "000000000000", CALLS / clients)?;
    let theirs = moto
        .as_ref()
        .map(|moto| {
            Target::prepare(&mut moto.client()?, clients, "123456789012", CALLS / 4 / clients)
        })
        .transpose()?;
    // One build runs, so that all others wait.
    builds::start(&mut client, builds::SLEEP)?;
    let mut rows = Vec::new();
    for (operation, specs) in OPERATIONS {
        let mut contest = Contest::of(9, Duration::from_secs(6));
        contest.add("Buildyard", Role::Ours, || ours.turn(operation, || service.client()));
        if let (Some(moto), Some(theirs)) = (&moto, &theirs) {
            contest.add("moto", Role::Peer, || theirs.turn(operation, || moto.client()));
        }
        match operation {
            Operation::CreateProject | Operation::StartBuild => {
                let who = "a 4 KiB append and `fdatasync`, one after the other";
                contest.add(who, Role::Limit, || appended(folder.path()));
            }
            Operation::BatchGetBuilds | Operation::GetLogEvents => {
                contest.add("bytes there and back over loopback", Role::Limit, || echoed(clients));
            }
        }
        rows.extend(specs.into_iter().zip(contest.run(2)?));
    }
    // It takes no more work, and stops the one that runs.
    service.stop()?;
    Ok(rows)
}

/// What calls are made with.
struct Target {
    /// A build that is there.
    build: String,
    /// Whose role builds have.
    account: &'static str,
    clients: usize,
    /// How many calls a client makes in a turn; the slow need not make as many.
    calls: usize,
    made: Cell<usize>,
}

impl Target {
    fn prepare(
        client: &mut Client,
        clients: usize,
        account: &'static str,
        calls: usize,
    ) -> Result<Self> {
        client.codebuild("CreateProject", &project(PROJECT, account))?;
        let build = builds::start(client, PROJECT)?;
        let asked = json!({ "logGroupName": GROUP });
        done(client.logs("CreateLogGroup", &asked)?)?;
        let asked = json!({ "logGroupName": GROUP, "logStreamName": GROUP });
        done(client.logs("CreateLogStream", &asked)?)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
        let now = u64::try_from(now)?;
        let event = |n| json!({ "timestamp": now + n, "message": format!("line {n} of a log") });
        let events: Vec<Value> = (0..100).map(event).collect();
        let asked = json!({ "logGroupName": GROUP, "logStreamName": GROUP, "logEvents": events });
        done(client.logs("PutLogEvents", &asked)?)?;
        Ok(Self { build, account, clients, calls, made: Cell::new(0) })
    }

    /// Makes all calls of a turn; gives their rate and the time of the slowest hundredth.
    fn turn(&self, operation: Operation, connect: impl Fn() -> Result<Client>) -> Result<Vec<f64>> {
        let (first, calls) = (self.made.get(), self.calls);
        self.made.set(first + self.clients * calls);
        let clients = (0..self.clients).map(|_| connect()).collect::<Result<Vec<_>>>()?;
        let (build, account) = (self.build.as_str(), self.account);
        let began = Instant::now();
        let mut taken: Vec<Duration> = thread::scope(|scope| {
            let callers: Vec<_> = clients
                .into_iter()
                .enumerate()
                .map(|(at, mut client)| {
                    scope.spawn(move || -> Result<Vec<Duration>> {
                        let numbers = (0..calls).map(|call| first + at * calls + call);
                        numbers
                            .map(|number| {
                                let began = Instant::now();
                                call(&mut client, operation, (build, account), number)?;
                                Ok(began.elapsed())
                            })
                            .collect()
                    })
                })
                .collect();
            let mut taken = Vec::new();
            for caller in callers {
                taken.extend(caller.join().expect("a caller does not panic")?);
            }
            anyhow::Ok(taken)
        })?;
        let rate = taken.len() as f64 / began.elapsed().as_secs_f64();
        taken.sort_unstable();
        Ok(vec![rate, millis(taken[taken.len() * 99 / 100])])
    }
}

fn project(name: &str, account: &str) -> Value {
    json!({
        "name": name,
        "source": { "type": "S3", "location": "sources/source.zip", "buildspec": "version: 0.2" },
        "artifacts": { "type": "NO_ARTIFACTS" },
        "environment": {
            "type": "LINUX_CONTAINER", "computeType": "BUILD_GENERAL1_SMALL", "image": "host",
        },
        "serviceRole": format!("arn:aws:iam::{account}:role/builds"),
    })
}

fn call(
    client: &mut Client,
    operation: Operation,
    (build, account): (&str, &str),
    number: usize,
) -> Result<()> {
    match operation {
        Operation::CreateProject => {
            client.codebuild("CreateProject", &project(&format!("called-{number}"), account))?;
        }
        Operation::StartBuild => {
            client.codebuild("StartBuild", &json!({ "projectName": PROJECT }))?;
        }
        Operation::BatchGetBuilds => {
            let answer = client.codebuild("BatchGetBuilds", &json!({ "ids": [build] }))?;
            answer["builds"][0]["id"].as_str().context("the build that is there")?;
        }
        Operation::GetLogEvents => {
            let asked =
                json!({ "logGroupName": GROUP, "logStreamName": GROUP, "startFromHead": true });
            done(client.logs("GetLogEvents", &asked)?)?;
        }
    }
    Ok(())
}

fn done(answer: Answer) -> Result<()> {
    match answer {
        Answer::Done(_) => Ok(()),
        Answer::Refused(error) => bail!("a call is refused: {error}"),
    }
}

/// Appends to a file and makes that last, again and again.
fn appended(folder: &Path) -> Result<Vec<f64>> {
    let mut file = File::create(folder.join("appended"))?;
    let mut taken = Vec::new();
    let began = Instant::now();
    for _ in 0..APPENDS {
        let began = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        taken.push(began.elapsed());
    }
    let rate = APPENDS as f64 / began.elapsed().as_secs_f64();
    taken.sort_unstable();
    Ok(vec![rate, millis(taken[APPENDS * 99 / 100])])
}

/// Sends a request's bytes to a thread that sends an answer's back, on as many connections.
fn echoed(clients: usize) -> Result<Vec<f64>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let began = Instant::now();
    let mut taken: Vec<Duration> = thread::scope(|scope| {
        let callers: Vec<_> =
            (0..clients).map(|_| scope.spawn(move || there_and_back(address))).collect();
        for _ in 0..clients {
            let (mut stream, _) = listener.accept()?;
            scope.spawn(move || -> Result<()> {
                stream.set_nodelay(true)?;
                let mut request = [0; 1024];
                while stream.read_exact(&mut request).is_ok() {
                    stream.write_all(&[7; 1024])?;
                }
                Ok(())
            });
        }
        let mut taken = Vec::new();
        for caller in callers {
            taken.extend(caller.join().expect("a caller does not panic")?);
        }
        anyhow::Ok(taken)
    })?;
    let rate = taken.len() as f64 / began.elapsed().as_secs_f64();
    taken.sort_unstable();
    Ok(vec![rate, millis(taken[taken.len() * 99 / 100])])
}

fn there_and_back(address: std::net::SocketAddr) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut answer = [0; 1024];
    (0..ECHOES)
        .map(|_| {
            let began = Instant::now();
            stream.write_all(&[7; 1024])?;
            stream.read_exact(&mut answer)?;
            Ok(began.elapsed())
        })
        .collect()
}
