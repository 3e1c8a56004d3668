//! A container engine that speaks Docker's API on a socket: dockerd, or Podman.
//!
//! It makes the container and says how it ended. The network inside, the sockets and what is handed
//! to the agent are the keeper's matter, which stands beside the container.

mod images;

pub use images::EngineImagesRemoved;

use super::{message::User, privileges};
use crate::{ContainerId, ContainerSpec, Exit, Fault};
use bollard::{
    API_DEFAULT_VERSION, Docker,
    errors::Error,
    models::{
        ContainerCreateBody, ContainerState, HostConfig, HostConfigCgroupnsModeEnum,
        HostConfigLogConfig, Mount, ResourcesUlimits, VolumeCreateRequest,
    },
    query_parameters::{
        CreateContainerOptions, KillContainerOptions, RemoveContainerOptions, RemoveVolumeOptions,
        WaitContainerOptions,
    },
};
use futures::StreamExt;
use rustix::process::{Pid, Resource, getrlimit};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};
use tokio::runtime::Handle;

/// A container engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerEngine {
    /// The socket on which it speaks Docker's API.
    pub socket: PathBuf,
}

/// What the keeper is told of a container that an engine has made.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct EngineJob {
    /// Its first process, as the host sees it.
    pub(super) process: i32,
}

/// How long an engine may take to answer.
const ANSWER_SECONDS_MAX: u64 = 120;
/// Below this an engine refuses to limit memory.
const MEMORY_BYTES_MIN: u64 = 6 << 20;
/// An answer that means that there is no such thing.
const NOT_FOUND: u16 = 404;
/// An answer that means that it is so already.
const NOT_MODIFIED: u16 = 304;
/// An answer that means that somebody else is doing it.
const CONFLICT: u16 = 409;
/// How often, and after which pause, an engine is asked how a container has ended.
const STATE_TRIES_MAX: usize = 20;
const STATE_PAUSE: Duration = Duration::from_millis(50);
/// The code by which engines tell of a signal is this and its number.
const SIGNAL_BASE: i64 = 128;

/// What an engine says whose containers have other users than the machine, and how it came to it.
const OTHER_USERS: [(&str, &str); 2] =
    [("name=userns", "userns-remap"), ("name=rootless", "it runs without root")];

/// A connection to an engine.
#[derive(Debug)]
pub(super) struct Engine {
    docker: Docker,
    /// What the names of all containers begin with.
    prefix: String,
    turns: images::Turns,
}

impl Engine {
    /// Connects, and agrees on a version of the API.
    pub(super) async fn connect(engine: &DockerEngine, instance: &str) -> Result<Self, Fault> {
        let socket = engine.socket.display().to_string();
        let doing = format!("reach a container engine at {socket}");
        let failed = |error: Error| Fault::because(&doing, told(&error));
        let docker = Docker::connect_with_unix(&socket, ANSWER_SECONDS_MAX, API_DEFAULT_VERSION);
        let docker = docker.map_err(failed)?.negotiate_version().await.map_err(failed)?;
        let options = docker.info().await.map_err(failed)?.security_options.unwrap_or_default();
        if let Some(how) = other_users(&options) {
            let reason = format!(
                "its containers' users are not this machine's ({how}), so that they reach nothing \
                 of what a build is given: run it without that, or take an executor that keeps \
                 users apart itself, such as sandbox or runc"
            );
            return Err(Fault::because(format!("use the container engine at {socket}"), reason));
        }
        let prefix = format!("buildyard-{instance}");
        Ok(Self { docker, prefix, turns: images::Turns::default() })
    }

    fn name(&self, id: &ContainerId) -> String {
        format!("{}-{id}", self.prefix)
    }

