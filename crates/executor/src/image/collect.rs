//! What is there, and what may go: images by name, layers that no image needs, and who uses which.

use super::{
    Digest, Images,
    record::{Kept, Named, Origin},
};
use crate::{Fault, fault::Doing, sandbox::remove_tree};
use rustix::fs::{AtFlags, CWD, statat};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashSet,
    ffi::OsString,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// How long a claim counts before its container's folder is there.
const NEW: Duration = Duration::from_secs(60);

/// An image that this machine has, under one of its names.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedImage {
    /// The name.
    pub name: String,
    /// The manifest of this machine's variant.
    pub manifest: Digest,
    /// What the name pointed to in its registry.
    pub pointed_to: Digest,
    /// Where it comes from.
    pub origin: Origin,
    /// When it was brought in, in seconds since 1970.
    pub brought_in_at: u64,
    /// When a container was made from it last, or it was brought in, in seconds since 1970.
    pub used_at: u64,
    /// Bytes of its layers, as they travel.
    pub bytes: u64,
    /// Its layers, the lowest first.
    pub layers: Vec<Digest>,
}

/// What went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Names that are no more.
    pub names: Vec<String>,
    /// How many layers went.
    pub layers: usize,
    /// Bytes on the disk that they took.
    pub bytes: u64,
}

/// A container's claim on layers.
#[derive(Serialize, Deserialize)]
struct Use {
    /// The container's folder: once it is gone, the claim is none.
    container: PathBuf,
    layers: Vec<OsString>,
}

/// As long as this is held, nothing is collected.
#[derive(Debug)]
pub(crate) struct Hold {
    _file: File,
}

/// The folder of claims, and the lock between those who bring in and those who collect.
#[derive(Debug)]
pub(super) struct Uses {
    folder: PathBuf,
    lock: PathBuf,
}

impl Uses {
    /// The claims below a folder.
    pub(super) fn open(folder: &Path) -> Result<Self, Fault> {
        let uses = folder.join("uses");
        fs::create_dir_all(&uses).doing_to("make the folder", &uses)?;
        Ok(Self { folder: uses, lock: folder.join("lock") })
    }

    /// Keeps everything as long as it is held.
    pub(super) fn hold(&self) -> Result<Hold, Fault> {
        let file = self.open_lock()?;
        file.lock_shared().doing_to("lock", &self.lock)?;
        Ok(Hold { _file: file })
    }

    /// Claims layers for a container, which is known by its folder.
    pub(super) fn claim(&self, container: &Path, layers: &[PathBuf]) -> Result<(), Fault> {
        let names = layers.iter().filter_map(|layer| layer.file_name());
        let used = Use {
            container: container.to_owned(),
            layers: names.map(|name| name.to_owned()).collect(),
        };
        let file = self.file(container);
        let text = serde_json::to_vec(&used).map_err(io::Error::from);
        text.and_then(|text| fs::write(&file, text)).doing_to("write", &file)
    }

    /// Gives up what a container has claimed.
    pub(super) fn release(&self, container: &Path) {
        // A claim that stays is none as soon as the container's folder is gone.
        let _ = fs::remove_file(self.file(container));
    }

    fn file(&self, container: &Path) -> PathBuf {
        self.folder.join(Digest::of(container.as_os_str().as_encoded_bytes()).short())
    }

    fn open_lock(&self) -> Result<File, Fault> {
        let mut options = File::options();
        options.write(true).create(true).truncate(false);
        options.open(&self.lock).doing_to("open", &self.lock)
    }

    /// The layers that containers have claimed; what others left behind is taken away.
    fn claimed(&self) -> Result<HashSet<OsString>, Fault> {
        let mut claimed = HashSet::new();
        for entry in fs::read_dir(&self.folder).doing_to("list", &self.folder)? {
            let file = entry.doing_to("list", &self.folder)?.path();
            let Ok(text) = fs::read(&file) else { continue };
            let modified = fs::metadata(&file).and_then(|found| found.modified());
            let age = modified.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
            let is_new = age.is_none_or(|age| age < NEW);
            match serde_json::from_slice::<Use>(&text) {
                Ok(used) if is_new || used.container.exists() => claimed.extend(used.layers),
                Ok(_) | Err(_) => fs::remove_file(&file).doing_to("remove", &file)?,
            }
        }
        Ok(claimed)
    }
}

impl Images {
    /// All images, by their names.
    pub fn list(&self) -> Result<Vec<ListedImage>, Fault> {
        let mut listed = Vec::new();
        for named in self.inner.records.names()? {
            if let Some(kept) = self.inner.records.image(&named.manifest)? {
                listed.push(self.listed(named, &kept)?);
            }
        }
        Ok(listed)
    }

