//! The environment's `git`, run with a home folder and a configuration of its own.

use super::configuration::{self, Choices};
use super::ssh::Signing;
use super::{authorities, complaint, kept};
use crate::fault::{Doing, Fault};
use crate::journal::Journal;
use crate::outcome::Stop;
use crate::processes::{self, Exit};
use crate::run::Build;
use crate::shell::find_program;
use agent_protocol::{GitSource, Variable};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Stdio};

/// Variables of the image that git needs to work at all.
const IMAGES_OWN: [&str; 3] = ["LD_LIBRARY_PATH", "SSL_CERT_DIR", "SSL_CERT_FILE"];
/// Variables that say how servers are reached, whoever set them.
const PROXIES: [&str; 4] = ["all_proxy", "http_proxy", "https_proxy", "no_proxy"];
/// More than this of what git says is not kept.
const SAID_BYTES_MAX: usize = 64 * 1024;
/// How many times longer than a server git itself may be silent, before it is ended.
const SILENCE_FACTOR: i64 = 5;

/// A `git` that is ready to be run, until it is dropped.
pub(super) struct Git<'a> {
    build: &'a Build,
    program: PathBuf,
    variables: Vec<(String, String)>,
    home: PathBuf,
    /// What signs for ssh, when the source is on a host of ssh.
    _signing: Option<Signing>,
    /// The agent's own program, which every child process inherits and git runs as its helper.
    _helper: OwnedFd,
}

/// What a run of git came to.
pub(super) struct Ran {
    exit: Exit,
    stalled: bool,
    /// What it said on its standard error.
    pub(super) said: String,
    /// What it printed.
    pub(super) printed: String,
}

impl Ran {
    /// Whether it did what it should.
    pub(super) fn succeeded(&self) -> bool {
        self.exit.shell_status() == 0
    }

    /// Why it did not.
    pub(super) fn reason(&self) -> String {
        if self.stalled {
            return "Git clone failed: nothing was heard from the server for too long".to_owned();
        }
        match self.exit {
            Exit::Code(_) => complaint::reason(&self.said),
            Exit::Signal { .. } => format!("Git clone failed: git ended by {}", self.exit),
        }
    }

    /// What it printed, when it did what it should.
    pub(super) fn good(self) -> Result<String, Stop> {
        if self.succeeded() { Ok(self.printed) } else { Err(Stop::client(self.reason())) }
    }
}

impl<'a> Git<'a> {
    /// Finds git and writes its configuration.
    pub(super) fn prepare(
        build: &'a Build,
        identifier: &str,
        source: &GitSource,
    ) -> Result<Self, Stop> {
        let orders = &build.orders;
        let base = |name: &str| value(&orders.base_variables, name);
        let path = base("PATH").unwrap_or_default();
        let program = find("git", path)?;
        let authorities = orders.git.certificate.as_ref();
        let authorities = authorities.map(|from| authorities::fetch(build, from)).transpose()?;
        let home = build.layout.git_home();
        fs::create_dir_all(&home).doing(|| "make git's home folder".to_owned())?;
        let own = File::open("/proc/self/exe").doing(|| "open the agent's program".to_owned())?;
        // A copy that is not closed when another program starts.
        let helper = rustix::io::dup(&own).doing(|| "share the agent's program".to_owned())?;
        let scheme = scheme(&source.url);
        let protocols = match scheme {
            "file" if orders.git.allow_file => &["https", "http", "file"][..],
            "ssh" if orders.git.ssh_known_hosts.is_some() => &["https", "http", "ssh"],
            _ => &["https", "http"],
        };
        let choices = Choices {
            helper: &format!(
                "/proc/self/fd/{} {} {} '{identifier}'",
                helper.as_raw_fd(),
                crate::credential_helper::VERB,
                orders.git.credentials_url,
            ),
            protocols,
            stalled_seconds_max: orders.git.stalled_seconds_max,
            insecure_tls: source.insecure_tls,
            is_kept: kept::is_asked_for(build),
            authorities: authorities.as_deref().and_then(Path::to_str),
        };
        fs::write(home.join(".gitconfig"), configuration::text(&choices))
            .doing(|| "write git's configuration".to_owned())?;
        let signing = match &orders.git.ssh_known_hosts {
            Some(hosts) if scheme == "ssh" => {
                find("ssh", path)?;
                Some(Signing::open(&home, hosts, &orders.git.credentials_url)?)
            }
            Some(_) | None => None,
        };
        let mut variables = vec![
            ("PATH".to_owned(), path.to_owned()),
            ("GIT_ALLOW_PROTOCOL".to_owned(), protocols.join(":")),
        ];
        for name in IMAGES_OWN {
            variables.extend(base(name).map(|text| (name.to_owned(), text.to_owned())));
        }
        for name in PROXIES.into_iter().flat_map(|name| [name.to_owned(), name.to_uppercase()]) {
            let text = value(&orders.variables, &name).or_else(|| base(&name));
            variables.extend(text.map(|text| (name, text.to_owned())));
        }
        if let Some(signing) = &signing {
            let command = signing.command(orders.git.stalled_seconds_max);
            variables.push(("GIT_SSH_COMMAND".to_owned(), command));
            variables.push(("GIT_SSH_VARIANT".to_owned(), "ssh".to_owned()));
        }
        Ok(Self { build, program, variables, home, _signing: signing, _helper: helper })
    }

