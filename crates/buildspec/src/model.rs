//! A buildspec as a value. It must not know how it was written: no node, no place, no YAML.

use crate::secret::SecretReference;

/// A whole buildspec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buildspec {
    /// The version of the syntax, which also decides how commands share a shell.
    pub version: Version,
    /// The user of every command; none for root.
    pub run_as: Option<String>,
    /// The shell, the variables and what is exported.
    pub env: Env,
    /// What goes through an explicit proxy.
    pub proxy: Proxy,
    /// What a batch of builds would consist of.
    pub batch: Option<Batch>,
    /// What is run.
    pub phases: Phases,
    /// The test and coverage results, in the order they were written.
    pub reports: Vec<Report>,
    /// What is kept of the build.
    pub artifacts: Option<Artifacts>,
    /// What the next build finds again.
    pub cache: Option<Cache>,
}

/// The version of a buildspec's syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 0.1: every command has a fresh shell.
    V0_1,
    /// 0.2: folder and variables carry over from command to command.
    V0_2,
}

/// The `env` section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env {
    /// The shell that was asked for; none for the platform's own.
    pub shell: Option<Shell>,
    /// Names and literal values, in the order they were written. Never expanded.
    pub variables: Vec<(String, String)>,
    /// Variables and the names of the parameters that hold their values.
    pub parameter_store: Vec<(String, String)>,
    /// Variables and the secrets that hold their values.
    pub secrets_manager: Vec<(String, SecretReference)>,
    /// The variables whose last values are told to the caller.
    pub exported_variables: Vec<String>,
    /// Whether `git` in the build may ask the service for credentials.
    pub git_credential_helper: bool,
}

/// The program that runs the commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shell {
    /// The POSIX shell.
    Sh,
    /// Bash.
    Bash,
    /// Windows PowerShell.
    PowerShell,
    /// The Windows command processor.
    Cmd,
    /// A program that CodeBuild does not document, as it was written.
    Other(String),
}

impl Shell {
    /// Reads the value of `env.shell`; paths of the known shells count as these.
    pub fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "sh" | "/bin/sh" | "/usr/bin/sh" => Self::Sh,
            "bash" | "/bin/bash" | "/usr/bin/bash" => Self::Bash,
            "powershell.exe" | "powershell" => Self::PowerShell,
            "cmd.exe" | "cmd" => Self::Cmd,
            _ => Self::Other(text.to_owned()),
        }
    }

    /// The program to look up or to run.
    pub fn program(&self) -> &str {
        match self {
            Self::Sh => "/bin/sh",
            Self::Bash => "bash",
            Self::PowerShell => "powershell.exe",
            Self::Cmd => "cmd.exe",
            Self::Other(program) => program,
        }
    }
}

/// The `proxy` section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proxy {
    /// Whether artifacts are uploaded through the explicit proxy.
    pub upload_artifacts: bool,
    /// Whether logs are sent through the explicit proxy.
    pub logs: bool,
}

/// The four phases that run commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// What the build needs is installed.
    pub install: Option<Phase>,
    /// What comes before the build.
    pub pre_build: Option<Phase>,
    /// The build itself.
    pub build: Option<Phase>,
    /// What comes after it, even after a failed one.
    pub post_build: Option<Phase>,
}

impl Phases {
    /// The phases that are there, in the order they run.
    pub fn iter(&self) -> impl Iterator<Item = (PhaseName, &Phase)> {
        PhaseName::ALL.into_iter().filter_map(|name| Some((name, self.phase(name)?)))
    }

    /// One phase, if it is there.
    pub fn phase(&self, name: PhaseName) -> Option<&Phase> {
        match name {
            PhaseName::Install => self.install.as_ref(),
            PhaseName::PreBuild => self.pre_build.as_ref(),
            PhaseName::Build => self.build.as_ref(),
            PhaseName::PostBuild => self.post_build.as_ref(),
        }
    }
}

/// The name of a phase that runs commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PhaseName {
    /// `install`.
    Install,
    /// `pre_build`.
    PreBuild,
    /// `build`.
    Build,
    /// `post_build`.
    PostBuild,
}

