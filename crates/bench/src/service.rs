//! The program under measurement, serving on a free port.

use super::client::Client;
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use wire::sigv4::Credentials;

/// The root user's keys.
pub(crate) const ACCESS_KEY_ID: &str = "AKIABENCHBENCHBENCH1";
pub(crate) const SECRET_ACCESS_KEY: &str = "measured/measured/measured/measured/1234";

/// How long the last container may take to be gone.
const SETTLED_AFTER_MAX: Duration = Duration::from_secs(60);

/// A service of its own, ended when this is dropped.
pub(crate) struct Service {
    process: Child,
    address: SocketAddr,
}

impl Service {
    /// Starts a service with its data in `folder` and a configuration file of this text.
    pub(crate) fn start(program: &Path, folder: &Path, configuration: &str) -> Result<Self> {
        let file = folder.join("buildyard.toml");
        fs::write(&file, configuration).context("a configuration")?;
        let mut process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(folder.join("data"))
            .arg("--config")
            .arg(&file)
            .env("BUILDYARD_AT_STOP", "stop")
            .env("BUILDYARD_ROOT_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("BUILDYARD_ROOT_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("the service starts")?;
        let mut line = String::new();
        let output = process.stdout.take().context("the service's output")?;
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.with_context(|| format!("the service says {line:?}"))?.parse()?;
        Ok(Self { process, address })
    }

    /// The processor time that it and all that it has waited for have used, builds among them.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        processor_time_of(&self.process.id().to_string())
    }

    /// Asks it to stop its builds and to end, and waits for that.
    pub(crate) fn stop(mut self) -> Result<()> {
        let id = i32::try_from(self.process.id())?;
        let process = rustix::process::Pid::from_raw(id).context("a process")?;
        rustix::process::kill_process(process, rustix::process::Signal::TERM)?;
        self.process.wait()?;
        Ok(())
    }

    /// Where it takes requests.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new connection to it.
    pub(crate) fn client(&self) -> Result<Client> {
        let credentials = Credentials {
            access_key_id: ACCESS_KEY_ID.to_owned(),
            secret_access_key: SECRET_ACCESS_KEY.to_owned(),
            session_token: None,
        };
        Client::connect(self.address, credentials)
    }

    /// Waits until nothing of any build is left: it has ended, and its container is gone.
    pub(crate) fn settle(&self) -> Result<()> {
        let began = Instant::now();
        while !self.agents()?.is_empty() {
            ensure!(
                began.elapsed() < SETTLED_AFTER_MAX,
                "containers are left: {:?}",
                self.agents()
            );
            std::thread::sleep(Duration::from_micros(500));
        }
        Ok(())
    }

    /// The agents: every container's first process is the service's child.
    pub(crate) fn agents(&self) -> Result<Vec<u32>> {
        let mut children = self.children()?;
        children.retain(|child| !is_origin(*child));
        Ok(children)
    }

    fn children(&self) -> Result<Vec<u32>> {
        let mut children = Vec::new();
        for thread in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let listed = fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
            children.extend(listed.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
        Ok(children)
    }

    /// The service's resident memory, in bytes, with its share of what the origin of the sandbox's
    /// helpers has.
    pub(crate) fn memory(&self) -> Result<u64> {
        let mut bytes = memory_of(self.process.id(), "Rss:")?;
        for child in self.children()?.into_iter().filter(|child| is_origin(*child)) {
            bytes += memory_of(child, "Pss:")?;
        }
        Ok(bytes)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It ends at once; the builds that were measured have ended before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether a process is what the sandbox's helpers are copied from, or one of them.
fn is_origin(process: u32) -> bool {
    fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|words| {
        words.split(|byte| *byte == 0).nth(1) == Some(executor::HELPER_VERB.as_bytes())
    })
}

/// A process's memory by one of the kernel's measures, in bytes.
pub(crate) fn memory_of(process: u32, measure: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(measure));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kibibytes.context("the kernel's account of the memory")? * 1024)
}

/// The processor time of a process and of its children that have been waited for.
pub(crate) fn processor_time_of(process: &str) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in front may have spaces.
    let (_, numbers) = stat.rsplit_once(')').context("a process's name")?;
    let ticks = numbers.split_whitespace().skip(11).take(4).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second()))
}
