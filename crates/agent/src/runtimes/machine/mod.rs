//! The toolchains of the machine itself, found by the names of folders and the files in them.
//!
//! A program is asked for its version only where nothing else tells it. What is found is offered in
//! the form of an image's `runtimes.yml`: commands of a shell, which the log shows.

mod compiled;
mod interpreted;
mod java;
mod nearest;

use crate::layout::Layout;
use buildspec::{Runtime, RuntimeVersion, Runtimes};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Finds all that is installed of one runtime.
type Finder = fn(&Machine<'_>) -> Vec<Toolchain>;

/// Every runtime that is looked for, and what finds it.
const FINDERS: [(&str, Finder); 8] = [
    ("dotnet", compiled::dotnet),
    ("golang", compiled::golang),
    ("java", java::find),
    ("nodejs", interpreted::nodejs),
    ("php", interpreted::php),
    ("python", interpreted::python),
    ("ruby", interpreted::ruby),
    ("rust", compiled::rust),
];

/// A runtime that old buildspecs ask for.
const DOCKER: &str = "docker";

/// A file that tells a version is not larger, or its beginning will do.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Where to look, and what will do.
pub(super) struct Search<'a> {
    /// Where things are.
    pub(super) layout: &'a Layout,
    /// Folders to look in beside the usual ones.
    pub(super) folders: &'a [String],
    /// The `PATH` that commands begin with.
    pub(super) search_path: &'a str,
    /// Whether the nearest version will do where one is not there.
    pub(super) takes_nearest: bool,
}

/// Finds what was asked for; and when some of it is not there, all that is.
pub(super) fn find(search: &Search<'_>, asked: &[(String, String)]) -> Runtimes {
    let Search { layout, folders, search_path, takes_nearest } = *search;
    let machine = Machine {
        layout,
        extra: folders.iter().map(|folder| layout.inside(folder)).collect(),
        search_path,
    };
    let of = |wanted: &dyn Fn(&str) -> bool| -> Vec<Runtime> {
        let finders = FINDERS.iter().filter(|(name, _)| wanted(name));
        let found = finders.map(|(name, finder)| runtime(name, finder(&machine)));
        found.filter(|runtime| !runtime.versions.is_empty()).collect()
    };
    let docker = asked.iter().any(|(name, _)| name == DOCKER).then(docker);
    let found = of(&|name| asked.iter().any(|(runtime, _)| runtime == name));
    let is_there = |name: &str| name == DOCKER || found.iter().any(|found| found.name == name);
    let is_complete = asked.iter().all(|(name, _)| is_there(name));
    let mut found = if is_complete { found } else { of(&|_| true) };
    found.extend(docker);
    let mut found = Runtimes(found);
    if takes_nearest {
        nearest::offer(&mut found, asked);
    }
    found
}

/// Docker, which has no version to choose.
///
/// AWS: the last of CodeBuild's images that know this runtime only say that it is deprecated.
fn docker() -> Runtime {
    let told = "A buildspec chooses no version of Docker: it finds the machine's, if there is one";
    let any = RuntimeVersion { name: "latest".to_owned(), ..RuntimeVersion::default() };
    let any = RuntimeVersion { commands: vec![echo(told)], ..any };
    Runtime { name: DOCKER.to_owned(), versions: vec![any.clone()], other_versions: Some(any) }
}

/// A version of a runtime that is installed.
struct Toolchain {
    /// Its whole version, such as `17.0.13`.
    version: String,
    /// How it is called among its runtime's versions, such as `openjdk17`.
    name: String,
    /// Other texts that select it.
    aliases: Vec<String>,
    /// What makes it the one in use.
    commands: Vec<String>,
}

/// The greatest version comes first, so that a text that fits several selects it.
fn runtime(name: &str, mut found: Vec<Toolchain>) -> Runtime {
    found.sort_by(|a, b| compare(&b.version, &a.version));
    let mut versions: Vec<RuntimeVersion> = Vec::new();
    for Toolchain { version, mut name, mut aliases, commands } in found {
        if versions.iter().any(|known| known.name == name) {
            name.clone_from(&version);
        }
        if versions.iter().any(|known| known.name == name) {
            // The same once more, in a place that is looked at later.
            continue;
        }
        aliases.push(version);
        versions.push(RuntimeVersion { name, aliases, requires: Vec::new(), commands });
    }
    Runtime { name: name.to_owned(), versions, other_versions: None }
}

