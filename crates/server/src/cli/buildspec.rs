//! `buildyard buildspec check`: every problem of a buildspec, before a build finds it.

use anyhow::Context;
use buildspec::{Look, Parsed, Problem, Rule, Severity, TEXT_BYTES_MAX};
use serde_json::{Value, json};
use std::{
    borrow::Cow,
    fs::File,
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(clap::Args)]
pub(super) struct BuildspecCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Tells every problem of buildspecs, with its place and with what would be right.
    ///
    /// Exit status: 0 when every buildspec can be used, 1 when one cannot, 2 when a file cannot be
    /// read.
    Check(Check),
}

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
struct Check {
    /// The buildspecs: files, folders that hold a buildspec.yml, or "-" for standard input.
    #[arg(value_name = "FILE", default_value = ".")]
    files: Vec<PathBuf>,
    /// How problems are told.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Exits with 1 when there are warnings, too.
    #[arg(long)]
    deny_warnings: bool,
    /// When there are colours.
    #[arg(long, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    color: Colour,
    /// Tells what a problem's name means; without a name, lists them all.
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    explain: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  buildyard buildspec check                           the buildspec.yml of this folder
  buildyard buildspec check ci/*.yml --deny-warnings
  git show HEAD:buildspec.yml | buildyard buildspec check -
  buildyard buildspec check --format github           annotations in GitHub Actions
  buildyard buildspec check --explain hidden-status

A warning is switched off by a comment: # buildyard: allow(hidden-status)";

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// With source lines and carets, for people.
    Text,
    /// A line for each problem, for editors.
    Short,
    /// One JSON document, for programs.
    Json,
    /// Commands of GitHub Actions, for annotations.
    Github,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl BuildspecCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Command::Check(check) = self.command;
        check.run()
    }
}

impl Check {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let mut out = Out { to: io::BufWriter::new(io::stdout().lock()) };
        if let Some(name) = &self.explain {
            return explain(&mut out, name);
        }
        let mut checked = Vec::new();
        let mut unread = false;
        for path in &self.files {
            match Checked::read(path) {
                Ok(file) => checked.push(file),
                Err(error) => {
                    unread = true;
                    // Nobody is left to tell when standard error is closed.
                    let _ = writeln!(io::stderr(), "buildyard: {error:#}");
                }
            }
        }
        out.write(&self.told(&checked))?;
        let refused = checked.iter().any(|file| file.count(Severity::Error) > 0)
            || self.deny_warnings && checked.iter().any(|file| file.count(Severity::Warning) > 0);
        Ok(ExitCode::from(if unread { 2 } else { u8::from(refused) }))
    }

    fn told(&self, checked: &[Checked]) -> String {
        match self.format {
            Format::Text => text(checked, self.look()),
            Format::Short => each(checked, short),
            Format::Json => format!("{:#}\n", json_of(checked)),
            Format::Github => each(checked, github),
        }
    }

    fn look(&self) -> Look {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let coloured = match self.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => io::stdout().is_terminal() && !set("NO_COLOR") && !dumb,
        };
        if coloured { Look::Coloured } else { Look::Plain }
    }
}

/// Standard output, whose reader may leave early.
struct Out<W> {
    to: W,
}

impl<W: Write> Out<W> {
    fn write(&mut self, text: &str) -> anyhow::Result<()> {
        match self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.context("failed to write to standard output"),
        }
    }
}

/// One buildspec and what is wrong with it.
struct Checked {
    name: String,
    text: String,
    problems: Vec<Problem>,
    /// How many more there are, at least.
    untold: usize,
}

impl Checked {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let mut bytes = Vec::new();
        // One byte more than a buildspec may have is enough to say that it is too large.
        let limit = TEXT_BYTES_MAX as u64 + 1;
        let name = if path == Path::new("-") {
            io::stdin().lock().take(limit).read_to_end(&mut bytes).context("failed to read")?;
            "<stdin>".to_owned()
        } else {
            let file = match path.is_dir() {
                true => Cow::Owned(path.join("buildspec.yml")),
                false => Cow::Borrowed(path),
            };
            let shown = file.strip_prefix(".").unwrap_or(&file).display().to_string();
            let read = File::open(&file).and_then(|file| file.take(limit).read_to_end(&mut bytes));
            read.with_context(|| format!("failed to read {shown}"))?;
            shown
        };
        Ok(match buildspec::decode(&bytes) {
            Ok(text) => {
                let Parsed { problems, untold, .. } = buildspec::parse(&text);
                Self { name, text: text.into_owned(), problems, untold }
            }
            Err(problem) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                Self { name, text, problems: vec![problem], untold: 0 }
            }
        })
    }

    fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }
}

fn each(checked: &[Checked], tell: impl Fn(&Checked, &Problem) -> String) -> String {
    let told =
        checked.iter().flat_map(|file| file.problems.iter().map(move |problem| (file, problem)));
    told.map(|(file, problem)| tell(file, problem)).collect()
}

fn text(checked: &[Checked], look: Look) -> String {
    let mut out = String::new();
    for file in checked {
        for problem in &file.problems {
            out.push_str(&problem.render(&file.name, &file.text, look));
            out.push('\n');
        }
    }
    if !checked.is_empty() {
        out.push_str(&summary(checked));
    }
    out
}

/// How many problems there are, such as `2 errors, 1 warning in 3 files`.
fn summary(checked: &[Checked]) -> String {
    let count = |severity| checked.iter().map(|file| file.count(severity)).sum::<usize>();
    let some = |count: usize, noun: &str| match count {
        0 => None,
        1 => Some(format!("1 {noun}")),
        more => Some(format!("{more} {noun}s")),
    };
    let errors = some(count(Severity::Error), "error");
    let warnings = some(count(Severity::Warning), "warning");
    let found: Vec<_> = [errors, warnings].into_iter().flatten().collect();
    let found = if found.is_empty() { "no problems".to_owned() } else { found.join(", ") };
    let files = some(checked.len(), "file").unwrap_or_default();
    let untold: usize = checked.iter().map(|file| file.untold).sum();
    let more = if untold > 0 { ", and more that are not told" } else { "" };
    format!("{found}{more} in {files}\n")
}

fn severity(problem: &Problem) -> &'static str {
    match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn short(file: &Checked, problem: &Problem) -> String {
    let Problem { line, column, message, .. } = problem;
    let (severity, rule) = (severity(problem), problem.rule.name());
    format!("{}:{line}:{column}: {severity}: {message} [{rule}]\n", file.name)
}

fn github(file: &Checked, problem: &Problem) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let help = problem.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
    format!(
        "::{} file={},line={},col={},endColumn={},title={}::{}\n",
        severity(problem),
        property(&file.name),
        problem.line,
        problem.column,
        problem.column + problem.width,
        property(problem.rule.name()),
        data(&format!("{}{help}", problem.message)),
    )
}

fn json_of(checked: &[Checked]) -> Value {
    let problem = |problem: &Problem| {
        json!({
            "severity": severity(problem),
            "rule": problem.rule.name(),
            "line": problem.line,
            "column": problem.column,
            "endColumn": problem.column + problem.width,
            "message": problem.message,
            "help": problem.help,
            "codebuild": match problem.severity {
                Severity::Error => Some(problem.aws_message()),
                Severity::Warning => None,
            },
        })
    };
    let files = checked.iter().map(|file| {
        json!({
            "file": file.name,
            "usable": file.count(Severity::Error) == 0,
            "more": file.untold > 0,
            "problems": file.problems.iter().map(problem).collect::<Vec<_>>(),
        })
    });
    json!({ "files": files.collect::<Vec<_>>() })
}

fn explain(out: &mut Out<impl Write>, name: &str) -> anyhow::Result<ExitCode> {
    if name.is_empty() {
        let lines = Rule::ALL.map(|rule| match rule.severity() {
            Severity::Error => format!("error    {}\n", rule.name()),
            Severity::Warning => format!("warning  {}\n", rule.name()),
        });
        out.write(&lines.concat())?;
        return Ok(ExitCode::SUCCESS);
    }
    let rule = Rule::named(name).with_context(|| match Rule::likeliest(name) {
        Some(likely) => format!("there is no problem named {name:?}; did you mean {likely:?}?"),
        None => format!("there is no problem named {name:?}; --explain alone lists them"),
    })?;
    // The example is shown as text is: behind blanks, without the fences of Markdown.
    let mut is_example = false;
    let mut told = format!("{name}\n\n");
    for line in rule.explanation().trim_end().lines() {
        if line.starts_with("```") {
            is_example = !is_example;
        } else if is_example && !line.is_empty() {
            told.push_str(&format!("    {line}\n"));
        } else {
            told.push_str(&format!("{line}\n"));
        }
    }
    out.write(&told)?;
    Ok(ExitCode::SUCCESS)
}
