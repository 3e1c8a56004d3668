//! Sources, artifacts and caches against the ordinary tools, on the same files in the same builds.
//!
//! Each round runs builds whose commands do with `unzip`, `zip`, `tar`, `zstd` and `aws s3 cp` what
//! the service does for the build in DOWNLOAD_SOURCE and UPLOAD_ARTIFACTS: in the same container,
//! with the same disk and the same store.

use super::{
    builds,
    client::{Answer, Client},
    report::{Report, Times},
    service::{ACCESS_KEY_ID, SECRET_ACCESS_KEY, Service},
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// How many files the tree has.
const FILES: usize = 20_000;
/// Of ten files three hold what cannot be compressed, as pictures and archives do.
const NOISY_OF_TEN: usize = 3;
const PROJECT: &str = "bundles";
const BUCKET: &str = "bundles";

/// Packs the source's tree, and unpacks the source, with the tools that everybody has.
const TOOLS: &str = r#"
ms() { echo $(($(date +%s%N) / 1000000)); }
s3() { aws --endpoint-url "$AWS_ENDPOINT_URL" s3 cp --quiet "$@"; }
took() { echo "took $1 $(($(ms) - $2))"; }
set -e
b=$(ms); s3 s3://bundles/tree.zip /var/tmp/tree.zip; took fetch $b
b=$(ms); unzip -q /var/tmp/tree.zip -d /var/tmp/unzipped; took unzip $b
b=$(ms); zip -q -r -1 /var/tmp/made.zip tree; took zip $b
b=$(ms); s3 /var/tmp/made.zip s3://bundles/made-by-tool.zip; took upload $b
rm -r /var/tmp/made.zip /var/tmp/unzipped
b=$(ms); tar -c tree | zstd -q | s3 - s3://bundles/tree.tar.zst; took save $b
b=$(ms); cp -r tree /var/tmp/copied; took copy $b
rm -r /var/tmp/copied
b=$(ms); tar -c tree | cat >/dev/null; took read $b
"#;

/// Restores what [`TOOLS`] saved.
const RESTORE: &str = r#"
mkdir /var/tmp/restored && cd /var/tmp/restored
b=$(($(date +%s%N) / 1000000))
aws --endpoint-url "$AWS_ENDPOINT_URL" s3 cp --quiet s3://bundles/tree.tar.zst - | zstd -dq | tar -x
echo "took restore $(($(date +%s%N) / 1000000 - b))"
"#;

/// Runs the rounds and prints what they gave.
pub(crate) fn run(program: &Path, rounds: usize, mib: u64, report: &mut Report) -> Result<()> {
    measure(program, rounds, mib)?.tell(report);
    Ok(())
}

/// Runs the rounds, with files of `mib` MiB.
pub(crate) fn measure(program: &Path, rounds: usize, mib: u64) -> Result<Rows> {
    let folder = tempfile::tempdir_in("/var/tmp").context("a temporary folder")?;
    let service = Service::start(program, folder.path(), "")?;
    let mut client = service.client()?;
    let zip = folder.path().join("tree.zip");
    grow(&folder.path().join("grown"), mib << 20)?;
    let words = ["-q", "-r", "-1", "../tree.zip", "tree"];
    tool(Command::new("zip").args(words).current_dir(folder.path().join("grown")))?;
    fs::remove_dir_all(folder.path().join("grown"))?;
    aws(&service, &["mb", &format!("s3://{BUCKET}")])?;
    let place = format!("s3://{BUCKET}/tree.zip");
    aws(&service, &["cp", "--quiet", zip.to_str().context("a path")?, &place])?;
    make_project(&mut client)?;
    let mut rows = Rows::default();
    for _ in 0..rounds {
        rows.round(&service, &mut client)?;
    }
    Ok(rows)
}

/// The times of all rounds.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) source: Times,
    pub(crate) fetch_and_unzip: Times,
    unzip: Times,
    pub(crate) artifact: Times,
    pub(crate) zip_and_upload: Times,
    pub(crate) save: Times,
    pub(crate) tool_save: Times,
    pub(crate) restore: Times,
    pub(crate) tool_restore: Times,
    /// The files copied to where they are unpacked.
    pub(crate) copy: Times,
    /// The files read.
    pub(crate) read: Times,
    packed_bytes: u64,
    saved_bytes: u64,
    restored_bytes: u64,
}

