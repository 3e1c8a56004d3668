//! Node.js, Python, Ruby and PHP.
//!
//! They are in folders of their own, as their version managers put them, or beside each other in
//! one folder, told apart by their names: `python3.11`, `ruby3.1`, `php8.2`.

use super::{
    Machine, Toolchain, first_numbers, folders_in, names_in, text, version_in, version_told,
};
use std::fs;
use std::path::{Path, PathBuf};

/// Where programs of several versions are side by side.
const SHARED: [&str; 2] = ["/usr/bin", "/usr/local/bin"];

pub(super) fn nodejs(machine: &Machine<'_>) -> Vec<Toolchain> {
    let homes = machine.homes(&[
        "/usr",
        "/usr/local",
        "/usr/local/n/versions/node/*",
        "/usr/local/nvm/versions/node/*",
        "/usr/local/lib/nodejs/*",
        "/opt/*",
        "/opt/nvm/versions/node/*",
        "/opt/fnm/node-versions/*",
        "/opt/nodejs/*",
    ]);
    homes
        .into_iter()
        .flat_map(|home| {
            // fnm keeps each installation one level further down.
            let below = home.join("installation");
            [home, below]
        })
        .filter_map(|home| {
            let program = home.join("bin/node");
            if !program.is_file() {
                return None;
            }
            let version = node_header(&home)
                .or_else(|| version_in_name(&home))
                .or_else(|| version_told(&program, "--version"))?;
            let told = format!("Using Node.js {version} in {}", home.display());
            Some(Toolchain {
                name: first_numbers(&version, 1),
                aliases: vec![first_numbers(&version, 2), format!("v{version}")],
                commands: machine.programs_first(&told, &home.join("bin"), &[]),
                version,
            })
        })
        .collect()
}

/// The version that the header of an installation has.
fn node_header(home: &Path) -> Option<String> {
    let header = text(&home.join("include/node/node_version.h"))?;
    let number = |part: &str| {
        let define = format!("#define NODE_{part}_VERSION ");
        header.lines().find_map(|line| line.strip_prefix(define.as_str()))?.trim().parse().ok()
    };
    let numbers: [Option<u32>; 3] = ["MAJOR", "MINOR", "PATCH"].map(number);
    let [Some(major), Some(minor), Some(patch)] = numbers else { return None };
    Some(format!("{major}.{minor}.{patch}"))
}

pub(super) fn python(machine: &Machine<'_>) -> Vec<Toolchain> {
    let mut found = Vec::new();
    for (version, program) in side_by_side(machine, "python") {
        let told = format!("Using Python {version} at {}", program.display());
        let links = ["python3", "python"].map(|name| (name, program.clone()));
        found.push(numbered(version.clone(), |_| {
            let mut commands = machine.links_first(&told, &links, &may_install(machine, &version));
            commands.extend(pip(machine, &program));
            commands
        }));
    }
    let homes = machine.homes(&[
        "/opt/*",
        "/opt/python/*",
        "/opt/pyenv/versions/*",
        "/usr/local/pyenv/versions/*",
    ]);
    for home in homes {
        let programs = names_in(&home.join("bin")).into_iter();
        let short = programs.filter_map(|name| numbered_name(&name, "python")).next();
        let Some(short) = short else { continue };
        let named = version_in_name(&home).filter(|version| version.starts_with(&short));
        let version = named.unwrap_or(short);
        let told = format!("Using Python {version} in {}", home.display());
        found.push(numbered(version, |_| machine.programs_first(&told, &home.join("bin"), &[])));
    }
    found
}

/// A distribution's Python refuses to install packages beside its own; in a build it may.
fn may_install(machine: &Machine<'_>, version: &str) -> Vec<String> {
    let mark = format!("/usr/lib/python{version}/EXTERNALLY-MANAGED");
    let is_managed = machine.layout.inside(&mark).exists();
    is_managed.then(|| "PIP_BREAK_SYSTEM_PACKAGES=1".to_owned()).into_iter().collect()
}

/// `pip` and `pip3` of a Python that has the module and is not the one that these names mean.
fn pip(machine: &Machine<'_>, program: &Path) -> Option<String> {
    let own = ["pip3", "pip"]
        .iter()
        .all(|name| SHARED.iter().any(|folder| machine.layout.inside(folder).join(name).exists()));
    if own && machine.means("python3", program) {
        return None;
    }
    let folder = machine.layout.programs();
    let (folder, program) = (folder.display(), program.display());
    Some(format!(
        "if \"{program}\" -m pip --version >/dev/null 2>&1; then mkdir -p \"{folder}\"; for name in \
         pip pip3; do printf '#!/bin/sh\\nexec \"{program}\" -m pip \"$@\"\\n' >\"{folder}/$name\"; \
         chmod +x \"{folder}/$name\"; done; export PATH=\"{folder}:$PATH\"; fi"
    ))
}