    /// Makes a volume that is an overlay, for the container with this id; gives its name. Its number
    /// follows that of the last one.
    pub(super) fn overlay(
        &self,
        id: &ContainerId,
        number: usize,
        layers: String,
    ) -> Result<String, Fault> {
        let name = self.volume(id, number);
        let options = [("type", "overlay".to_owned()), ("device", "overlay".to_owned())];
        let options = options.into_iter().chain([("o", layers)]);
        let volume = VolumeCreateRequest {
            name: Some(name.clone()),
            driver: Some("local".to_owned()),
            driver_opts: Some(options.map(|(key, value)| (key.to_owned(), value)).collect()),
            ..VolumeCreateRequest::default()
        };
        let made = Handle::current().block_on(self.docker.create_volume(volume));
        made.map_err(|error| fault("make a volume", &error))?;
        Ok(name)
    }

    fn volume(&self, id: &ContainerId, number: usize) -> String {
        format!("{}-{number}", self.name(id))
    }

    /// Makes the container and starts it; gives its first process.
    pub(super) fn start(
        &self,
        spec: &ContainerSpec,
        image: String,
        mounts: Vec<Mount>,
        entrypoint: &[&str],
    ) -> Result<EngineJob, Fault> {
        let body = ContainerCreateBody {
            image: Some(image),
            hostname: Some(spec.id.to_string()),
            user: Some("0:0".to_owned()),
            working_dir: Some("/".to_owned()),
            entrypoint: Some(entrypoint.iter().map(|&word| word.to_owned()).collect()),
            cmd: Some(Vec::new()),
            host_config: Some(host_config(spec, mounts)),
            ..ContainerCreateBody::default()
        };
        Handle::current().block_on(async {
            let doing = "start a container with the container engine";
            let name = self.name(&spec.id);
            let options =
                CreateContainerOptions { name: Some(name.clone()), platform: String::new() };
            let failed = |error: Error| fault(doing, &error);
            self.docker.create_container(Some(options), body).await.map_err(failed)?;
            self.docker.start_container(&name, None).await.map_err(failed)?;
            let state = self.state(&name).await.map_err(failed)?.unwrap_or_default();
            let process = state.pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
            match process {
                Some(process) => Ok(EngineJob { process: process.as_raw_nonzero().get() }),
                None => {
                    let reason = "the agent ended before it began";
                    let error = state.error.filter(|error| !error.is_empty());
                    Err(Fault::because(doing, error.as_deref().unwrap_or(reason)))
                }
            }
        })
    }

    /// Ends a container that nobody keeps any more; fine when it has ended.
    pub(super) fn kill(&self, id: &ContainerId) {
        let options = Some(KillContainerOptions::default());
        let killed =
            Handle::current().block_on(self.docker.kill_container(&self.name(id), options));
        if let Err(error) = killed
            && !is(&error, NOT_FOUND)
            && !is(&error, CONFLICT)
        {
            tracing::warn!(%id, error = told(&error), "a container is not ended");
        }
    }

    /// How a container ended, which has or is about to.
    pub(super) fn exit(&self, id: &ContainerId) -> Exit {
        let name = self.name(id);
        let state = Handle::current().block_on(async {
            let options = WaitContainerOptions { condition: "not-running".to_owned() };
            // What it says is in the state as well; it says a code above zero as an error.
            let _ = self.docker.wait_container(&name, Some(options)).next().await;
            let mut state = self.state(&name).await;
            // Podman is of two minds about a container that it is removing at this moment.
            for _ in 1..STATE_TRIES_MAX {
                if state.is_ok() {
                    break;
                }
                tokio::time::sleep(STATE_PAUSE).await;
                state = self.state(&name).await;
            }
            state
        });
        match state {
            Ok(Some(state)) if state.oom_killed == Some(true) => Exit::OutOfMemory,
            Ok(Some(state)) => match state.exit_code {
                Some(code) if code > SIGNAL_BASE => {
                    Exit::Killed { signal: i32::try_from(code - SIGNAL_BASE).unwrap_or_default() }
                }
                code => Exit::Exited { code: code.and_then(|code| i32::try_from(code).ok()) },
            },
            // It has been removed, and killed before.
            Ok(None) => Exit::Killed { signal: libc::SIGKILL },
            Err(error) => {
                tracing::error!(%id, error = told(&error), "the container engine tells no end");
                Exit::Lost
            }
        }
    }

