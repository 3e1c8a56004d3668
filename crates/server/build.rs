//! Builds the agent, static and small, and compresses it, so that the service can embed its bytes
//! without having all of them in memory.
//!
//! A cargo of its own with a target folder of its own: the agent has another profile, other flags
//! and none of the service's dependencies.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"))
        .ancestors()
        .nth(2)
        .expect("the package stands in crates/")
        .to_path_buf();
    for watched in ["agent", "agent-protocol", "buildspec"] {
        println!("cargo::rerun-if-changed={}", root.join("crates").join(watched).display());
    }
    println!("cargo::rerun-if-env-changed=BUILDYARD_AGENT");
    let agent = match env::var_os("BUILDYARD_AGENT") {
        // Somebody has built it already, for a target of their own.
        Some(given) => PathBuf::from(given),
        None => build(&root),
    };
    println!("cargo::rustc-env=BUILDYARD_AGENT_PATH={}", compressed(&agent).display());
}

/// Whether the service is built to be used, and not to be tried.
fn is_released() -> bool {
    env::var("PROFILE").is_ok_and(|profile| profile == "release")
}

fn compressed(agent: &Path) -> PathBuf {
    println!("cargo::rerun-if-changed={}", agent.display());
    let level = if is_released() { 19 } else { 1 };
    let into = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("agent.zst");
    let program = fs::read(agent).expect("the agent can be read");
    let bytes = zstd::bulk::compress(&program, level).expect("it is compressed in memory");
    fs::write(&into, bytes).expect("OUT_DIR can be written");
    into
}

fn build(root: &Path) -> PathBuf {
    let target = env::var("TARGET").expect("cargo sets it");
    let profile = if is_released() { "agent" } else { "agent-quick" };
    let folder = target_root().join("agent");
    let status = Command::new(env::var_os("CARGO").expect("cargo sets it"))
        .current_dir(root)
        .args(["build", "--quiet", "--package", "agent", "--profile", profile])
        .args(["--target", &target])
        .arg("--target-dir")
        .arg(&folder)
        // Flags of the outer build are not the agent's.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        // At a place of its own choice the agent would first put right ten thousand addresses, and
        // copy the pages that hold them: a millisecond, and 200 KiB of memory, of each build.
        .env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static")
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the agent does not build");
    folder.join(&target).join(profile).join("agent")
}

/// The folder that holds the outer build's profiles.
fn target_root() -> PathBuf {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    // OUT_DIR is <target>[/<triple>]/<profile>/build/<package>-<hash>/out.
    out.ancestors().nth(4).expect("OUT_DIR is that deep").to_path_buf()
}
