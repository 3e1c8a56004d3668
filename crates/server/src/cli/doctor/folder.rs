//! The data folder: whether it can be used, what is in it, and how much room there is.

use super::{Finding, Patient};
use crate::{data_folder, fault::chain, vault::key_file_beside};
use rustix::fs::statvfs;
use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    time::SystemTime,
};

/// With less room than this, builds are likely to fail soon.
const FREE_BYTES_WARN: u64 = 2 << 30;
/// With less than this, the service itself cannot be trusted to go on.
const FREE_BYTES_BAD: u64 = 64 << 20;
/// Fewer free inodes than this are as bad as no room.
const FREE_FILES_WARN: u64 = 20_000;

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let folder = &patient.data_dir;
    if !folder.exists() {
        let parent = folder.ancestors().find(|folder| folder.exists()).unwrap_or(folder);
        let said = format!("{} is not there yet; the service makes it", folder.display());
        return vec![Finding::well("data folder", said), room(parent)];
    }
    let mut findings = vec![writable(folder), room(folder)];
    findings.push(version(folder));
    findings.extend(databases(folder));
    findings.push(key(patient));
    findings.push(times(folder));
    findings
}

/// A file is written, synced, renamed and removed, as the service does.
fn writable(folder: &Path) -> Finding {
    const SUBJECT: &str = "data folder";
    let (first, second) = (folder.join("doctor.new"), folder.join("doctor"));
    let attempt = || -> std::io::Result<()> {
        let mut file = File::create(&first)?;
        file.write_all(b"can this be kept?")?;
        file.sync_all()?;
        fs::rename(&first, &second)?;
        File::open(folder)?.sync_all()?;
        fs::remove_file(&second)
    };
    let result = attempt();
    let _ = fs::remove_file(&first);
    let shown = folder.display();
    if let Err(error) = result {
        let advice = match error.raw_os_error() {
            Some(libc_erofs) if libc_erofs == rustix::io::Errno::ROFS.raw_os_error() => {
                "its file system is mounted read-only: mount it for writing, and look into the \
                 kernel's log for why it is so"
            }
            Some(full) if full == rustix::io::Errno::NOSPC.raw_os_error() => {
                "the disk is full: make room, then the service goes on by itself"
            }
            _ => "it must belong to the user that the service runs as",
        };
        return Finding::bad(
            SUBJECT,
            format!("nothing can be written to {shown}: {error}"),
            advice,
        );
    }
    let Ok(metadata) = fs::metadata(folder) else {
        return Finding::bad(SUBJECT, format!("{shown} cannot be looked at"), "look at its rights");
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        let said = format!("{shown} can be read by other users");
        return Finding::warning(SUBJECT, said, format!("chmod 700 {shown}"));
    }
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own {
        let said = format!("{shown} belongs to the user {}, and this is {own}", metadata.uid());
        return Finding::warning(SUBJECT, said, "run the service as the user who owns it");
    }
    Finding::well(SUBJECT, format!("{shown} can be written to"))
}

fn room(folder: &Path) -> Finding {
    const SUBJECT: &str = "disk";
    let disk = match statvfs(folder) {
        Ok(disk) => disk,
        Err(error) => {
            return Finding::bad(SUBJECT, format!("no answer: {error}"), "look at the mount");
        }
    };
    let free = disk.f_bavail * disk.f_frsize;
    let total = disk.f_blocks * disk.f_frsize;
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30));
    let said = format!("{} free of {}", gib(free), gib(total));
    let advice = "make room; `retention` and `caches.local_gib_max` in the configuration bound what \
                  is kept";
    if free < FREE_BYTES_BAD {
        return Finding::bad(SUBJECT, said, advice);
    }
    if free < FREE_BYTES_WARN {
        return Finding::warning(SUBJECT, said, advice);
    }
    // Some file systems count no inodes.
    if disk.f_files > 0 && disk.f_favail < FREE_FILES_WARN {
        let said = format!("{said}, but only {} more files", disk.f_favail);
        return Finding::warning(SUBJECT, said, "make the file system with more inodes");
    }
    Finding::well(SUBJECT, said)
}

fn version(folder: &Path) -> Finding {
    const SUBJECT: &str = "version";
    match data_folder::version(folder) {
        Ok(Some(version)) => Finding::well(SUBJECT, format!("the folder's format is {version}")),
        Ok(None) => Finding::well(SUBJECT, "the folder is new, or from before formats had numbers"),
        Err(error) => Finding::bad(
            SUBJECT,
            chain(&error),
            "use the version of buildyard that wrote it, or a newer one, or restore a backup",
        ),
    }
}

fn databases(folder: &Path) -> Vec<Finding> {
    ["state.db", "logs/logs.db", "objects/objects.db"]
        .into_iter()
        .map(|name| (name, folder.join(name)))
        .filter(|(_, path)| path.exists())
        .map(|(name, path)| match store::check_database(&path) {
            Ok(problems) if problems.is_empty() => {
                Finding::well("database", format!("{name} is whole"))
            }
            Ok(problems) => Finding::bad(
                "database",
                format!("{name}: {}", problems.join("; ")),
                "stop the service and restore a backup; what else is in the folder is not touched",
            ),
            Err(fault) => Finding::bad(
                "database",
                format!("{name}: failed to {}", chain(&fault)),
                "look at the file's owner and rights; if it is damaged, restore a backup",
            ),
        })
        .collect()
}

fn key(patient: &Patient) -> Finding {
    const SUBJECT: &str = "key";
    let path =
        patient.config.secrets.key_file.clone().or_else(|| key_file_beside(&patient.data_dir));
    let Some(path) = path else {
        let advice = "set secrets.key_file";
        return Finding::warning(SUBJECT, "there is no place beside the data folder", advice);
    };
    let shown = path.display();
    match fs::metadata(&path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 == 0 => {
            Finding::well(SUBJECT, format!("{shown} is there; keep a copy of it elsewhere"))
        }
        Ok(_) => {
            let said = format!("{shown} can be read by other users");
            Finding::bad(SUBJECT, said, format!("chmod 600 {shown}"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::well(SUBJECT, format!("{shown} is made when the first secret is kept"))
        }
        Err(error) => Finding::bad(SUBJECT, format!("{shown}: {error}"), "look at its rights"),
    }
}

/// A clock that is behind what it has written would end no build in time.
fn times(folder: &Path) -> Finding {
    const SUBJECT: &str = "clock";
    let newest = ["state.db", "state.db-wal", "logs/logs.db-wal"]
        .iter()
        .filter_map(|name| fs::metadata(folder.join(name)).ok()?.modified().ok())
        .max();
    let ahead = newest.and_then(|newest| newest.duration_since(SystemTime::now()).ok());
    match ahead.filter(|ahead| ahead.as_secs() > 60) {
        Some(ahead) => Finding::bad(
            SUBJECT,
            format!("it is {} s behind what was written last", ahead.as_secs()),
            "set the clock, and run a time service such as chrony",
        ),
        None => Finding::well(SUBJECT, "it is not behind what was written last"),
    }
}
