//! A layer's archive becomes a folder that an overlay can lie on.
//!
//! The archive is a stranger's. Its paths and links are taken as paths inside the layer; what could
//! mean something else, and devices, are refused.

#[cfg(test)]
mod tests;

use super::room::Room;
use crate::{Fault, fault::Doing, inside::Inside};
use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chownat,
        fchmod, fsetxattr, linkat, mkdirat, mknodat, open, openat, statat, symlinkat, unlinkat,
        utimensat,
    },
    io::Errno,
    process::geteuid,
};
use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Read, Seek, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Component, Path, PathBuf},
};
use tar::{Archive, Entry, EntryType};

/// The start of a name that says what of a lower layer is gone.
pub(super) const WHITEOUT: &str = ".wh.";
/// The name that says that all of a folder's lower layers are gone.
pub(super) const OPAQUE: &str = ".wh..wh..opq";
/// The attributes by which an overlay is told so; the second where it is mounted in a user namespace.
pub(super) const OPAQUE_ATTRIBUTES: [&str; 2] = ["trusted.overlay.opaque", "user.overlay.opaque"];
/// How much of a file is written at a time.
const BUFFER_BYTES: usize = 128 << 10;
/// A file that says it has more than this, most of it holes, is refused: a few bytes of a layer could
/// keep a processor busy for years.
const SPARSE_BYTES_MAX: u64 = 64 << 30;

/// Why a layer was not unpacked.
#[derive(Debug)]
pub(super) enum Unpacking {
    /// The layer is bad.
    Layer(String),
    /// The machine failed.
    Machine(Fault),
}

impl From<Fault> for Unpacking {
    fn from(fault: Fault) -> Self {
        Self::Machine(fault)
    }
}

/// Unpacks an archive into a new folder, of whose disk a reserve stays free. A layer that is refused
/// leaves a part of it there.
pub(super) fn unpack(
    archive: impl Read,
    folder: &Path,
    reserve_bytes: u64,
) -> Result<(), Unpacking> {
    fs::create_dir(folder).doing_to("make the folder", folder)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(folder, flags, Mode::empty()).doing_to("open", folder)?;
    fchmod(&root, Mode::from_raw_mode(0o755)).doing_to("open up", folder)?;
    let mut layer = Layer {
        root: Inside(root),
        is_root: geteuid().is_root(),
        folders: Vec::new(),
        room: Room::new(folder, reserve_bytes),
        buffer: vec![0; BUFFER_BYTES],
    };
    let broken = |error: io::Error| Unpacking::Layer(format!("it is not a whole archive: {error}"));
    let mut archive = Archive::new(archive);
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = clean(&entry.path_bytes())?;
        layer.take(&path, &mut entry).map_err(|problem| match problem {
            Unpacking::Layer(reason) => Unpacking::Layer(format!("{}: {reason}", path.display())),
            Unpacking::Machine(fault) => Unpacking::Machine(fault),
        })?;
    }
    layer.finish()
}

/// A layer's folder while it is filled.
struct Layer {
    root: Inside,
    is_root: bool,
    /// The folders, whose modes and times are set last.
    folders: Vec<(PathBuf, Mode, i64)>,
    room: Room,
    /// What of a file is on its way.
    buffer: Vec<u8>,
}

