//! Buildspecs in the manner of real ones, and what is read in them.
//!
//! Every `corpus/*.yml` has a `.txt` beside it; `UPDATE_EXPECT=1` writes these anew.

use buildspec::{Artifacts, Buildspec, Look, Phase, parse, phases_found};
use expect_test::expect_file;
use std::fmt::{Debug, Write};
use std::path::{Path, PathBuf};

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let entries = std::fs::read_dir(folder).expect("the corpus is there");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "yml")).collect();
    files.sort();
    files
}

#[test]
fn every_buildspec_of_the_corpus_is_read_as_expected() {
    let files = corpus();
    assert!(files.len() >= 20);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a readable file");
        let name = file.file_name().and_then(|name| name.to_str()).expect("a plain name");
        let parsed = parse(&text);
        let mut out = String::new();
        for problem in &parsed.problems {
            out.push_str(&problem.render(name, &text, Look::Plain));
        }
        match &parsed.buildspec {
            Some(buildspec) => describe(buildspec, &mut out),
            None => line(&mut out, "not usable", &()),
        }
        expect_file![file.with_extension("txt")].assert_eq(&out);
    }
}

fn line(out: &mut String, name: &str, value: &dyn Debug) {
    writeln!(out, "{name}: {value:?}").expect("a string takes all");
}

fn list<T: Debug>(out: &mut String, name: &str, values: &[T]) {
    for value in values {
        line(out, name, value);
    }
}

fn describe(buildspec: &Buildspec, out: &mut String) {
    line(out, "version", &buildspec.version);
    if let Some(user) = &buildspec.run_as {
        line(out, "run-as", user);
    }
    let env = &buildspec.env;
    if let Some(shell) = &env.shell {
        line(out, "shell", shell);
    }
    list(out, "variable", &env.variables);
    list(out, "parameter", &env.parameter_store);
    for (name, secret) in &env.secrets_manager {
        line(out, "secret", &(name, secret.to_string(), secret));
    }
    list(out, "exported", &env.exported_variables);
    if env.git_credential_helper {
        line(out, "git-credential-helper", &true);
    }
    if buildspec.proxy != buildspec::Proxy::default() {
        line(out, "proxy", &buildspec.proxy);
    }
    if let Some(batch) = &buildspec.batch {
        writeln!(out, "batch: {batch:#?}").expect("a string takes all");
    }
    for found in phases_found(buildspec) {
        writeln!(out, "{found}").expect("a string takes all");
    }
    for (name, phase) in buildspec.phases.iter() {
        describe_phase(name.key(), phase, out);
    }
    list(out, "report", &buildspec.reports);
    if let Some(artifacts) = &buildspec.artifacts {
        describe_artifacts("artifacts", artifacts, out);
    }
    if let Some(cache) = &buildspec.cache {
        line(out, "cache", cache);
    }
}

fn describe_phase(name: &str, phase: &Phase, out: &mut String) {
    if let Some(user) = &phase.run_as {
        line(out, &format!("{name} run-as"), user);
    }
    if let Some(on_failure) = &phase.on_failure {
        line(out, &format!("{name} on-failure"), on_failure);
    }
    list(out, &format!("{name} runtime"), &phase.runtime_versions);
    list(out, &format!("{name} command"), &phase.commands);
    list(out, &format!("{name} finally"), &phase.finally);
}

fn describe_artifacts(name: &str, artifacts: &Artifacts, out: &mut String) {
    line(out, name, &Artifacts { secondary: Vec::new(), ..artifacts.clone() });
    for (identifier, artifacts) in &artifacts.secondary {
        describe_artifacts(&format!("artifacts {identifier}"), artifacts, out);
    }
}
