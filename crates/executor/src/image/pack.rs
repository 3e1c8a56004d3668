//! A layer's folder becomes an archive again, the same bytes each time: the way back from `layer`.

#[cfg(test)]
mod tests;

use super::layer::{OPAQUE, OPAQUE_ATTRIBUTES, WHITEOUT};
use crate::{Fault, fault::Doing};
use rustix::{
    fs::{lgetxattr, llistxattr},
    io::Errno,
};
use std::{
    collections::HashMap,
    ffi::OsString,
    fs::{self, File, Metadata},
    io::{self, Read, Write},
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};
use tar::{Builder, EntryType, Header};

/// The kernel gives no more, neither of names nor of a value.
const ATTRIBUTE_BYTES_MAX: usize = 64 << 10;

/// How long the archive of a layer's folder is. No file is read.
pub(super) fn length(folder: &Path) -> Result<u64, Fault> {
    let mut counter = Counter(0);
    Packing::new(folder, &mut counter, Contents::Unread).pack()?;
    Ok(counter.0)
}

/// Writes the archive of a layer's folder, in which nothing may change meanwhile.
pub(super) fn pack(folder: &Path, into: impl Write) -> Result<(), Fault> {
    Packing::new(folder, into, Contents::Read).pack()
}

/// What is written of files.
#[derive(Clone, Copy)]
enum Contents {
    /// What is in them.
    Read,
    /// As many bytes.
    Unread,
}

struct Packing<'a, W: Write> {
    folder: &'a Path,
    archive: Builder<W>,
    contents: Contents,
    /// The first names of files that have several, by device and number.
    names: HashMap<(u64, u64), PathBuf>,
    /// Room for attributes.
    buffer: Vec<u8>,
}

impl<'a, W: Write> Packing<'a, W> {
    fn new(folder: &'a Path, into: W, contents: Contents) -> Self {
        let buffer = vec![0; ATTRIBUTE_BYTES_MAX];
        Self { folder, archive: Builder::new(into), contents, names: HashMap::new(), buffer }
    }

    /// Writes all there is: each folder before what is in it, and that in the order of names.
    fn pack(mut self) -> Result<(), Fault> {
        let mut waiting = vec![PathBuf::from(".")];
        while let Some(path) = waiting.pop() {
            let there = self.folder.join(&path);
            let found = fs::symlink_metadata(&there).doing_to("look at", &there)?;
            self.entry(&path, &there, &found).doing_to("pack", &there)?;
            if found.is_dir() {
                let entries = fs::read_dir(&there).doing_to("list", &there)?;
                let names = entries.map(|entry| entry.map(|entry| path.join(entry.file_name())));
                let mut names = names.collect::<io::Result<Vec<_>>>().doing_to("list", &there)?;
                names.sort_unstable_by(|a, b| b.cmp(a));
                waiting.append(&mut names);
            }
        }
        let finished = self.archive.into_inner().and_then(|mut into| into.flush());
        finished.doing("end the archive of a layer")
    }

    fn entry(&mut self, path: &Path, there: &Path, found: &Metadata) -> io::Result<()> {
        let kind = found.file_type();
        if kind.is_dir() {
            self.plain(EntryType::Directory, path, found)?;
            return match self.is_opaque(there)? {
                true => self.nothing(&path.join(OPAQUE)),
                false => Ok(()),
            };
        }
        if kind.is_char_device() && found.rdev() == 0 {
            let mut name = OsString::from(WHITEOUT);
            name.push(path.file_name().unwrap_or_default());
            return self.nothing(&path.with_file_name(name));
        }
        if found.nlink() > 1
            && let Some(first) = self.names.get(&(found.dev(), found.ino()))
        {
            let mut header = header(EntryType::Link, found);
            return self.archive.append_link(&mut header, path, first);
        }
        if found.nlink() > 1 {
            self.names.insert((found.dev(), found.ino()), path.to_owned());
        }
        if kind.is_symlink() {
            let mut header = header(EntryType::Symlink, found);
            self.archive.append_link(&mut header, path, fs::read_link(there)?)
        } else if kind.is_fifo() {
            self.plain(EntryType::Fifo, path, found)
        } else if kind.is_file() {
            self.file(path, there, found)
        } else {
            Err(io::Error::other("no layer has such a file"))
        }
    }

    fn file(&mut self, path: &Path, there: &Path, found: &Metadata) -> io::Result<()> {
        let attributes = self.attributes(there)?;
        let named = attributes.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        self.archive.append_pax_extensions(named)?;
        let mut header = header(EntryType::Regular, found);
        header.set_size(found.len());
        match self.contents {
            Contents::Read => {
                let file = File::open(there)?.take(found.len());
                self.archive.append_data(&mut header, path, file)
            }
            Contents::Unread => {
                let as_many = io::repeat(0).take(found.len());
                self.archive.append_data(&mut header, path, as_many)
            }
        }
    }

    /// What has nothing in it but its name.
    fn plain(&mut self, kind: EntryType, path: &Path, found: &Metadata) -> io::Result<()> {
        self.archive.append_data(&mut header(kind, found), path, io::empty())
    }

    /// A mark for whoever unpacks.
    fn nothing(&mut self, path: &Path) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_size(0);
        header.set_mode(0o600);
        self.archive.append_data(&mut header, path, io::empty())
    }

    fn is_opaque(&mut self, folder: &Path) -> io::Result<bool> {
        for name in OPAQUE_ATTRIBUTES {
            match lgetxattr(folder, name, &mut *self.buffer) {
                Ok(length) if &self.buffer[..length] == b"y" => return Ok(true),
                // A file system without attributes has no folder of this kind.
                Ok(_) | Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    /// Those of a file's attributes that unpacking has given it, by the names that archives have for
    /// them.
    fn attributes(&mut self, file: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
        let length = match llistxattr(file, &mut *self.buffer) {
            Err(Errno::OPNOTSUPP) => 0,
            length => length?,
        };
        let names = self.buffer[..length].split(|byte| *byte == 0);
        let names = names.filter_map(|name| std::str::from_utf8(name).ok());
        let is_layers = |name: &&str| {
            let user = name.starts_with("user.") && !name.starts_with("user.overlay.");
            user || *name == "security.capability"
        };
        let mut names: Vec<String> = names.filter(is_layers).map(str::to_owned).collect();
        names.sort_unstable();
        let value = |name: String| {
            let length = lgetxattr(file, &*name, &mut *self.buffer)?;
            Ok((format!("SCHILY.xattr.{name}"), self.buffer[..length].to_vec()))
        };
        names.into_iter().map(value).collect()
    }
}

fn header(kind: EntryType, found: &Metadata) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_mode(found.mode() & 0o7777);
    header.set_uid(found.uid().into());
    header.set_gid(found.gid().into());
    header.set_mtime(u64::try_from(found.mtime()).unwrap_or_default());
    header
}

/// Counts what is written.
struct Counter(u64);

impl Write for &mut Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
