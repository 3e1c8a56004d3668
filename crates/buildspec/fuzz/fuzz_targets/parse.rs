//! Any text is parsed, rendered and matched without a panic and in good time.
//!
//! `cargo +nightly fuzz run parse fuzz/corpus tests/corpus`, in the folder of the crate.

#![no_main]

use buildspec::{BaseDirectory, FilePatterns, Look, parse, phases_found};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let parsed = parse(text);
    for problem in &parsed.problems {
        problem.render("buildspec.yml", text, Look::Coloured);
        problem.aws_message();
    }
    assert_eq!(parsed.buildspec.is_none(), parsed.first_error().is_some());
    let Some(buildspec) = parsed.buildspec else { return };
    phases_found(&buildspec);
    if let Some(artifacts) = buildspec.artifacts {
        FilePatterns::new(&artifacts.files).matches("target/app.jar");
        FilePatterns::new(&artifacts.exclude_paths).may_match_in("target");
        BaseDirectory::new(artifacts.base_directory.as_deref().unwrap_or(".")).matches("target");
    }
});