impl Rows {
    fn round(&mut self, service: &Service, client: &mut Client) -> Result<()> {
        let zip = json!({
            "type": "S3", "location": BUCKET, "packaging": "ZIP", "name": "made.zip",
        });
        let artifacts = json!({ "files": ["tree/**/*"] });
        let paths = json!(["tree/**/*"]);
        // The artifact without the cache, and the cache without the artifact.
        let packed = self.build(
            service,
            client,
            &json!({
                "artifactsOverride": zip,
                "buildspecOverride": spec(TOOLS, json!({ "artifacts": artifacts })),
                "cacheOverride": { "type": "NO_CACHE" },
            }),
        )?;
        let saved = self.build(service, client, &json!({
            "buildspecOverride": spec(":", json!({ "cache": { "paths": paths, "action": "save" } })),
        }))?;
        let restored = self.build(
            service,
            client,
            &json!({
                "sourceTypeOverride": "NO_SOURCE",
                "buildspecOverride":
                    spec(RESTORE, json!({ "cache": { "paths": paths, "action": "restore" } })),
            }),
        )?;
        ensure!(restored.log.contains("Cache hit"), "no cache: {}", restored.log);
        let (fetch, unzip) = (packed.took("fetch")?, packed.took("unzip")?);
        self.packed_bytes = self.packed_bytes.max(packed.agent_bytes);
        self.saved_bytes = self.saved_bytes.max(saved.agent_bytes);
        self.restored_bytes = self.restored_bytes.max(restored.agent_bytes);
        self.source.0.push(packed.phase("DOWNLOAD_SOURCE")?);
        self.fetch_and_unzip.0.push(fetch + unzip);
        self.unzip.0.push(unzip);
        self.artifact.0.push(packed.phase("UPLOAD_ARTIFACTS")?);
        self.zip_and_upload.0.push(packed.took("zip")? + packed.took("upload")?);
        self.copy.0.push(packed.took("copy")?);
        self.read.0.push(packed.took("read")?);
        self.save.0.push(saved.phase("UPLOAD_ARTIFACTS")?);
        self.tool_save.0.push(packed.took("save")?);
        self.restore.0.push(restored.phase("DOWNLOAD_SOURCE")?);
        self.tool_restore.0.push(restored.took("restore")?);
        Ok(())
    }

    /// Runs a build to its success, and looks at its agent's memory meanwhile.
    fn build(&self, service: &Service, client: &mut Client, with: &Value) -> Result<Built> {
        let mut input = with.clone();
        input["projectName"] = json!(PROJECT);
        let started = client.codebuild("StartBuild", &input)?;
        let id = started["build"]["id"].as_str().context("a build's id")?.to_owned();
        let done = AtomicBool::new(false);
        let (build, agent_bytes) = thread::scope(|scope| {
            let watcher = scope.spawn(|| most_memory(service, &done));
            let build = builds::ended(client, &id);
            done.store(true, Ordering::Relaxed);
            (build, watcher.join().expect("looking at memory does not panic"))
        });
        service.settle()?;
        let build = build?;
        let log = log(client, &build)?;
        ensure!(build["buildStatus"] == "SUCCEEDED", "a build ended as {build}: {log}");
        Ok(Built { build, log, agent_bytes })
    }

    fn tell(&self, report: &mut Report) {
        report.times("source, 20,000 files: fetched and unpacked", &self.source);
        report.times("  unzip alone", &self.unzip);
        report.times("  aws s3 cp, and unzip", &self.fetch_and_unzip);
        report.ratio("  fetched and unpacked / unzip alone", &self.source, &self.unzip);
        report.ratio("  / aws s3 cp and unzip", &self.source, &self.fetch_and_unzip);
        report.times("artifact: zipped and uploaded", &self.artifact);
        report.times("  zip -r -1, and aws s3 cp", &self.zip_and_upload);
        report.ratio("  / zip -r -1 and aws s3 cp", &self.artifact, &self.zip_and_upload);
        report.times("cache: saved", &self.save);
        report.times("  tar | zstd | aws s3 cp", &self.tool_save);
        report.ratio("  / tar | zstd | aws s3 cp", &self.save, &self.tool_save);
        report.times("cache: restored", &self.restore);
        report.times("  aws s3 cp | zstd -d | tar", &self.tool_restore);
        report.ratio("  / aws s3 cp | zstd -d | tar", &self.restore, &self.tool_restore);
        report.times("the files copied by cp -r", &self.copy);
        report.times("the files read by tar", &self.read);
        report.size("the agent at most: source unpacked, artifact zipped", self.packed_bytes);
        report.size("  source unpacked, cache saved", self.saved_bytes);
        report.size("  cache restored", self.restored_bytes);
    }
}

/// A build that succeeded.
struct Built {
    build: Value,
    log: String,
    /// The most memory that its agent had at a time.
    agent_bytes: u64,
}

