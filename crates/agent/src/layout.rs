//! Where things are inside the environment. The only file that spells `/codebuild`.

use std::fs::File;
use std::path::{Path, PathBuf};

/// The folders and files that the agent uses, below a root that is `/` in every real build.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout below `root`; anything but `/` is for trying the agent out without a sandbox.
    pub(crate) fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Holds the files that carry the shell's state from command to command.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("codebuild/output/tmp")
    }

    /// Holds an inline buildspec; the folder that the first shell comes from.
    pub(crate) fn readonly(&self) -> PathBuf {
        self.root.join("codebuild/readonly")
    }

    /// The inline buildspec.
    pub(crate) fn inline_buildspec(&self) -> PathBuf {
        self.readonly().join("buildspec.yml")
    }

    /// The agent's own program, for a process that is to become it again.
    pub(crate) fn own_program(&self) -> PathBuf {
        PathBuf::from("/proc/self/exe")
    }

    /// The script of the command that runs.
    pub(crate) fn script(&self) -> PathBuf {
        self.tmp().join("script.sh")
    }

    /// The exported variables, as a script that sets them.
    pub(crate) fn env_file(&self) -> PathBuf {
        self.tmp().join("env.sh")
    }

    /// What the last command left: the exported variables and its folder.
    pub(crate) fn saved_state(&self) -> PathBuf {
        self.tmp().join("state")
    }

    /// What `codebuild-hash-files` read, one file a line, while a cache's key is evaluated.
    pub(crate) fn hashed_files(&self) -> PathBuf {
        self.tmp().join("hashed.jsonl")
    }

    /// The root of the environment in which a program of ours was found on the `PATH`, which
    /// holds them in `codebuild/user/bin`.
    pub(crate) fn root_of_program(program: &Path) -> Option<&Path> {
        let folder = program.parent()?;
        folder.ends_with("codebuild/user/bin").then(|| folder.ancestors().nth(3)).flatten()
    }

    /// The home folder of git while it fetches sources.
    pub(crate) fn git_home(&self) -> PathBuf {
        self.tmp().join("git")
    }

    /// The certificate authorities that Git hosts are trusted by, when they are not the image's.
    pub(crate) fn authorities(&self) -> PathBuf {
        self.readonly().join("certificates.pem")
    }

    /// The program that `git` of the build's commands asks for credentials.
    pub(crate) fn git_credential_helper(&self) -> PathBuf {
        self.readonly().join("git-credential-codebuild")
    }

    /// The files that configure every `git` of the environment: everybody's, and root's own.
    pub(crate) fn git_configurations(&self) -> [PathBuf; 2] {
        [self.root.join("etc/gitconfig"), self.root.join("root/.gitconfig")]
    }

    /// The environment's users.
    pub(crate) fn passwd(&self) -> PathBuf {
        self.root.join("etc/passwd")
    }

    /// The environment's groups.
    pub(crate) fn group(&self) -> PathBuf {
        self.root.join("etc/group")
    }

    /// What CodeBuild's own images say about their runtimes.
    pub(crate) fn runtimes_file(&self) -> PathBuf {
        self.root.join("codebuild/image/config/runtimes.yml")
    }

    /// Where links are put to the versions of programs that were selected.
    pub(crate) fn programs(&self) -> PathBuf {
        self.root.join("codebuild/user/runtimes")
    }

    /// A path of the environment, which begins with a slash.
    pub(crate) fn inside(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Where the container sees its own control group.
    pub(crate) fn control_group(&self) -> PathBuf {
        self.root.join("sys/fs/cgroup")
    }

    /// A file for as long as it is open, on the disk that the sources are on.
    pub(crate) fn nameless_file(&self) -> std::io::Result<File> {
        let path = self.root.join("codebuild/output/nameless");
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(file)
    }

    /// Makes the agent's own folders.
    pub(crate) fn make_folders(&self) -> std::io::Result<()> {
        std::fs::create_dir_all(self.tmp())?;
        std::fs::create_dir_all(self.readonly())
    }
}

/// A path's text for a log line.
pub(crate) fn shown(path: &Path) -> std::borrow::Cow<'_, str> {
    path.to_string_lossy()
}
