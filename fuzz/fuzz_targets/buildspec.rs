//! Any bytes are parsed, rendered and matched without a panic and in good time.
//!
//! `fuzz/run buildspec`.

#![no_main]

use buildspec::{
    BaseDirectory, FilePatterns, Look, decode, parse, phases_found, unknown_keys_found,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = decode(bytes) else { return };
    let parsed = parse(&text);
    for problem in &parsed.problems {
        problem.render("buildspec.yml", &text, Look::Coloured);
        problem.aws_message();
    }
    unknown_keys_found(&parsed.unknown_keys);
    assert_eq!(parsed.buildspec.is_none(), parsed.first_error().is_some());
    let Some(buildspec) = parsed.buildspec else { return };
    phases_found(&buildspec);
    for (_, phase) in buildspec.phases.iter() {
        if let Some(on_failure) = &phase.on_failure {
            on_failure.retries(0, &[bytes]);
        }
    }
    if let Some(artifacts) = buildspec.artifacts {
        FilePatterns::new(&artifacts.files).matches("target/app.jar");
        FilePatterns::new(&artifacts.exclude_paths).may_match_in("target");
        BaseDirectory::new(artifacts.base_directory.as_deref().unwrap_or(".")).matches("target");
    }
});