pub(super) fn ruby(machine: &Machine<'_>) -> Vec<Toolchain> {
    let mut found = Vec::new();
    for (version, program) in side_by_side(machine, "ruby") {
        let told = format!("Using Ruby {version} at {}", program.display());
        let links: Vec<(&str, PathBuf)> = ["ruby", "gem", "bundle", "bundler", "irb", "rake"]
            .iter()
            .map(|name| (*name, program.with_file_name(format!("{name}{version}"))))
            .collect();
        found.push(numbered(version, |_| machine.links_first(&told, &links, &[])));
    }
    let homes = machine.homes(&[
        "/usr/local",
        "/opt/*",
        "/opt/rubies/*",
        "/opt/rbenv/versions/*",
        "/usr/local/rubies/*",
        "/usr/local/rbenv/versions/*",
    ]);
    for home in homes.into_iter().filter(|home| home.join("bin/ruby").is_file()) {
        // The library's folder is named after the version, its last number aside.
        let library = || folders_in(&home.join("lib/ruby")).iter().find_map(|f| version_in_name(f));
        let version = version_in_name(&home)
            .or_else(|| library().map(|version| first_numbers(&version, 2)))
            .or_else(|| version_told(&home.join("bin/ruby"), "--version"));
        let Some(version) = version else { continue };
        let told = format!("Using Ruby {version} in {}", home.display());
        found.push(numbered(version, |_| machine.programs_first(&told, &home.join("bin"), &[])));
    }
    found
}

pub(super) fn php(machine: &Machine<'_>) -> Vec<Toolchain> {
    let mut found = Vec::new();
    for (version, program) in side_by_side(machine, "php") {
        let told = format!("Using PHP {version} at {}", program.display());
        let links: Vec<(&str, PathBuf)> = ["php", "phar", "phpize", "php-config"]
            .iter()
            .map(|name| (*name, program.with_file_name(format!("{name}{version}"))))
            .collect();
        found.push(numbered(version, |_| machine.links_first(&told, &links, &[])));
    }
    let homes = machine.homes(&[
        "/usr/local",
        "/opt/*",
        "/opt/php/*",
        "/opt/phpenv/versions/*",
        "/usr/local/phpenv/versions/*",
    ]);
    for home in homes.into_iter().filter(|home| home.join("bin/php").is_file()) {
        let header = || {
            let header = text(&home.join("include/php/main/php_version.h"))?;
            let line = header.lines().find(|line| line.contains("define PHP_VERSION "))?;
            version_in(line)
        };
        let version = header()
            .or_else(|| version_in_name(&home))
            .or_else(|| version_told(&home.join("bin/php"), "--version"));
        let Some(version) = version else { continue };
        let told = format!("Using PHP {version} in {}", home.display());
        found.push(numbered(version, |_| machine.programs_first(&told, &home.join("bin"), &[])));
    }
    found
}

/// A toolchain that is called by the first two numbers of its version.
fn numbered(version: String, commands: impl FnOnce(&str) -> Vec<String>) -> Toolchain {
    Toolchain {
        name: first_numbers(&version, 2),
        aliases: vec![first_numbers(&version, 1)],
        commands: commands(&version),
        version,
    }
}

/// The versions of a program that are side by side, each with its file.
fn side_by_side(machine: &Machine<'_>, program: &str) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for folder in SHARED.map(|folder| machine.layout.inside(folder)) {
        for name in names_in(&folder) {
            let Some(version) = numbered_name(&name, program) else { continue };
            let file = folder.join(name);
            if fs::metadata(&file).is_ok_and(|found| found.is_file()) {
                found.push((version, file));
            }
        }
    }
    found
}

/// The version in `python3.11`; none in other names that begin with the program's.
fn numbered_name(name: &str, program: &str) -> Option<String> {
    let version = name.strip_prefix(program)?;
    let mut numbers = version.split('.');
    let mut is_number =
        || numbers.next().is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    (is_number() && is_number() && numbers.next().is_none()).then(|| version.to_owned())
}

/// The version in a folder's name.
fn version_in_name(folder: &Path) -> Option<String> {
    let own = folder.file_name()?.to_str()?;
    // fnm's folder is named one level up.
    if own == "installation" {
        return version_in(folder.parent()?.file_name()?.to_str()?);
    }
    version_in(own)
}
