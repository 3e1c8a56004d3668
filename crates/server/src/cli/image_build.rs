//! `buildyard image build`: an image of Debian's packages, by a recipe.

use super::{
    DataArguments,
    image::{images, or_refused, say, size},
};
use crate::images::{Overrides, RecipeDocument};
use executor::{Progress, Reference};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};
use tokio::signal::unix::{SignalKind, signal};

/// What is done to each package, as the programs tell it, and what it is called here.
const PACKAGE_STEPS: [(&str, &str); 3] =
    [("Get:", "fetching"), ("Unpacking ", "unpacking"), ("Setting up ", "setting up")];

/// What the program is about, by how its lines begin, and what it is called here.
const STEPS: [(&str, &str); 8] = [
    ("running apt-get update", "reading the lists of packages"),
    ("downloading packages", "fetching what every Debian has"),
    ("extracting archives", "unpacking it"),
    ("installing essential packages", "setting it up"),
    ("installing remaining packages", "installing the recipe's packages"),
    ("running --customize-hook", "running the recipe's commands"),
    ("cleaning package lists", "cleaning up"),
    ("creating tarball", "keeping it as a layer"),
];

#[derive(clap::Args)]
pub(super) struct BuildImage {
    /// base, standard, or the folder or file of a recipe.
    #[arg(value_name = "RECIPE")]
    recipe: String,
    /// The release of Debian. Default: the recipe's.
    #[arg(long, value_name = "SUITE")]
    suite: Option<String>,
    /// Where packages come from: a URL, or a line of apt's sources.list. May be repeated.
    ///
    /// Default: where this machine's own packages of Debian come from.
    #[arg(long, value_name = "MIRROR")]
    mirror: Vec<String>,
    /// What the image is called here. Default: buildyard/NAME:SUITE and buildyard/NAME.
    #[arg(long, value_name = "NAME")]
    name: Option<Reference>,
    #[command(flatten)]
    data: DataArguments,
}

impl BuildImage {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let images = images(&self.data)?;
        let overrides = Overrides {
            name: self.name.clone(),
            suite: self.suite.clone(),
            mirrors: self.mirror.clone(),
        };
        let recipe = RecipeDocument::find(&self.recipe)?.resolve(&overrides)?;
        let progress = Arc::new(Progress::default());
        cancel_when_told(Arc::clone(&progress))?;
        let began = Instant::now();
        let course = Course::show(&self.recipe);
        let built = images.build(&recipe, &progress, &|line| course.tell(line));
        course.end();
        let built = match or_refused(built)? {
            Ok(built) => built,
            Err(status) => return Ok(status),
        };
        let seconds = began.elapsed().as_secs();
        for image in built {
            let (listed, _) = images.inspect(&image.name)?.unwrap_or_else(|| {
                unreachable!("an image that was made has its name");
            });
            say(&format!("{}: built in {seconds} s, {}", image.name, size(listed.bytes)))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Gives the image up on Ctrl-C and SIGTERM: what is half made is then taken away.
fn cancel_when_told(progress: Arc<Progress>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        progress.cancel();
    });
    Ok(())
}

/// How far it is: a line that changes where somebody looks, a line for each step elsewhere.
struct Course {
    bar: Option<ProgressBar>,
    packages: Mutex<Packages>,
}

/// How many packages there are, and how far they are.
#[derive(Default)]
struct Packages {
    known: u64,
    done: [u64; PACKAGE_STEPS.len()],
    /// What goes on.
    step: &'static str,
}

impl Course {
    fn show(name: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "[{bar:30}] {elapsed_precise} {wide_msg}";
            let style = ProgressStyle::with_template(template).expect("the template is one");
            let bar = ProgressBar::new(0).with_style(style.progress_chars("=> "));
            bar.set_message(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self { bar, packages: Mutex::default() }
    }

    fn tell(&self, line: &str) {
        let mut packages = self.packages.lock().expect("no holder of this lock panics");
        let step = packages.note(line);
        match (&self.bar, step) {
            (Some(bar), step) => {
                bar.set_length(packages.known * packages.done.len() as u64);
                bar.set_position(packages.done.iter().sum());
                if let Some(step) = step {
                    bar.set_message(step);
                }
            }
            // Nobody is left to tell when standard error is closed.
            (None, Some(step)) if line.starts_with("I: ") => {
                let _ = writeln!(std::io::stderr(), "{step}");
            }
            (None, _) => {}
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Packages {
    /// Takes a line of the programs that make an image, and gives what goes on when it says so.
    fn note(&mut self, line: &str) -> Option<String> {
        if let Some(said) = line.strip_prefix("I: ") {
            let (_, step) = STEPS.into_iter().find(|(begins, _)| said.starts_with(begins))?;
            let is_new = std::mem::replace(&mut self.step, step) != step;
            return is_new.then(|| step.to_owned());
        }
        if let Some((_, rest)) = line.split_once(" upgraded, ") {
            let number = rest.split_once(" newly installed").and_then(|(n, _)| n.parse().ok());
            self.known += number.unwrap_or(0);
            return None;
        }
        for ((said, doing), done) in PACKAGE_STEPS.iter().zip(&mut self.done) {
            let Some(rest) = line.strip_prefix(said) else { continue };
            let mut words = rest.split(' ');
            let package = match said.ends_with(':') {
                // Get:1 URL SUITE/COMPONENT ARCHITECTURE NAME …; the lists of packages have less.
                true => words.nth(4).filter(|_| line.matches(' ').count() > 7)?,
                false => words.next()?,
            };
            *done += 1;
            return Some(format!("{doing} {package}"));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Packages;

    #[test]
    fn the_programs_lines_say_how_far_it_is() {
        let mut packages = Packages::default();
        let notes: Vec<Option<String>> = [
            "I: automatically chosen mode: root",
            "I: downloading packages with apt...",
            "I: done",
            "Get:1 http://m.example.org/debian trixie InRelease [140 kB]",
            "Get:2 http://m.example.org/debian trixie/main amd64 Packages [9679 kB]",
            "0 upgraded, 69 newly installed, 0 to remove and 0 not upgraded.",
            "Get:1 http://m.example.org/debian trixie/main amd64 libc6 amd64 2.41 [2850 kB]",
            "Unpacking libc6:amd64 (2.41) ...",
            "Setting up libc6:amd64 (2.41) ...",
            "0 upgraded, 1 newly installed, 0 to remove and 0 not upgraded.",
            "I: running --customize-hook in shell: sh -c 'one' exec /root",
            "I: running --customize-hook in shell: sh -c 'two' exec /root",
        ]
        .into_iter()
        .map(|line| packages.note(line))
        .collect();
        let told: Vec<&str> = notes.iter().flatten().map(String::as_str).collect();
        let expected = [
            "fetching what every Debian has",
            "fetching libc6",
            "unpacking libc6:amd64",
            "setting up libc6:amd64",
            "running the recipe's commands",
        ];
        assert_eq!(told, expected);
        assert_eq!((packages.known, packages.done), (70, [1, 1, 1]));
    }
}