    /// The image with this name, and its configuration as it came.
    pub fn inspect(&self, name: &str) -> Result<Option<(ListedImage, String)>, Fault> {
        let Some(named) = self.inner.records.name(name)? else { return Ok(None) };
        let Some(kept) = self.inner.records.image(&named.manifest)? else { return Ok(None) };
        let listed = self.listed(named, &kept)?;
        Ok(Some((listed, kept.configuration)))
    }

    /// Takes a name away, and what nothing else needs; none when there is no such name.
    pub fn remove(&self, name: &str) -> Result<Option<Collected>, Fault> {
        if self.inner.records.name(name)?.is_none() {
            return Ok(None);
        }
        let lock = self.lock()?;
        self.inner.records.forget_name(name)?;
        let mut collected = self.collect(&lock)?;
        collected.names.push(name.to_owned());
        Ok(Some(collected))
    }

    /// Takes away what no name and no container needs; with it, names that have not been used for
    /// so long.
    pub fn prune(&self, unused_for: Option<Duration>) -> Result<Collected, Fault> {
        let lock = self.lock()?;
        let mut names = Vec::new();
        if let Some(unused_for) = unused_for {
            for named in self.inner.records.names()? {
                let used = self.inner.records.used_at(&named.manifest);
                let age =
                    used.map(|used| SystemTime::now().duration_since(used).unwrap_or_default());
                if age.is_ok_and(|age| age >= unused_for) {
                    self.inner.records.forget_name(&named.name)?;
                    names.push(named.name);
                }
            }
        }
        Ok(Collected { names, ..self.collect(&lock)? })
    }

    /// Keeps everything as long as it is held.
    pub(crate) fn hold(&self) -> Result<Hold, Fault> {
        self.inner.uses.hold()
    }

    /// Whether there is an image with this manifest.
    pub(crate) fn knows(&self, manifest: &Digest) -> Result<bool, Fault> {
        Ok(self.inner.records.image(manifest)?.is_some())
    }

    /// Waits until nothing is being brought in, and keeps it so.
    pub(crate) fn lock(&self) -> Result<File, Fault> {
        let file = self.inner.uses.open_lock()?;
        file.lock().doing_to("lock", &self.inner.uses.lock)?;
        Ok(file)
    }

    /// Takes away what nothing needs, unless something is being brought in.
    pub(super) fn try_collect(&self) -> Result<(), Fault> {
        let file = self.inner.uses.open_lock()?;
        match file.try_lock() {
            Ok(()) => self.collect(&file).map(drop),
            Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Error(error)) => Err(error).doing_to("lock", &self.inner.uses.lock),
        }
    }

    fn collect(&self, _lock: &File) -> Result<Collected, Fault> {
        let records = &self.inner.records;
        let named: HashSet<Digest> = records.names()?.into_iter().map(|n| n.manifest).collect();
        let mut needed = self.inner.uses.claimed()?;
        for kept in records.images()? {
            if named.contains(&kept.manifest) {
                needed.extend(kept.digests()?.iter().map(|layer| layer.short().into()));
            } else {
                records.forget_image(&kept.manifest)?;
            }
        }
        let mut collected = Collected::default();
        for place in self.inner.layers.all()? {
            let name = place.file_name().unwrap_or_default().to_owned();
            if !needed.contains(&name) {
                collected.bytes += bytes_on_disk(&place);
                // Away from its name first: half a layer must not be taken for a whole one.
                let gone = self.inner.layers.aside(&name);
                fs::rename(&place, &gone).doing_to("remove", &place)?;
                collected.layers += 1;
            }
        }
        self.inner.layers.clear_parts()?;
        Ok(collected)
    }

    fn listed(&self, named: Named, kept: &Kept) -> Result<ListedImage, Fault> {
        let used = self.inner.records.used_at(&named.manifest)?;
        let used = used.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(ListedImage {
            name: named.name,
            manifest: named.manifest,
            pointed_to: named.pointed_to,
            origin: named.origin,
            brought_in_at: named.at,
            used_at: used.as_secs(),
            bytes: kept.bytes(),
            layers: kept.digests()?,
        })
    }
}

/// What a tree takes on the disk; what cannot be looked at counts as nothing.
fn bytes_on_disk(folder: &Path) -> u64 {
    let mut bytes = 0;
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if let Ok(found) = statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW) {
                bytes += u64::try_from(found.st_blocks).unwrap_or(0) * 512;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(path);
            }
        }
    }
    bytes
}

/// Removes all that is in a folder of unfinished things.
pub(super) fn clear(folder: &Path) -> Result<(), Fault> {
    for entry in fs::read_dir(folder).doing_to("list", folder)? {
        let entry = entry.doing_to("list", folder)?;
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed =
            if is_folder { remove_tree(&entry.path()) } else { fs::remove_file(entry.path()) };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.doing_to("remove", entry.path())?,
        }
    }
    Ok(())
}
