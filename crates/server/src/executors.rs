//! Which executors there are, and which of them makes the environment of a build.
//!
//! The configuration names those that builds may choose. A build chooses by a variable of its
//! environment, since CodeBuild's API has no member for it; the choice is kept with the build.

use async_trait::async_trait;
use executor::{
    Container, ContainerId, ContainerSpec, DockerEngine, Executor, Exit, Fault, Image, LaunchError,
    OciRuntime, RuntimeKind, Sandbox, SandboxConfig,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};
use wire::codebuild::{EnvironmentVariable, EnvironmentVariableType};

/// The variable of an environment that chooses its executor.
pub const VARIABLE: &str = "BUILDYARD_EXECUTOR";

/// An executor's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutorName {
    /// The one built in.
    #[default]
    Sandbox,
    /// The sandbox with a box made by runc in it.
    Runc,
    /// The same by crun.
    Crun,
    /// The same by gVisor's runsc.
    Runsc,
    /// A container engine that speaks Docker's API: dockerd, or Podman.
    Docker,
}

impl ExecutorName {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Sandbox, Self::Runc, Self::Crun, Self::Runsc, Self::Docker];

    /// The name, as the configuration and builds have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Runsc => "runsc",
            Self::Docker => "docker",
        }
    }
}

impl fmt::Display for ExecutorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ExecutorName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|name| name.as_str() == text);
        found.ok_or_else(|| {
            format!("there is no executor {text:?}: there are {}", listed(Self::ALL.into_iter()))
        })
    }
}

fn listed(names: impl Iterator<Item = ExecutorName>) -> String {
    names.map(ExecutorName::as_str).collect::<Vec<_>>().join(", ")
}

/// Which executors builds may have.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Executors {
    /// The executor of builds that choose none.
    pub default: ExecutorName,
    /// Those that builds may choose, beside the default one.
    pub allowed: Vec<ExecutorName>,
    /// How runc is called.
    pub runc: RuntimeSettings,
    /// How crun is called.
    pub crun: RuntimeSettings,
    /// How runsc is called.
    pub runsc: RuntimeSettings,
    /// Where the container engine is.
    pub docker: DockerSettings,
}

/// Where a container engine is.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct DockerSettings {
    /// The socket on which it speaks Docker's API.
    pub socket: PathBuf,
}

impl Default for DockerSettings {
    fn default() -> Self {
        Self { socket: "/var/run/docker.sock".into() }
    }
}

/// How an OCI runtime is called.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct RuntimeSettings {
    /// Its program; found on `PATH` by its name when absent.
    pub program: Option<PathBuf>,
    /// Flags that stand before its verb.
    pub flags: Vec<String>,
}

/// Why an environment cannot have the executor that it chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotChosen {
    /// No executor of this name may be chosen here.
    NotAllowed {
        /// The name.
        name: String,
        /// The names that may be.
        allowed: String,
    },
    /// The choice would be known only in the environment.
    NotPlain,
}

impl Executors {
    /// The executor of an environment with these variables. Of several choices the last counts, as
    /// of other variables.
    pub fn chosen(&self, variables: &[EnvironmentVariable]) -> Result<ExecutorName, NotChosen> {
        let Some(choice) = variables.iter().rev().find(|variable| variable.name == VARIABLE) else {
            return Ok(self.default);
        };
        if !matches!(choice.r#type, None | Some(EnvironmentVariableType::Plaintext)) {
            return Err(NotChosen::NotPlain);
        }
        let found = self.usable().find(|name| name.as_str() == choice.value);
        found.ok_or_else(|| NotChosen::NotAllowed {
            name: choice.value.clone(),
            allowed: listed(self.usable()),
        })
    }

    /// The container engine, if builds may have one.
    pub fn engine(&self) -> Option<DockerEngine> {
        let is_usable = self.usable().any(|name| name == ExecutorName::Docker);
        is_usable.then(|| DockerEngine { socket: self.docker.socket.clone() })
    }

    /// The executors that there are to be, the default one first.
    fn usable(&self) -> impl Iterator<Item = ExecutorName> {
        let others = self.allowed.iter().copied().filter(|name| *name != self.default);
        std::iter::once(self.default).chain(others)
    }

    fn runtime(&self, kind: RuntimeKind) -> OciRuntime {
        let settings = match kind {
            RuntimeKind::Runc => &self.runc,
            RuntimeKind::Crun => &self.crun,
            RuntimeKind::Runsc => &self.runsc,
        };
        let program = settings.program.clone().unwrap_or_else(|| kind.name().into());
        OciRuntime { kind, program, flags: settings.flags.clone() }
    }
}

/// The executors of a service.
pub struct Workshop {
    named: BTreeMap<ExecutorName, Arc<dyn Executor>>,
}

