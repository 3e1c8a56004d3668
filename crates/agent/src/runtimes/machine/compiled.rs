//! Go, Rust and .NET.

use super::{Machine, Toolchain, first_numbers, folders_in, text, version_in, version_told};
use std::path::Path;

pub(super) fn golang(machine: &Machine<'_>) -> Vec<Toolchain> {
    let homes = machine.homes(&[
        "/usr/local/go",
        "/usr/local/*",
        "/usr/lib/go",
        "/usr/lib/golang",
        "/usr/lib/*",
        "/opt/*",
        "/opt/go/*",
        "/opt/goenv/versions/*",
        "/usr/local/goenv/versions/*",
    ]);
    let homes = homes.into_iter().filter(|home| home.join("bin/go").exists());
    homes
        .filter_map(|home| {
            let told = text(&home.join("VERSION"))?;
            let version = told.lines().next()?.trim().strip_prefix("go")?.to_owned();
            let told = format!("Using Go {version} in {}", home.display());
            let root = format!("GOROOT=\"{}\"", home.display());
            Some(Toolchain {
                name: first_numbers(&version, 2),
                aliases: vec![first_numbers(&version, 1)],
                commands: machine.programs_first(&told, &home.join("bin"), &[root]),
                version,
            })
        })
        .collect()
}

pub(super) fn rust(machine: &Machine<'_>) -> Vec<Toolchain> {
    let homes = machine.homes(&[
        "/usr/local/rustup/toolchains/*",
        "/opt/rustup/toolchains/*",
        "/opt/*",
        "/usr/lib/*",
        "/usr/local",
        "/usr",
    ]);
    let homes = homes.into_iter().filter(|home| home.join("bin/rustc").is_file());
    homes
        .filter_map(|home| {
            let version = rust_version(&home)?;
            let told = format!("Using Rust {version} in {}", home.display());
            Some(Toolchain {
                name: first_numbers(&version, 2),
                aliases: vec![first_numbers(&version, 1)],
                commands: machine.programs_first(&told, &home.join("bin"), &[]),
                version,
            })
        })
        .collect()
}

/// The version by rustup's manifest, the folder's name, or the compiler itself.
fn rust_version(home: &Path) -> Option<String> {
    let manifest = || {
        let manifest = text(&home.join("lib/rustlib/multirust-channel-manifest.toml"))?;
        let section = manifest.split("[pkg.rustc]").nth(1)?;
        let line = section.lines().find(|line| line.starts_with("version"))?;
        version_in(line)
    };
    let named = || version_in(home.file_name()?.to_str()?);
    named().or_else(manifest).or_else(|| version_told(&home.join("bin/rustc"), "--version"))
}

pub(super) fn dotnet(machine: &Machine<'_>) -> Vec<Toolchain> {
    let homes = machine.homes(&[
        "/usr/share/dotnet",
        "/usr/lib/dotnet",
        "/usr/lib64/dotnet",
        "/usr/local/share/dotnet",
        "/opt/dotnet",
        "/opt/*",
    ]);
    let mut found = Vec::new();
    for home in homes.iter().filter(|home| home.join("dotnet").is_file()) {
        let kits: Vec<String> = folders_in(&home.join("sdk"))
            .iter()
            .filter_map(|kit| kit.file_name()?.to_str().map(str::to_owned))
            .filter(|name| name.starts_with(|first: char| first.is_ascii_digit()))
            .collect();
        for version in &kits {
            let told = format!("Using .NET {version} in {}", home.display());
            let root = format!("DOTNET_ROOT=\"{}\"", home.display());
            let mut commands = machine.programs_first(&told, home, &[root]);
            if kits.len() > 1 {
                // AWS: the choice stands above the source, where a project's own file overrides it.
                commands.push(format!(
                    "printf '{{\"sdk\":{{\"version\":\"{version}\",\"rollForward\":\
                     \"latestFeature\"}}}}\\n' >../global.json"
                ));
            }
            found.push(Toolchain {
                name: first_numbers(version, 2),
                aliases: vec![first_numbers(version, 1)],
                commands,
                version: version.clone(),
            });
        }
    }
    found
}
