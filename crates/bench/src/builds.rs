//! Builds, started and waited for as a client does it.

use super::{
    client::{Answer, Client, REGION, Tail},
    service::Service,
};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::{
    thread,
    time::{Duration, Instant},
};

/// The projects: one whose build prints a line, one whose build does nothing, one that waits.
pub(crate) const ECHO: &str = "echo";
pub(crate) const NO_OP: &str = "no-op";
pub(crate) const SLEEP: &str = "sleep";
const PROJECTS: [(&str, &str); 3] = [(ECHO, "echo hello"), (NO_OP, ":"), (SLEEP, "sleep 600")];

/// How long to wait before asking again.
const POLL: Duration = Duration::from_micros(250);
/// A client's poll while the machine is busy with many builds.
const CROWD_POLL: Duration = Duration::from_millis(2);
/// How many connections start a crowd's builds.
const CROWD_CLIENTS: usize = 8;

pub(crate) fn make_projects(client: &mut Client) -> Result<()> {
    for (name, command) in PROJECTS {
        let buildspec =
            json!({ "version": "0.2", "phases": { "build": { "commands": [command] } } });
        let source = json!({ "type": "NO_SOURCE", "buildspec": buildspec.to_string() });
        make_project(client, name, &source, &json!({ "type": "NO_CACHE" }))?;
        // Whoever follows its log is there before its first build.
        let group = json!({ "logGroupName": format!("/aws/codebuild/{name}") });
        if let Answer::Refused(error) = client.logs("CreateLogGroup", &group)? {
            bail!("CreateLogGroup is refused: {error}");
        }
    }
    Ok(())
}

/// A project with this source and this cache.
pub(crate) fn make_project(
    client: &mut Client,
    name: &str,
    source: &Value,
    cache: &Value,
) -> Result<()> {
    client.codebuild(
        "CreateProject",
        &json!({
            "name": name,
            "source": source,
            "artifacts": { "type": "NO_ARTIFACTS" },
            "cache": cache,
            "environment": {
                "type": "LINUX_CONTAINER",
                "computeType": "BUILD_GENERAL1_SMALL",
                "image": "host",
            },
            "serviceRole": "arn:aws:iam::000000000000:role/builds",
        }),
    )?;
    Ok(())
}

pub(crate) fn start(client: &mut Client, project: &str) -> Result<String> {
    let started = client.codebuild("StartBuild", &json!({ "projectName": project }))?;
    let id = started["build"]["id"].as_str().context("a build's id")?;
    Ok(id.to_owned())
}

/// The logs of a project's builds, as a client follows them.
pub(crate) fn follow(client: &Client, project: &str) -> Result<Tail> {
    client.tail(&format!("arn:aws:logs:{REGION}:000000000000:log-group:/aws/codebuild/{project}"))
}

/// From the sending of StartBuild until a client who follows the log has read what the first command
/// printed. The build is waited for afterwards.
pub(crate) fn to_first_output(service: &Service, client: &mut Client) -> Result<Duration> {
    let mut tail = follow(client, ECHO)?;
    let began = Instant::now();
    let id = start(client, ECHO)?;
    tail.until(br#""message":"hello\n""#)?;
    let taken = began.elapsed();
    wait(client, &id)?;
    service.settle()?;
    Ok(taken)
}

/// From the sending of StartBuild until BatchGetBuilds says SUCCEEDED.
pub(crate) fn to_success(
    service: &Service,
    client: &mut Client,
    project: &str,
) -> Result<Duration> {
    let began = Instant::now();
    let id = start(client, project)?;
    wait(client, &id)?;
    let taken = began.elapsed();
    service.settle()?;
    Ok(taken)
}

/// Waits for a build without taking time from it: whoever follows its log need not ask how it is
/// before the log tells of the last phase. The log must have been followed before the build began.
pub(crate) fn wait_following(client: &mut Client, tail: &mut Tail, id: &str) -> Result<()> {
    tail.until(b"Phase complete: UPLOAD_ARTIFACTS")?;
    wait(client, id)
}

fn wait(client: &mut Client, id: &str) -> Result<()> {
    while !succeeded(client, id)? {
        thread::sleep(POLL);
    }
    Ok(())
}

/// From the first StartBuild of many until BatchGetBuilds says SUCCEEDED of the last.
pub(crate) fn crowd(service: &Service, count: usize) -> Result<Duration> {
    let clients: Vec<Client> =
        (0..CROWD_CLIENTS.min(count)).map(|_| service.client()).collect::<Result<_>>()?;
    let starters = clients.len();
    let began = Instant::now();
    let ids: Vec<String> = thread::scope(|scope| {
        let starters: Vec<_> = clients
            .into_iter()
            .enumerate()
            .map(|(at, mut client)| {
                scope.spawn(move || -> Result<Vec<String>> {
                    let shared = (at..count).step_by(starters);
                    shared.map(|_| start(&mut client, NO_OP)).collect()
                })
            })
            .collect();
        let mut ids = Vec::with_capacity(count);
        for starter in starters {
            ids.extend(starter.join().expect("a client does not panic")?);
        }
        anyhow::Ok(ids)
    })?;
    let mut client = service.client()?;
    // One after the other, so that asking costs little beside the builds themselves.
    for id in &ids {
        while !succeeded(&mut client, id)? {
            thread::sleep(CROWD_POLL);
        }
    }
    let taken = began.elapsed();
    service.settle()?;
    Ok(taken)
}

/// The build's document once it is complete.
pub(crate) fn ended(client: &mut Client, id: &str) -> Result<Value> {
    loop {
        let mut answer = client.codebuild("BatchGetBuilds", &json!({ "ids": [id] }))?;
        if answer["builds"][0]["buildComplete"] == json!(true) {
            return Ok(answer["builds"][0].take());
        }
        thread::sleep(CROWD_POLL);
    }
}

pub(crate) fn succeeded(client: &mut Client, id: &str) -> Result<bool> {
    let answer = client.codebuild("BatchGetBuilds", &json!({ "ids": [id] }))?;
    let build = &answer["builds"][0];
    match build["buildStatus"].as_str() {
        Some("SUCCEEDED") => Ok(true),
        Some("IN_PROGRESS") => Ok(false),
        status => bail!("a build ended as {status:?}: {}", build["phases"]),
    }
}
