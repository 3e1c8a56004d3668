//! The test agent's program, compiled once.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// The compiled test agent, a static program.
pub(crate) static AGENT: LazyLock<PathBuf> = LazyLock::new(|| {
    if let Some(path) = std::env::var_os("EXECUTOR_TEST_AGENT") {
        return path.into();
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/agent.rs");
    let changed = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("test-agent");
    // Each test may be a process of its own: one of them compiles, the others wait for it.
    let lock = File::create(program.with_extension("lock")).expect("a lock");
    lock.lock().expect("a lock that is held");
    if changed(&program) < changed(&source) {
        let half = program.with_extension("new");
        let compiled = Command::new("rustc")
            .args(["--edition", "2024", "-O", "-C", "strip=symbols"])
            .args(["-C", "target-feature=+crt-static", "-o"])
            .args([&half, &source])
            .status()
            .expect("rustc runs");
        assert!(compiled.success(), "the test agent does not compile");
        fs::rename(&half, &program).expect("a compiled agent");
    }
    program
});