impl Workshop {
    /// Makes all executors that the configuration names. Each but the sandbox has a folder of its
    /// own in `folder`.
    pub async fn open(
        settings: &Executors,
        sandbox: &SandboxConfig,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        use anyhow::Context;
        let mut named = BTreeMap::new();
        for name in settings.usable() {
            let own = || SandboxConfig { state_dir: folder.join(name.as_str()), ..sandbox.clone() };
            let runtime = |kind| Sandbox::with_runtime(own(), settings.runtime(kind));
            let engine = || DockerEngine { socket: settings.docker.socket.clone() };
            let made = match name {
                ExecutorName::Sandbox => Sandbox::new(sandbox.clone()),
                ExecutorName::Runc => runtime(RuntimeKind::Runc),
                ExecutorName::Crun => runtime(RuntimeKind::Crun),
                ExecutorName::Runsc => runtime(RuntimeKind::Runsc),
                ExecutorName::Docker => Sandbox::with_engine(own(), engine()).await,
            };
            let made = made.with_context(|| advice(name))?;
            named.insert(name, Arc::new(made) as Arc<dyn Executor>);
        }
        Ok(Self { named })
    }

    /// A workshop where everything is made by one executor, under this name.
    pub fn with(name: ExecutorName, executor: Arc<dyn Executor>) -> Self {
        Self { named: BTreeMap::from([(name, executor)]) }
    }

    /// The executor of this name. One that the configuration no longer names launches nothing; its
    /// containers stay where they are until it is named again.
    pub fn executor(&self, name: ExecutorName) -> Arc<dyn Executor> {
        match self.named.get(&name) {
            Some(executor) => Arc::clone(executor),
            None => Arc::new(Absent(name)),
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn Executor>> {
        self.named.values()
    }
}

/// What to do about an executor that cannot be made.
fn advice(name: ExecutorName) -> String {
    match name {
        ExecutorName::Sandbox => "failed to prepare the sandbox".to_owned(),
        ExecutorName::Runc | ExecutorName::Crun | ExecutorName::Runsc => format!(
            "the executor {name} cannot be used: install {name}, say where it is with \
             executors.{name}.program, or name it neither in executors.default nor in \
             executors.allowed"
        ),
        ExecutorName::Docker => "the executor docker cannot be used: start the engine, say where \
                                 its socket is with executors.docker.socket, or name it neither in \
                                 executors.default nor in executors.allowed"
            .to_owned(),
    }
}

/// An executor that a build has chosen, and that there is no longer.
struct Absent(ExecutorName);

impl Absent {
    fn fault(&self) -> Fault {
        let reason = format!("the configuration does not name the executor {}", self.0);
        Fault::new("make an environment", io::Error::other(reason))
    }
}

#[async_trait]
impl Executor for Absent {
    async fn launch(&self, _: &ContainerSpec) -> Result<Container, LaunchError> {
        Err(self.fault().into())
    }

    async fn watch(&self, _: &ContainerId) -> Exit {
        Exit::Lost
    }

    async fn destroy(&self, _: &ContainerId) -> Result<(), Fault> {
        Ok(())
    }

    async fn image_environment(&self, _: &Image) -> Result<Vec<(String, String)>, LaunchError> {
        Err(self.fault().into())
    }

    async fn list(&self) -> Result<Vec<ContainerId>, Fault> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(value: &str) -> EnvironmentVariable {
        EnvironmentVariable { name: VARIABLE.into(), value: value.into(), r#type: None }
    }

    #[test]
    fn the_default_is_had_without_a_choice_and_may_be_chosen() {
        let settings = Executors { default: ExecutorName::Crun, ..Executors::default() };
        assert_eq!(settings.chosen(&[]), Ok(ExecutorName::Crun));
        assert_eq!(settings.chosen(&[variable("crun")]), Ok(ExecutorName::Crun));
    }

    #[test]
    fn only_what_is_allowed_may_be_chosen() {
        let allowed = vec![ExecutorName::Runc, ExecutorName::Sandbox];
        let settings = Executors { allowed, ..Executors::default() };
        assert_eq!(settings.chosen(&[variable("runc")]), Ok(ExecutorName::Runc));
        let twice = [variable("runc"), variable("sandbox")];
        assert_eq!(settings.chosen(&twice), Ok(ExecutorName::Sandbox));
        for name in ["runsc", "", "Runc"] {
            let (name, allowed) = (name.to_owned(), "sandbox, runc".to_owned());
            let refused = settings.chosen(&[variable(&name)]);
            assert_eq!(refused, Err(NotChosen::NotAllowed { name, allowed }));
        }
        let kept = EnvironmentVariable {
            r#type: Some(EnvironmentVariableType::SecretsManager),
            ..variable("runc")
        };
        assert_eq!(settings.chosen(&[kept]), Err(NotChosen::NotPlain));
    }
}
