//! Builds with much to do for the agent and for the log: thousands of short commands, and a
//! gigabyte of output. Each is compared with a plain shell that does the same on the machine itself.

use super::{
    builds,
    client::Client,
    report::{Report, Times},
    service::{Service, memory_of},
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How many commands one build has.
const COMMANDS: usize = 2_000;
/// How much another build prints.
const OUTPUT_BYTES: u64 = 1_000_000_000;
/// What prints it: lines of a hundred bytes.
const PRINT: &str = "yes '[INFO] a line as compilers and test runners print them, ninety-nine letters \
                     and its end: 0123456789' | head -c 1000000000";
/// How often a client asks about a build that takes seconds; the asking itself must not count.
const POLL: Duration = Duration::from_millis(10);
/// How many values the log of one of the builds must not show.
const HIDDEN: usize = 20;

/// Runs everything `rounds` times, in turn.
pub(crate) fn measure(program: &Path, rounds: usize, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let service = Service::start(program, folder.path(), "")?;
    let mut client = service.client()?;
    builds::make_projects(&mut client)?;
    let scripts = scripts(folder.path())?;
    let (mut commands, mut shell) = (Times::default(), Times::default());
    let (mut logged, mut masked, mut piped) = <(Times, Times, Times)>::default();
    let (mut agent, mut served) = (0, 0);
    let hidden = hidden(&mut client)?;
    // The first round makes log groups and fills caches.
    for round in 0..=rounds {
        let lines: Vec<String> = (0..COMMANDS).map(line).collect();
        let taken = [
            settled(|| run(&service, &mut client, &lines, &[]))?,
            settled(|| shell_over(&scripts))?,
            settled(|| piped_to_a_file(folder.path()))?,
            settled(|| run(&service, &mut client, &[PRINT.into()], &hidden))?,
        ];
        let print = || run(&service, &mut client, &[PRINT.into()], &[]);
        let (gigabyte, peaks) = settled(|| watched(&service, print))?;
        if round > 0 {
            let all = [&mut commands, &mut shell, &mut piped, &mut masked];
            for (times, taken) in all.into_iter().zip(taken) {
                times.0.push(taken);
            }
            logged.0.push(gigabyte);
            (agent, served) = (peaks.0.max(agent), peaks.1.max(served));
        }
    }
    report.times("a build of 2,000 one-line commands, StartBuild to SUCCEEDED", &commands);
    report.times("sh over the same lines as 2,000 scripts", &shell);
    report.ratio("2,000 commands / sh", &commands, &shell);
    report.throughput("a build that prints 1 GB, until its log is whole", OUTPUT_BYTES, &logged);
    let hiding = format!("the same where {HIDDEN} values must not be shown");
    report.throughput(&hiding, OUTPUT_BYTES, &masked);
    report.ratio("1 GB in the log with values to hide / without", &masked, &logged);
    report.throughput("the same command to a file", OUTPUT_BYTES, &piped);
    report.ratio("1 GB in the log / in a file", &logged, &piped);
    report.size("memory of the agent while 1 GB is printed, at most", agent);
    report.size("memory of the service meanwhile, at most", served);
    Ok(())
}

/// Does something when nothing waits to be written to the disk, which all of them share.
fn settled<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    rustix::fs::sync();
    work()
}

/// Keeps values as parameters, and gives the variables that a build has them by.
fn hidden(client: &mut Client) -> Result<Vec<Value>> {
    (0..HIDDEN).map(|number| {
        let name = format!("/bench/hidden-{number}");
        let value = format!("{number}-a-password-that-nobody-guesses");
        client.parameters("PutParameter", &json!({
            "Name": name, "Value": value, "Type": "SecureString",
        }))?;
        Ok(json!({ "name": format!("HIDDEN_{number}"), "value": name, "type": "PARAMETER_STORE" }))
    }).collect()
}

fn line(number: usize) -> String {
    format!("echo {number}")
}

/// A build of these commands, from StartBuild to SUCCEEDED.
fn run(
    service: &Service,
    client: &mut Client,
    commands: &[String],
    variables: &[Value],
) -> Result<Duration> {
    let buildspec = json!({ "version": "0.2", "phases": { "build": { "commands": commands } } });
    let asked = json!({
        "projectName": builds::NO_OP,
        "buildspecOverride": buildspec.to_string(),
        "environmentVariablesOverride": variables,
    });
    let began = Instant::now();
    let started = client.codebuild("StartBuild", &asked)?;
    let id = started["build"]["id"].as_str().context("a build's id")?;
    while !builds::succeeded(client, id)? {
        thread::sleep(POLL);
    }
    let taken = began.elapsed();
    service.settle()?;
    Ok(taken)
}

/// The same lines, a script each, and a script that runs them all.
fn scripts(folder: &Path) -> Result<std::path::PathBuf> {
    let folder = folder.join("scripts");
    fs::create_dir(&folder)?;
    for number in 0..COMMANDS {
        fs::write(folder.join(format!("{number}.sh")), line(number) + "\n")?;
    }
    Ok(folder)
}

fn shell_over(scripts: &Path) -> Result<Duration> {
    let all = format!("i=0; while [ $i -lt {COMMANDS} ]; do sh $i.sh; i=$((i + 1)); done >all");
    let began = Instant::now();
    let mut command = Command::new("sh");
    command.args(["-c", &all]).current_dir(scripts).stdin(Stdio::null());
    ensure!(command.status()?.success(), "the shell fails");
    let taken = began.elapsed();
    let printed = fs::read_to_string(scripts.join("all"))?;
    ensure!(printed.lines().count() == COMMANDS, "the shell printed less");
    Ok(taken)
}

fn piped_to_a_file(folder: &Path) -> Result<Duration> {
    let file = folder.join("printed");
    let began = Instant::now();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{PRINT} | cat >printed")]).current_dir(folder);
    ensure!(command.status()?.success(), "the shell fails");
    let taken = began.elapsed();
    ensure!(fs::metadata(&file)?.len() == OUTPUT_BYTES, "the file is short");
    fs::remove_file(file)?;
    Ok(taken)
}

/// Does something, and gives as well the most memory that an agent and the service had meanwhile.
fn watched<T>(service: &Service, work: impl FnOnce() -> Result<T>) -> Result<(T, (u64, u64))> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peaks = (0, 0);
            while !done.load(Ordering::Relaxed) {
                for agent in service.agents().unwrap_or_default() {
                    // It may just have ended.
                    peaks.0 = memory_of(agent, "Rss:").unwrap_or_default().max(peaks.0);
                }
                peaks.1 = service.memory().unwrap_or_default().max(peaks.1);
                thread::sleep(POLL * 5);
            }
            peaks
        });
        let worked = work();
        done.store(true, Ordering::Relaxed);
        let peaks = watcher.join().expect("the watcher does not panic");
        Ok((worked?, peaks))
    })
}