    /// What happens is told here.
    pub(super) fn journal(&self) -> &Journal {
        &self.build.journal
    }

    /// Runs git in a folder to its end.
    pub(super) fn run(&self, folder: &Path, arguments: &[&str]) -> Result<Ran, Fault> {
        let doing = || format!("run git {}", arguments.first().unwrap_or(&""));
        let printed = memfd_create("printed", MemfdFlags::CLOEXEC).doing(doing)?;
        let mut printed = File::from(printed);
        let home = self.home.as_os_str();
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .envs(self.variables.iter().map(|(name, text)| (name, text)))
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_LFS_SKIP_SMUDGE", "1")
            .env("GIT_LFS_FORCE_PROGRESS", "1")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(printed.try_clone().doing(doing)?)
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().doing(doing)?;
        let pid = processes::pid(&child);
        let said = child.stderr.take().expect("the standard error was piped");
        let silence = i64::from(self.build.orders.git.stalled_seconds_max) * SILENCE_FACTOR;
        let listener =
            std::thread::Builder::new().spawn(move || listen(said, silence, pid)).doing(doing)?;
        let (exit, _) = processes::wait_for(child)?;
        // A process that git left behind would keep the listener waiting.
        let _ = kill_process_group(pid, Signal::KILL);
        let heard = listener.join().unwrap_or_else(|_| Err(io::Error::other("nobody listened")));
        let (said, stalled) = heard.doing(doing)?;
        let mut text = Vec::new();
        printed.rewind().and_then(|()| printed.read_to_end(&mut text)).doing(doing)?;
        let printed = String::from_utf8_lossy(&text).trim_end().to_owned();
        Ok(Ran { exit, stalled, said, printed })
    }
}

impl Drop for Git<'_> {
    fn drop(&mut self) {
        // It holds no secret, and the environment is thrown away.
        let _ = fs::remove_dir_all(&self.home);
    }
}

fn find(program: &str, path: &str) -> Result<PathBuf, Stop> {
    find_program(program, path).ok_or_else(|| {
        Stop::client(format!(
            "exec: {program:?}: executable file not found in $PATH: install {program} in the \
             build's image, or use a source in S3"
        ))
    })
}

/// How a repository is reached; `user@host:path` is ssh's.
fn scheme(url: &str) -> &str {
    url.split_once("://").map_or("ssh", |(scheme, _)| scheme)
}

fn value<'v>(variables: &'v [Variable], name: &str) -> Option<&'v str> {
    let found = variables.iter().rev().find(|variable| variable.name == name);
    found.map(|variable| variable.value.as_str()).filter(|text| !text.is_empty())
}

/// Reads what a process group says until nobody can say anything more; whether it was ended for its
/// silence.
fn listen(mut said: ChildStderr, seconds: i64, group: Pid) -> io::Result<(String, bool)> {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    let mut stalled = false;
    loop {
        let timeout = (seconds > 0).then_some(Timespec { tv_sec: seconds, tv_nsec: 0 });
        match poll(&mut [PollFd::new(&said, PollFlags::IN)], timeout.as_ref()) {
            Ok(0) => {
                stalled = true;
                let _ = kill_process_group(group, Signal::KILL);
            }
            Ok(_) => {
                let length = said.read(&mut buffer)?;
                if length == 0 {
                    return Ok((String::from_utf8_lossy(&kept).into_owned(), stalled));
                }
                kept.extend_from_slice(&buffer[..length]);
                // Progress comes first and complaints last.
                let surplus = kept.len().saturating_sub(SAID_BYTES_MAX);
                kept.drain(..surplus);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