impl Layer {
    fn take(&mut self, path: &Path, entry: &mut Entry<'_, impl Read>) -> Result<(), Unpacking> {
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        self.room.take_file()?;
        let Some(name) = path.file_name() else {
            // The root itself.
            return self.note_folder(path, entry);
        };
        let above = path.parent().unwrap_or(Path::new("/"));
        let above = self.root.folder(above).map_err(|fault| refused_path(&fault))?;
        if let Some(hidden) = name.as_bytes().strip_prefix(WHITEOUT.as_bytes()) {
            return self.hide(&above, name, hidden);
        }
        make_room(&above, name, kind == EntryType::Directory)?;
        let doing = "unpack";
        match kind {
            EntryType::Directory => {
                match mkdirat(&above, name, Mode::RWXU) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Ok(Err(error).doing_to(doing, path)?),
                }
                self.note_folder(path, entry)?;
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.write(&above, name, entry)?;
            }
            EntryType::Symlink => {
                symlinkat(link_target(entry)?, &above, name).doing_to(doing, path)?;
                self.give(&above, name, entry)?;
            }
            EntryType::Link => self.link(&above, name, entry)?,
            EntryType::Fifo => {
                let mode = mode(entry)?;
                mknodat(&above, name, FileType::Fifo, mode, 0).doing_to(doing, path)?;
                self.give(&above, name, entry)?;
            }
            EntryType::Block | EntryType::Char => {
                return Err(Unpacking::Layer("a layer may not bring a device".to_owned()));
            }
            other => {
                return Err(Unpacking::Layer(format!("an entry of unknown kind, {other:?}")));
            }
        }
        Ok(())
    }

    fn note_folder(
        &mut self,
        path: &Path,
        entry: &mut Entry<'_, impl Read>,
    ) -> Result<(), Unpacking> {
        if !entry.header().entry_type().is_dir() {
            return Err(Unpacking::Layer("the root may only be a folder".to_owned()));
        }
        let time = seconds(entry)?;
        if let (Some(above), Some(name)) = (path.parent(), path.file_name()) {
            let above = self.root.folder(above)?;
            self.give(&above, name, entry)?;
        }
        self.folders.push((path.to_owned(), mode(entry)?, time));
        Ok(())
    }

    fn write(
        &mut self,
        above: &OwnedFd,
        name: &OsStr,
        entry: &mut Entry<'_, impl Read>,
    ) -> Result<(), Unpacking> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(above, name, flags, Mode::RUSR | Mode::WUSR).doing_to("write", name)?;
        let mut file = File::from(file);
        let is_sparse = entry.header().entry_type() == EntryType::GNUSparse;
        if is_sparse && entry.size() > SPARSE_BYTES_MAX {
            let reason = format!("a file of {} bytes, with holes", entry.size());
            return Err(Unpacking::Layer(reason));
        }
        loop {
            let read = match entry.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(Unpacking::Layer(format!("it ends in the middle: {error}")));
                }
            };
            let piece = &self.buffer[..read];
            if is_sparse && piece.iter().all(|byte| *byte == 0) {
                // What is a hole in the archive takes nothing of the disk either.
                file.seek_relative(i64::try_from(read).expect("a buffer is small"))
                    .doing_to("write", name)?;
            } else {
                self.room.take(read as u64)?;
                file.write_all(piece).doing_to("write", name)?;
            }
        }
        if is_sparse {
            file.set_len(entry.size()).doing_to("write", name)?;
        }
        self.give(above, name, entry)?;
        // After the owner: a change of owner takes the set-user-id bit away.
        fchmod(&file, mode(entry)?).doing_to("write", name)?;
        for (attribute, value) in attributes(entry, self.is_root)? {
            fsetxattr(&file, &attribute, &value, XattrFlags::empty()).doing_to("write", name)?;
        }
        set_time(above, name, seconds(entry)?)
    }

    /// Gives an entry to its owner; an ordinary user keeps them all.
    fn give(
        &self,
        above: &OwnedFd,
        name: &OsStr,
        entry: &Entry<'_, impl Read>,
    ) -> Result<(), Unpacking> {
        if !self.is_root {
            return Ok(());
        }
        let owner = |id: io::Result<u64>| -> Result<u32, Unpacking> {
            let id = id.map_err(|error| Unpacking::Layer(error.to_string()))?;
            let id = u32::try_from(id).ok().filter(|id| *id != u32::MAX);
            id.ok_or_else(|| Unpacking::Layer("its owner has no valid number".to_owned()))
        };
        let uid = Uid::from_raw(owner(entry.header().uid())?);
        let gid = Gid::from_raw(owner(entry.header().gid())?);
        chownat(above, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            .doing_to("give away", name)?;
        Ok(())
    }

    fn link(
        &self,
        above: &OwnedFd,
        name: &OsStr,
        entry: &mut Entry<'_, impl Read>,
    ) -> Result<(), Unpacking> {
        let target = clean(link_target(entry)?.as_os_str().as_bytes())?;
        let (Some(folder), Some(file)) = (target.parent(), target.file_name()) else {
            return Err(Unpacking::Layer("it is a second name of the root".to_owned()));
        };
        let folder = self.root.open(folder, OFlags::PATH | OFlags::DIRECTORY);
        let linked = folder.and_then(|f| linkat(&f, file, above, name, AtFlags::empty()));
        linked.map_err(|error| {
            let target = target.display();
            Unpacking::Layer(format!(
                "it is a second name of {target}, which is not there: {error}"
            ))
        })
    }

    /// Hides what lower layers have, as an overlay is told to.
    fn hide(&self, above: &OwnedFd, name: &OsStr, hidden: &[u8]) -> Result<(), Unpacking> {
        if name == OPAQUE {
            let readable = openat(
                above,
                ".",
                OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )
            .doing_to("hide what is under", name)?;
            for attribute in OPAQUE_ATTRIBUTES {
                if self.is_root || attribute.starts_with("user.") {
                    fsetxattr(&readable, attribute, b"y", XattrFlags::empty())
                        .doing_to("hide what is under", name)?;
                }
            }
            return Ok(());
        }
        if matches!(hidden, b"" | b"." | b"..") || hidden.starts_with(WHITEOUT.as_bytes()) {
            return Err(Unpacking::Layer("it hides nothing that could be there".to_owned()));
        }
        let hidden = OsStr::from_bytes(hidden);
        make_room(above, hidden, false)?;
        mknodat(above, hidden, FileType::CharacterDevice, Mode::empty(), 0)
            .doing_to("hide", hidden)?;
        Ok(())
    }

    fn finish(mut self) -> Result<(), Unpacking> {
        // The innermost first: a folder's time is changed by what happens in it, and its mode may
        // keep an ordinary user out.
        self.folders.sort_by_key(|(path, ..)| std::cmp::Reverse(path.components().count()));
        for (path, mode, time) in &self.folders {
            let folder = match self.root.open(path, OFlags::RDONLY | OFlags::DIRECTORY) {
                // A later entry has taken its place.
                Err(Errno::NOTDIR | Errno::NOENT | Errno::ACCESS) => continue,
                folder => folder.doing_to("open", path)?,
            };
            fchmod(&folder, *mode).doing_to("set the mode of", path)?;
            set_time(&folder, OsStr::new("."), *time)?;
        }
        Ok(())
    }
}