impl Built {
    /// How long a phase took.
    fn phase(&self, kind: &str) -> Result<Duration> {
        let phases = self.build["phases"].as_array().context("phases")?;
        let phase = phases.iter().find(|phase| phase["phaseType"] == kind).context("the phase")?;
        let at = |name: &str| phase[name].as_f64().context("a time");
        Ok(Duration::from_secs_f64(at("endTime")? - at("startTime")?))
    }

    /// How long a tool took, as the commands printed it.
    fn took(&self, what: &str) -> Result<Duration> {
        let line = self.log.lines().find_map(|line| line.strip_prefix(&format!("took {what} ")));
        let millis = line.and_then(|millis| millis.parse().ok());
        Ok(Duration::from_millis(millis.with_context(|| format!("no {what}: {}", self.log))?))
    }
}

/// The most that the agent had at a time, until `done`.
fn most_memory(service: &Service, done: &AtomicBool) -> u64 {
    let mut most = 0;
    while !done.load(Ordering::Relaxed) {
        for agent in service.agents().unwrap_or_default() {
            let status = fs::read_to_string(format!("/proc/{agent}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            most = most.max(kibibytes.unwrap_or(0_u64) * 1024);
        }
        thread::sleep(Duration::from_millis(2));
    }
    most
}

fn log(client: &mut Client, build: &Value) -> Result<String> {
    let mut text = String::new();
    let mut asked = json!({
        "logGroupName": build["logs"]["groupName"],
        "logStreamName": build["logs"]["streamName"],
        "startFromHead": true,
    });
    loop {
        let Answer::Done(page) = client.logs("GetLogEvents", &asked)? else {
            bail!("GetLogEvents is refused")
        };
        for event in page["events"].as_array().into_iter().flatten() {
            text.push_str(event["message"].as_str().unwrap_or_default());
        }
        if page["nextForwardToken"] == asked["nextToken"] {
            return Ok(text);
        }
        asked["nextToken"] = page["nextForwardToken"].clone();
    }
}

fn spec(command: &str, mut more: Value) -> String {
    more["version"] = json!("0.2");
    more["phases"] = json!({ "build": { "commands": [command] } });
    more.to_string()
}

fn make_project(client: &mut Client) -> Result<()> {
    let source = json!({ "type": "S3", "location": format!("{BUCKET}/tree.zip") });
    builds::make_project(client, PROJECT, &source, &json!({ "type": "S3", "location": BUCKET }))
}

/// Writes a tree whose files are of many lengths, most of them small.
fn grow(folder: &Path, bytes: u64) -> Result<()> {
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let noise: Vec<u8> = (0..1 << 20).flat_map(|_| next().to_le_bytes()).collect();
    let words: Vec<String> = (0..4_000).map(|_| format!("{:x}", next() % 0xfff_ffff)).collect();
    let mut text = String::new();
    while text.len() < 8 << 20 {
        let word = &words[usize::try_from(next()).unwrap_or_default() % words.len()];
        text.push_str(word);
        text.push(if next().is_multiple_of(9) { '\n' } else { ' ' });
    }
    let of_weights: u64 = (0..FILES).map(weight).sum();
    for number in 0..FILES {
        let below = folder.join(format!("tree/d{:03}/e{}", number % 200, number % 7));
        fs::create_dir_all(&below)?;
        let from = if number % 10 < NOISY_OF_TEN { &noise[..] } else { text.as_bytes() };
        let mut file = File::create(below.join(format!("f{number:05}")))?;
        let mut left = bytes * weight(number) / of_weights;
        while left > 0 {
            let at = usize::try_from(next()).unwrap_or_default() % (from.len() - 1);
            let length = (from.len() - at).min(usize::try_from(left).unwrap_or(usize::MAX));
            file.write_all(&from[at..at + length])?;
            left -= length as u64;
        }
    }
    Ok(())
}

/// How long a file is beside the others.
fn weight(number: usize) -> u64 {
    match number % 500 {
        499 => 1_000,
        number => [1, 1, 2, 2, 4, 8, 16, 30][number % 8],
    }
}

fn aws(service: &Service, words: &[&str]) -> Result<()> {
    let endpoint = format!("http://{}", service.address());
    tool(
        Command::new("aws")
            .args(["--endpoint-url", &endpoint, "s3"])
            .args(words)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .env("AWS_DEFAULT_REGION", "eu-central-1"),
    )
}

fn tool(command: &mut Command) -> Result<()> {
    let done = command.output().with_context(|| format!("{command:?} runs"))?;
    ensure!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}
