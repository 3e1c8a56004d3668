//! The images that Docker or Podman have on this machine, taken by their own programs.

use serde::{Deserialize, Serialize};
use std::{
    fmt, io,
    process::{Child, ChildStdout, Command, Stdio},
};

/// A program with images of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        })
    }
}

/// An image that is on its way out of an engine.
pub(super) struct Saving {
    engine: Engine,
    name: String,
    child: Child,
}

impl Saving {
    /// Asks an engine for an image.
    pub(super) fn begin(engine: Engine, name: &str) -> io::Result<Self> {
        let mut command = Command::new(engine.to_string());
        command.arg("save");
        if engine == Engine::Podman {
            // Its own default, said aloud: layers as they are, none of them packed again.
            command.args(["--format", "docker-archive"]);
        }
        command.args(["--", name]).stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        Ok(Self { engine, name: name.to_owned(), child })
    }

    /// What it gives.
    pub(super) fn output(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("it is asked for once")
    }

    /// Waits for its end. The error is what the engine says.
    pub(super) fn end(self) -> Result<(), String> {
        let Self { engine, name, child } = self;
        let done = child.wait_with_output();
        let done = done.map_err(|error| format!("{engine}:{name}: {error}"))?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it failed");
        Err(format!("{engine}:{name}: {}", last.trim()))
    }
}
