//! What a tree of files takes of a disk, counted while a hostile program may be changing it.
//!
//! The walk holds one folder open at a time and keeps a few numbers for each level, so that neither
//! memory nor the stack nor the number of open files grows with what is in the tree. It follows no
//! link and leaves no file system.

use rustix::{
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, RawDir, SeekFrom, Stat, fstat, openat, seek, statat,
    },
    io::Errno,
};
use std::{
    ffi::CStr,
    io,
    mem::MaybeUninit,
    ops::AddAssign,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

/// What a file takes at least, whatever is in it: its place among the file system's files.
const FILE_BYTES_MIN: u64 = 4096;

/// How a folder is opened.
const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What files take of a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUsed {
    /// Bytes, with at least 4 KiB for each file.
    pub bytes: u64,
    /// Files, links and folders.
    pub files: u64,
}

impl AddAssign for DiskUsed {
    fn add_assign(&mut self, more: Self) {
        self.bytes += more.bytes;
        self.files += more.files;
    }
}

impl DiskUsed {
    /// What one file takes. Of a file with several names each name takes its share.
    pub(crate) fn of(file: &Stat) -> Self {
        let blocks = u64::try_from(file.st_blocks).unwrap_or_default();
        let is_folder = FileType::from_raw_mode(file.st_mode).is_dir();
        let names = if is_folder { 1 } else { file.st_nlink.max(1) };
        Self { bytes: (blocks * 512).max(FILE_BYTES_MIN) / names, files: 1 }
    }
}

/// A folder that the walk will come back to.
struct Above {
    device: u64,
    inode: u64,
    /// Where reading it goes on.
    position: u64,
}

/// Counts what is in a folder, and the folder itself; nothing when it is not there. What cannot be
/// read takes nothing. When a folder is moved meanwhile, what had been counted by then is given.
pub fn disk_used(folder: &Path) -> io::Result<DiskUsed> {
    let mut folder = match openat(CWD, folder, FOLDER, Mode::empty()) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(DiskUsed::default()),
        opened => opened?,
    };
    let here = fstat(&folder)?;
    let device = here.st_dev;
    let mut used = DiskUsed::of(&here);
    let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
    let mut levels: Vec<Above> = Vec::new();
    loop {
        if let Some((below, position)) = next_below(&folder, device, &mut buffer, &mut used)? {
            let here = fstat(&folder)?;
            levels.push(Above { device: here.st_dev, inode: here.st_ino, position });
            folder = below;
            continue;
        }
        let Some(above) = levels.pop() else { return Ok(used) };
        let parent = match openat(&folder, "..", FOLDER, Mode::empty()) {
            Err(Errno::NOENT | Errno::ACCESS) => return Ok(used),
            opened => opened?,
        };
        let there = fstat(&parent)?;
        if (there.st_dev, there.st_ino) != (above.device, above.inode) {
            return Ok(used);
        }
        seek(&parent, SeekFrom::Start(above.position))?;
        folder = parent;
    }
}

/// Counts on in a folder until there is a folder in it, which is given open, with where to go on.
fn next_below(
    folder: &OwnedFd,
    device: u64,
    buffer: &mut [MaybeUninit<u8>],
    used: &mut DiskUsed,
) -> io::Result<Option<(OwnedFd, u64)>> {
    let mut entries = RawDir::new(folder, buffer);
    while let Some(entry) = entries.next() {
        let entry = match entry {
            // It was removed after it was opened.
            Err(Errno::NOENT) => return Ok(None),
            entry => entry?,
        };
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let Some(found) = look_at(folder, name)? else { continue };
        if found.st_dev != device {
            continue;
        }
        *used += DiskUsed::of(&found);
        if !FileType::from_raw_mode(found.st_mode).is_dir() {
            continue;
        }
        match openat(folder, name, FOLDER, Mode::empty()) {
            Ok(below) => return Ok(Some((below, entry.next_entry_cookie()))),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

fn look_at(folder: impl AsFd, name: &CStr) -> io::Result<Option<Stat>> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT | Errno::ACCESS) => Ok(None),
        found => Ok(Some(found?)),
    }
}

#[cfg(test)]
mod tests {
    use super::{DiskUsed, FILE_BYTES_MIN, disk_used};
    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
    use std::{fs, os::unix::fs::symlink};
    use tempfile::TempDir;

    fn files(count: u64) -> DiskUsed {
        DiskUsed { bytes: count * FILE_BYTES_MIN, files: count }
    }

    #[test]
    fn what_is_not_there_takes_nothing() {
        let folder = TempDir::new().expect("a folder");
        assert_eq!(disk_used(&folder.path().join("none")).expect("a count"), files(0));
        assert_eq!(disk_used(folder.path()).expect("a count"), files(1));
    }

    #[test]
    fn each_file_is_counted_once_and_no_link_is_followed() {
        let folder = TempDir::new().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["a", "a/b", "a/b/c", "d"] {
            fs::create_dir(at(name)).expect("a folder");
        }
        for name in ["a/x", "a/b/x", "a/b/c/x", "d/x", "x"] {
            fs::write(at(name), "x").expect("a file");
        }
        symlink("/", at("a/root")).expect("a link");
        fs::hard_link(at("x"), at("a/same")).expect("a name");
        let found = disk_used(folder.path()).expect("a count");
        assert_eq!(found.bytes, files(11).bytes);
        assert_eq!(found.files, 12);
        fs::write(at("large"), vec![1; 1 << 20]).expect("a file");
        let more = disk_used(folder.path()).expect("a count").bytes - found.bytes;
        assert!((1 << 20..=(1 << 20) + 8192).contains(&more), "{more}");
    }

    #[test]
    fn a_sparse_file_takes_what_is_in_it() {
        let folder = TempDir::new().expect("a folder");
        let file = fs::File::create(folder.path().join("sparse")).expect("a file");
        file.set_len(1 << 40).expect("a length");
        assert_eq!(disk_used(folder.path()).expect("a count"), files(2));
    }

    #[test]
    fn many_files_and_many_levels_are_all_counted() {
        let folder = TempDir::new().expect("a folder");
        for number in 0..3000 {
            fs::create_dir(folder.path().join(format!("folder-{number}"))).expect("a folder");
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let mut at = openat(CWD, folder.path(), flags, Mode::empty()).expect("a folder");
        for _ in 0..5000 {
            mkdirat(&at, "deeper", Mode::RWXU).expect("a folder");
            at = openat(&at, "deeper", flags, Mode::empty()).expect("a folder");
        }
        let found = disk_used(folder.path()).expect("a count");
        assert_eq!(found.files, 8001);
        crate::remove_tree(folder.path()).expect("removed, as deep as it is");
        let _ = folder.keep();
    }
}