    async fn state(&self, name: &str) -> Result<Option<ContainerState>, Error> {
        match self.docker.inspect_container(name, None).await {
            Ok(found) => Ok(found.state),
            Err(error) if is(&error, NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ends and removes a container with its volumes; fine when there is none.
    pub(super) fn remove(&self, id: &ContainerId) -> Result<(), Fault> {
        Handle::current().block_on(async {
            self.remove_container(&self.name(id)).await?;
            for number in 0.. {
                let name = self.volume(id, number);
                match self.docker.remove_volume(&name, None::<RemoveVolumeOptions>).await {
                    Ok(()) => {}
                    Err(error) if is(&error, NOT_FOUND) => break,
                    Err(error) => return Err(fault("remove a volume", &error)),
                }
            }
            Ok(())
        })
    }

    async fn remove_container(&self, name: &str) -> Result<(), Fault> {
        let options = RemoveContainerOptions { v: true, force: true, link: false };
        match self.docker.remove_container(name, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) if is(&error, NOT_FOUND) || is(&error, NOT_MODIFIED) => Ok(()),
            Err(error) if is(&error, CONFLICT) => {
                let options = WaitContainerOptions { condition: "removed".to_owned() };
                // Gone is what it is to be.
                let _ = self.docker.wait_container(name, Some(options)).next().await;
                Ok(())
            }
            Err(error) => Err(fault("remove a container", &error)),
        }
    }

    /// Whose processes the containers' are.
    pub(super) fn user() -> User {
        User::HostRoot
    }
}

/// By what an engine's containers have other users than the machine, as it says among its options.
fn other_users(options: &[String]) -> Option<&'static str> {
    let has = |name: &str| options.iter().any(|option| option.split(',').any(|part| part == name));
    OTHER_USERS.into_iter().find(|(name, _)| has(name)).map(|(_, how)| how)
}

fn host_config(spec: &ContainerSpec, mounts: Vec<Mount>) -> HostConfig {
    let limits = &spec.limits;
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let memory = whole(limits.memory_bytes.max(MEMORY_BYTES_MIN));
    let processors = rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count());
    let is_limited = limits.cpu_millis < processors.saturating_mul(1000);
    let kept = privileges::kept();
    HostConfig {
        mounts: Some(mounts),
        memory: Some(memory),
        memory_swap: Some(memory),
        nano_cpus: is_limited.then(|| i64::from(limits.cpu_millis) * 1_000_000),
        pids_limit: Some(limits.processes_max.into()),
        // Engines set higher ones by default, which not every root may.
        ulimits: Some(vec![
            ulimit("nofile", Resource::Nofile, limits.open_files_max),
            ulimit("nproc", Resource::Nproc, limits.processes_max.into()),
            ulimit("core", Resource::Core, 0),
        ]),
        shm_size: Some(memory / 2),
        network_mode: Some("none".to_owned()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(kept),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        ..HostConfig::default()
    }
}

/// A limit of each process, which is not above that of this one.
fn ulimit(name: &str, resource: Resource, value: u64) -> ResourcesUlimits {
    let value = getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
    let value = i64::try_from(value).unwrap_or(-1);
    ResourcesUlimits { name: Some(name.to_owned()), soft: Some(value), hard: Some(value) }
}

fn is(error: &Error, status: u16) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code, .. } if *status_code == status)
}

/// An error with what caused it.
fn told(error: &Error) -> String {
    if let Error::DockerResponseServerError { message, .. } = error {
        return message.clone();
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn fault(doing: &str, error: &Error) -> Fault {
    Fault::because(doing, told(error))
}
