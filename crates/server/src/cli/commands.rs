//! `buildyard commands`: asks the running service what it knows of a build's commands.

use super::{DataArguments, root_keys_given};
use crate::{app, clock, identity::Identity};
use anyhow::{Context, bail};
use serde_json::Value;
use std::{io::Write, process::ExitCode};
use wire::sigv4::{Credentials, sign};

#[derive(clap::Args)]
pub(super) struct ShowCommands {
    /// The build's id, such as demo:1d0c4bd5-….
    #[arg(value_name = "BUILD-ID")]
    build: String,
    /// The region of the build's project.
    #[arg(long, value_name = "REGION", env = "AWS_DEFAULT_REGION")]
    region: Option<String>,
    /// Prints the service's answer as it is: JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArguments,
}

impl ShowCommands {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let (config, data_dir) = self.data.read()?;
        anyhow::ensure!(data_dir.is_dir(), "there is no data folder at {}", data_dir.display());
        let identity = Identity::open(&data_dir, root_keys_given()?)
            .with_context(|| format!("failed to read the keys in {}", data_dir.display()))?;
        let credentials = Credentials {
            access_key_id: identity.root().access_key_id.clone(),
            secret_access_key: identity.root().secret_access_key.clone(),
            session_token: None,
        };
        let address = app::noted_address(&data_dir, &config);
        let region = self.region.as_deref().unwrap_or(config.region());
        let answer =
            ask(&format!("{address}/-/builds/{}/commands", self.build), region, &credentials)?;
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{answer}")?;
        } else {
            write!(out, "{}", table(&serde_json::from_str(&answer)?))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn ask(url: &str, region: &str, credentials: &Credentials) -> anyhow::Result<String> {
    let (mut parts, ()) = http::Request::get(url).body(())?.into_parts();
    let now = i64::try_from(clock::now().millis() / 1_000)?;
    sign(&mut parts, b"", credentials, (region, "codebuild"), now)?;
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let asked = agent.run(http::Request::from_parts(parts, ()));
    let mut answer = asked.with_context(|| format!("failed to reach the service at {url}"))?;
    let text = answer.body_mut().read_to_string()?;
    if answer.status().is_success() {
        return Ok(text);
    }
    let error: Value = serde_json::from_str(&text).unwrap_or_default();
    match error["message"].as_str() {
        Some(message) => bail!("{message}"),
        None => bail!("the service answers {}: {text}", answer.status()),
    }
}

/// The answer as a table, a line for each command.
fn table(answer: &Value) -> String {
    let heads = ["PHASE", "LIST", "EXIT", "TIME", "CPU", "MEMORY", "DISK", "NETWORK", "COMMAND"];
    let mut rows = vec![heads.map(str::to_owned)];
    for command in answer["commands"].as_array().into_iter().flatten() {
        rows.push(row(command));
    }
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        for (cell, width) in row.iter().zip(widths) {
            text += &format!("{cell:<width$}  ");
        }
        text += &format!("{}\n", row[8]);
    }
    text
}

fn row(command: &Value) -> [String; 9] {
    let text = |key: &str| command[key].as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let used = &command["used"];
    let bytes = |keys: [&str; 2]| human(keys.iter().map(|key| number(&used[*key])).sum());
    let first_line = text("command").lines().next().unwrap_or_default().to_owned();
    let ended = !command["endTime"].is_null();
    let when_ended = |cell: String| if ended { cell } else { "-".to_owned() };
    let time = number(&command["endTime"]) - number(&command["startTime"]);
    let cpu = number(&used["cpuUserSeconds"]) + number(&used["cpuSystemSeconds"]);
    [
        text("phaseType"),
        text("list"),
        when_ended(command["exitStatus"].to_string()),
        when_ended(format!("{time:.3} s")),
        when_ended(format!("{cpu:.3} s")),
        when_ended(human(number(&used["memoryPeakBytes"]))),
        when_ended(bytes(["diskReadBytes", "diskWrittenBytes"])),
        when_ended(bytes(["networkReceivedBytes", "networkSentBytes"])),
        first_line,
    ]
}

fn human(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB"];
    let mut value = bytes;
    let mut at = 0;
    while value >= 1024.0 && at + 1 < units.len() {
        value /= 1024.0;
        at += 1;
    }
    if at == 0 { format!("{value:.0} B") } else { format!("{value:.1} {}", units[at]) }
}

#[cfg(test)]
mod tests {
    use super::table;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_line_for_each_command() {
        let used = json!({
            "cpuUserSeconds": 1.5, "cpuSystemSeconds": 0.25, "memoryPeakBytes": 3 << 20,
            "diskReadBytes": 0, "diskWrittenBytes": 2048,
            "networkReceivedBytes": 10, "networkSentBytes": 5,
        });
        let answer = json!({ "commands": [
            { "phaseType": "BUILD", "list": "commands", "command": "make\nmake test",
              "startTime": 10.0, "endTime": 11.25, "exitStatus": 0, "used": used },
            { "phaseType": "POST_BUILD", "list": "finally", "command": "sleep 100",
              "startTime": 12.0 },
        ] });
        expect![[r#"
            PHASE       LIST      EXIT  TIME     CPU      MEMORY   DISK     NETWORK  COMMAND
            BUILD       commands  0     1.250 s  1.750 s  3.0 MiB  2.0 KiB  15 B     make
            POST_BUILD  finally   -     -        -        -        -        -        sleep 100
        "#]]
        .assert_eq(&table(&answer));
    }
}
