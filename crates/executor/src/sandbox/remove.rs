//! Removes a tree of files that a build left, however deep it is and whatever its modes are.

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, chmod, open, renameat, unlinkat},
    io::Errno,
};
use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

/// Removes the folder at `path` with all that is in it. Nobody may be writing to it. It may have been
/// removed in part before.
///
/// Every folder in it is first moved to the top, so that neither a path nor the stack nor the number
/// of open files grows with the depth.
pub fn tree(path: &Path) -> io::Result<()> {
    let mut moved = 0_u64;
    let mut waiting = vec![path.to_owned()];
    while let Some(folder) = waiting.pop() {
        let target = if folder == path { None } else { Some(&folder) };
        empty(&folder, |dir, name| {
            moved += 1;
            let aside = beside(path, moved);
            renameat(dir, name, rustix::fs::CWD, &aside)?;
            waiting.push(aside);
            Ok(())
        })?;
        if let Some(folder) = target {
            std::fs::remove_dir(folder)?;
        }
    }
    match std::fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A name next to the tree's own, which the tree's remains keep after a crash.
fn beside(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// Removes all files of a folder, and gives the folders in it to `take_out`.
fn empty(
    folder: &Path,
    mut take_out: impl FnMut(&OwnedFd, &CStr) -> io::Result<()>,
) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = match open(folder, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            chmod(folder, Mode::RWXU)?;
            open(folder, flags, Mode::empty())?
        }
        opened => opened?,
    };
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let is_folder = match entry.file_type() {
            FileType::Directory => true,
            FileType::Unknown => is_folder(&dir, name)?,
            _ => false,
        };
        let gone = if is_folder {
            take_out(&dir, name)
        } else {
            unlinkat(&dir, name, AtFlags::empty()).map_err(io::Error::from)
        };
        match gone {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                open_up(folder, &dir, name, is_folder)?;
                if is_folder {
                    take_out(&dir, name)?;
                } else {
                    unlinkat(&dir, name, AtFlags::empty())?;
                }
            }
            gone => gone?,
        }
    }
    Ok(())
}

/// Lets us move or remove an entry: the folder must be writable, and so must be one that is moved.
fn open_up(folder: &Path, dir: &OwnedFd, name: &CStr, is_folder: bool) -> io::Result<()> {
    chmod(folder, Mode::RWXU)?;
    if is_folder {
        rustix::fs::chmodat(dir, name, Mode::RWXU, AtFlags::empty())?;
    }
    Ok(())
}

fn is_folder(dir: impl AsFd, name: &CStr) -> io::Result<bool> {
    let status = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(status.st_mode).is_dir())
}

#[cfg(test)]
mod tests;
