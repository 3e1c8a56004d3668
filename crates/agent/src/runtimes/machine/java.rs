//! Java: each development kit says in its file `release` what it is.

use super::{Machine, Toolchain, first_numbers, text};
use std::path::Path;

/// Where development kits are, each in a folder of its own.
const PLACES: [&str; 8] = [
    "/usr/lib/jvm/*",
    "/usr/lib64/jvm/*",
    "/usr/java/*",
    "/opt/*",
    "/opt/java/*",
    "/opt/jdk/*",
    "/usr/local/*",
    "/usr/local/sdkman/candidates/java/*",
];

/// How vendors are called in versions, and by what their kits are known.
const VENDORS: [(&str, &str); 4] =
    [("corretto", "Amazon"), ("temurin", "Adoptium"), ("zulu", "Azul"), ("graalvm", "GraalVM")];

pub(super) fn find(machine: &Machine<'_>) -> Vec<Toolchain> {
    machine.homes(&PLACES).iter().filter_map(|home| kit(machine, home)).collect()
}

fn kit(machine: &Machine<'_>, home: &Path) -> Option<Toolchain> {
    let release = text(&home.join("release"))?;
    if !home.join("bin/java").exists() {
        return None;
    }
    let version = value(&release, "JAVA_VERSION")?;
    // Java 8 calls itself 1.8.
    let number = first_numbers(version.strip_prefix("1.").unwrap_or(version), 1);
    let implementor = value(&release, "IMPLEMENTOR").unwrap_or_default();
    let vendor = VENDORS.iter().find(|(_, known)| implementor.contains(known));
    let vendor = vendor.map_or("openjdk", |(vendor, _)| vendor);
    let aliases = VENDORS.iter().map(|(vendor, _)| *vendor).chain(["openjdk", "", "jdk"]);
    let aliases = aliases.map(|vendor| format!("{vendor}{number}")).collect();
    let told = format!("Using Java {version} in {}", home.display());
    let exported = [
        format!("JAVA_HOME=\"{}\"", home.display()),
        format!("JDK_HOME=\"{}\"", home.display()),
        format!("JRE_HOME=\"{}\"", home.display()),
    ];
    Some(Toolchain {
        name: format!("{vendor}{number}"),
        aliases,
        commands: machine.programs_first(&told, &home.join("bin"), &exported),
        version: version.to_owned(),
    })
}

fn value<'t>(release: &'t str, key: &str) -> Option<&'t str> {
    let line = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(line.trim().trim_matches('"'))
}