/// A path of an archive as an absolute path inside the layer.
fn clean(path: &[u8]) -> Result<PathBuf, Unpacking> {
    let path = Path::new(OsStr::from_bytes(path));
    let mut clean = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                let path = path.display();
                return Err(Unpacking::Layer(format!("the path {path} leads out of the layer")));
            }
        }
    }
    Ok(clean)
}

/// Removes what is in the way of an entry; a folder is not in the way of a folder.
fn make_room(above: &OwnedFd, name: &OsStr, is_folder: bool) -> Result<(), Unpacking> {
    let found = match statat(above, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        found => FileType::from_raw_mode(found.doing_to("look at", name)?.st_mode),
    };
    match (found.is_dir(), is_folder) {
        (true, true) => Ok(()),
        (true, false) => Err(Unpacking::Layer("it takes the place of a folder".to_owned())),
        (false, _) => Ok(unlinkat(above, name, AtFlags::empty()).doing_to("replace", name)?),
    }
}

fn link_target(entry: &Entry<'_, impl Read>) -> Result<PathBuf, Unpacking> {
    let target = entry.link_name_bytes().filter(|target| !target.is_empty());
    let target = target.ok_or_else(|| Unpacking::Layer("a link to nothing".to_owned()))?;
    Ok(PathBuf::from(OsString::from_vec(target.into_owned())))
}

fn mode(entry: &Entry<'_, impl Read>) -> Result<Mode, Unpacking> {
    let mode = entry.header().mode().map_err(|error| Unpacking::Layer(error.to_string()))?;
    Ok(Mode::from_raw_mode(mode & 0o7777))
}

fn seconds(entry: &Entry<'_, impl Read>) -> Result<i64, Unpacking> {
    let time = entry.header().mtime().map_err(|error| Unpacking::Layer(error.to_string()))?;
    i64::try_from(time).map_err(|_| Unpacking::Layer("its time is out of range".to_owned()))
}

/// The extended attributes that mean something in a container: a file's capabilities, and what users
/// wrote. An overlay's own would change what the layers mean.
fn attributes(
    entry: &mut Entry<'_, impl Read>,
    is_root: bool,
) -> Result<Vec<(String, Vec<u8>)>, Unpacking> {
    let mut found = Vec::new();
    let broken = |error: io::Error| Unpacking::Layer(error.to_string());
    for extension in entry.pax_extensions().map_err(broken)?.into_iter().flatten() {
        let extension = extension.map_err(broken)?;
        let name = extension.key().ok().and_then(|key| key.strip_prefix("SCHILY.xattr."));
        let Some(name) = name else { continue };
        let user = name.starts_with("user.") && !name.starts_with("user.overlay.");
        if user || (is_root && name == "security.capability") {
            found.push((name.to_owned(), extension.value_bytes().to_vec()));
        }
    }
    Ok(found)
}

fn set_time(above: impl AsFd, name: &OsStr, seconds: i64) -> Result<(), Unpacking> {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(above, name, &times, AtFlags::SYMLINK_NOFOLLOW).doing_to("set the time of", name)?;
    Ok(())
}

fn refused_path(fault: &Fault) -> Unpacking {
    Unpacking::Layer(format!("its folder cannot be made: {}", fault.source))
}