/// Compares versions number by number.
fn compare(a: &str, b: &str) -> Ordering {
    let numbers = |text: &str| -> Vec<u64> {
        let digits = text.split(|letter: char| !letter.is_ascii_digit());
        digits.filter_map(|number| number.parse().ok()).collect()
    };
    numbers(a).cmp(&numbers(b))
}

/// Where to look.
struct Machine<'a> {
    layout: &'a Layout,
    /// Folders that the service's configuration shows beside the usual ones.
    extra: Vec<PathBuf>,
    /// The `PATH` that commands begin with.
    search_path: &'a str,
}

impl Machine<'_> {
    /// Folders that may be a toolchain's own: those named, where a `*` at the end stands for each
    /// folder in another, and the extra folders and those in them, two levels down. Each is given
    /// once, by its real path.
    fn homes(&self, usual: &[&str]) -> Vec<PathBuf> {
        let mut homes = Vec::new();
        for place in usual {
            match place.strip_suffix("/*") {
                Some(parent) => homes.extend(folders_in(&self.layout.inside(parent))),
                None => homes.push(self.layout.inside(place)),
            }
        }
        for extra in &self.extra {
            homes.push(extra.clone());
            for child in folders_in(extra) {
                let grandchildren = folders_in(&child);
                homes.push(child);
                homes.extend(grandchildren);
            }
        }
        let mut seen = HashSet::new();
        let real = homes.into_iter().filter_map(|home| home.canonicalize().ok());
        real.filter(|home| seen.insert(home.clone())).collect()
    }

    /// The commands that put a toolchain's own folder of programs before all others.
    fn programs_first(&self, told: &str, bin: &Path, more: &[String]) -> Vec<String> {
        let mut exported = more.to_vec();
        if !self.is_shared(bin) {
            exported.push(format!("PATH=\"{}:$PATH\"", bin.display()));
        }
        let mut commands = vec![echo(told)];
        if !exported.is_empty() {
            commands.push(format!("export {}", exported.join(" ")));
        }
        commands
    }

    /// The commands that make `names` mean these files, by links, where they do not mean them already.
    fn links_first(&self, told: &str, links: &[(&str, PathBuf)], more: &[String]) -> Vec<String> {
        let folder = self.layout.programs();
        let missing: Vec<String> = links
            .iter()
            .filter(|(name, file)| file.exists() && !self.means(name, file))
            .map(|(name, file)| {
                format!("ln -sf \"{}\" \"{}/{name}\"", file.display(), folder.display())
            })
            .collect();
        let mut commands = vec![echo(told)];
        let mut exported = more.to_vec();
        if !missing.is_empty() {
            let folder = folder.display();
            commands.push(format!("mkdir -p \"{folder}\" && {}", missing.join(" && ")));
            exported.push(format!("PATH=\"{folder}:$PATH\""));
        }
        if !exported.is_empty() {
            commands.push(format!("export {}", exported.join(" ")));
        }
        commands
    }

    /// Whether a folder of programs is not one toolchain's own.
    fn is_shared(&self, bin: &Path) -> bool {
        ["/usr/bin", "/bin", "/usr/local/bin"]
            .iter()
            .any(|shared| self.layout.inside(shared) == bin)
    }

    /// Whether a name means this file to whoever looks it up.
    fn means(&self, name: &str, file: &Path) -> bool {
        let found = self.search_path.split(':').map(|folder| self.layout.inside(folder).join(name));
        let found = found.into_iter().find(|candidate| candidate.exists());
        found.is_some_and(|found| same(&found, file))
    }
}

fn same(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(a).is_some_and(|a| Some(a) == real(b))
}

fn echo(told: &str) -> String {
    format!("echo \"{told}\"")
}

/// The folders in a folder, in the order of their names.
fn folders_in(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort_unstable();
    folders
}

/// The names of the files in a folder.
fn names_in(parent: &Path) -> Vec<String> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// The beginning of a file, as text.
fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first version in a text: two numbers or more with dots between them.
fn version_in(text: &str) -> Option<String> {
    let is_part = |letter: char| letter.is_ascii_digit() || letter == '.';
    let words = text.split(|letter| !is_part(letter));
    let word = words.map(|word| word.trim_matches('.')).find(|word| word.contains('.'))?;
    Some(word.to_owned())
}

/// What a program says when it is asked for its version: the last resort.
fn version_told(program: &Path, argument: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.arg(argument).env_clear().stdin(Stdio::null()).stderr(Stdio::null());
    version_in(&String::from_utf8_lossy(&command.output().ok()?.stdout))
}

/// The first `count` numbers of a version.
fn first_numbers(version: &str, count: usize) -> String {
    version.split('.').take(count).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests;