impl PhaseName {
    /// Every name, in the order the phases run.
    pub const ALL: [Self; 4] = [Self::Install, Self::PreBuild, Self::Build, Self::PostBuild];

    /// The key in the buildspec, such as `pre_build`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::PreBuild => "pre_build",
            Self::Build => "build",
            Self::PostBuild => "post_build",
        }
    }

    /// The name in logs and in the API, such as `PRE_BUILD`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Install => "INSTALL",
            Self::PreBuild => "PRE_BUILD",
            Self::Build => "BUILD",
            Self::PostBuild => "POST_BUILD",
        }
    }
}

/// What one phase runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phase {
    /// The user of this phase's commands; none for the buildspec's.
    pub run_as: Option<String>,
    /// What happens when it fails; none for the phase's own rule.
    pub on_failure: Option<OnFailure>,
    /// Run in order until one fails. Each may have many lines.
    pub commands: Vec<String>,
    /// Run after the commands, also when one of these failed.
    pub finally: Vec<String>,
    /// Runtimes and the versions that were asked for; only in `install`.
    pub runtime_versions: Vec<(String, String)>,
}

/// What happens when a phase fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// No later phase runs.
    Abort,
    /// The next phase runs.
    Continue,
    /// The whole build is started again.
    Retry {
        /// How many times at most.
        count: u32,
        /// What the error must match, as a regular expression that compiles; none for any error.
        pattern: Option<String>,
    },
}

/// One entry of `reports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The report group's name or ARN.
    pub group: String,
    /// Patterns of the result files.
    pub files: Vec<String>,
    /// How the files are to be read.
    pub file_format: ReportFormat,
    /// Where the patterns begin; none for the source's folder.
    pub base_directory: Option<String>,
    /// Whether exported raw files lose their folders.
    pub discard_paths: bool,
}

/// How a report's files are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReportFormat {
    /// JUnit, the default.
    #[default]
    JunitXml,
    /// Cucumber.
    CucumberJson,
    /// NUnit 2.
    NunitXml,
    /// NUnit 3.
    Nunit3Xml,
    /// TestNG.
    TestngXml,
    /// Visual Studio's test results.
    VisualStudioTrx,
    /// Clover coverage.
    CloverXml,
    /// Cobertura coverage.
    CoberturaXml,
    /// JaCoCo coverage.
    JacocoXml,
    /// SimpleCov coverage.
    SimpleCov,
}

impl ReportFormat {
    /// Every format.
    pub const ALL: [Self; 10] = [
        Self::JunitXml,
        Self::CucumberJson,
        Self::NunitXml,
        Self::Nunit3Xml,
        Self::TestngXml,
        Self::VisualStudioTrx,
        Self::CloverXml,
        Self::CoberturaXml,
        Self::JacocoXml,
        Self::SimpleCov,
    ];

    /// The value of `file-format`, which may be written in any case.
    pub fn name(self) -> &'static str {
        match self {
            Self::JunitXml => "JUNITXML",
            Self::CucumberJson => "CUCUMBERJSON",
            Self::NunitXml => "NUNITXML",
            Self::Nunit3Xml => "NUNIT3XML",
            Self::TestngXml => "TESTNGXML",
            Self::VisualStudioTrx => "VISUALSTUDIOTRX",
            Self::CloverXml => "CLOVERXML",
            Self::CoberturaXml => "COBERTURAXML",
            Self::JacocoXml => "JACOCOXML",
            Self::SimpleCov => "SIMPLECOV",
        }
    }

    /// Whether the group's type is `CODE_COVERAGE`; else it is `TEST`.
    pub fn is_coverage(self) -> bool {
        match self {
            Self::JunitXml
            | Self::CucumberJson
            | Self::NunitXml
            | Self::Nunit3Xml
            | Self::TestngXml
            | Self::VisualStudioTrx => false,
            Self::CloverXml | Self::CoberturaXml | Self::JacocoXml | Self::SimpleCov => true,
        }
    }
}

/// The `artifacts` section, or one of its secondary artifacts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Artifacts {
    /// Patterns of the files to keep.
    pub files: Vec<String>,
    /// The artifact's name, which a shell evaluates; used only if the project says so.
    pub name: Option<String>,
    /// Whether files lose their folders.
    pub discard_paths: bool,
    /// Where the patterns begin, itself a pattern; none for the source's folder.
    pub base_directory: Option<String>,
    /// Patterns of files to leave out, from the base directory on.
    pub exclude_paths: Vec<String>,
    /// Whether symbolic links stay links in a ZIP.
    pub enable_symlinks: bool,
    /// A prefix before the artifact's key.
    pub s3_prefix: Option<String>,
    /// Identifiers and what is kept under them. A secondary artifact has none of its own.
    pub secondary: Vec<(String, Artifacts)>,
}

/// The `cache` section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cache {
    /// The key of an exact match, which a shell evaluates.
    pub key: Option<String>,
    /// Prefixes of keys to fall back to, in order; a shell evaluates each.
    pub fallback_keys: Vec<String>,
    /// Whether only one half of caching is done; none for both.
    pub action: Option<CacheAction>,
    /// Patterns of what is cached.
    pub paths: Vec<String>,
}

/// The half of caching that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheAction {
    /// What is there is fetched; nothing is kept.
    Restore,
    /// What was made is kept; nothing is fetched.
    Save,
}

/// The `batch` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Whether one failure stops the other builds.
    pub fast_fail: bool,
    /// Which builds there are.
    pub kind: BatchKind,
}

/// Which builds a batch has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchKind {
    /// Builds side by side.
    List(Vec<BatchBuild>),
    /// Builds that wait for each other; free of cycles and of unknown names.
    Graph(Vec<BatchBuild>),
    /// Every combination of what may differ.
    Matrix(BatchMatrix),
    /// The same build many times.
    Fanout(BatchFanout),
}

impl BatchKind {
    /// How many builds there will be.
    pub fn builds(&self) -> u64 {
        match self {
            Self::List(builds) | Self::Graph(builds) => builds.len() as u64,
            Self::Matrix(matrix) => matrix.builds(),
            Self::Fanout(fanout) => fanout.parallelism.into(),
        }
    }
}

impl BatchMatrix {
    /// How many combinations there are of what may differ.
    pub fn builds(&self) -> u64 {
        let lists = [self.buildspecs.len(), self.compute_types.len(), self.images.len()];
        let values = self.variables.iter().map(|(_, values)| values.len());
        let lengths = lists.into_iter().chain(values);
        lengths.fold(1, |product: u64, length| product.saturating_mul(length.max(1) as u64))
    }
}

/// One build of a list or of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchBuild {
    /// Its name, unique in the batch.
    pub identifier: String,
    /// Its buildspec; none for the one that holds the batch.
    pub buildspec: Option<String>,
    /// Whether a session may be opened in it.
    pub debug_session: bool,
    /// The builds it waits for; only in a graph.
    pub depend_on: Vec<String>,
    /// What differs from the project's environment.
    pub env: BatchEnv,
    /// Whether its failure leaves the batch alone.
    pub ignore_failure: bool,
}

/// What differs from the project's environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchEnv {
    /// The compute type; not together with a fleet.
    pub compute_type: Option<String>,
    /// The fleet's ARN; not together with a compute type.
    pub fleet: Option<String>,
    /// The image.
    pub image: Option<String>,
    /// Whether the container is privileged.
    pub privileged_mode: Option<bool>,
    /// The environment's type.
    pub environment_type: Option<String>,
    /// Variables of that build.
    pub variables: Vec<(String, String)>,
}

/// What is the same and what differs in the builds of a matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchMatrix {
    /// Whether a failure leaves the batch alone.
    pub ignore_failure: bool,
    /// Whether the containers are privileged.
    pub privileged_mode: Option<bool>,
    /// The environments' type.
    pub environment_type: Option<String>,
    /// The buildspecs to combine; empty for the one that holds the batch.
    pub buildspecs: Vec<String>,
    /// The compute types to combine; empty for the project's.
    pub compute_types: Vec<String>,
    /// The images to combine; empty for the project's.
    pub images: Vec<String>,
    /// The variables to combine, each with at least one value.
    pub variables: Vec<(String, Vec<String>)>,
}

/// The same build many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchFanout {
    /// How many times, at least once.
    pub parallelism: u32,
    /// Whether a failure leaves the batch alone.
    pub ignore_failure: bool,
}
