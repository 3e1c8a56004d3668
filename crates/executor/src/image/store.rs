//! Unpacked layers, each once, in a folder named after its digest.

use super::{
    Digest, Progress,
    fetch::{Arrival, Failed, Fetch},
    layer::{self, Unpacking},
    manifest::{Blob, Source},
};
use crate::{Fault, fault::Doing, sandbox::remove_tree};
use rustix::fs::syncfs;
use sha2::{Digest as _, Sha256};
use std::{
    ffi::OsStr,
    fs::{self, File, TryLockError},
    io::{self, BufReader, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// How often it is looked whether somebody else has brought a layer in.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The layers of all images. Several services may share the folder.
#[derive(Debug)]
pub(super) struct LayerStore {
    layers: PathBuf,
    /// Layers that are not whole yet, each in the hands of whoever holds its file's lock.
    parts: PathBuf,
    at_once_max: usize,
    reserve_bytes: u64,
}

/// How much of a new layer's archive is read at a time.
const NEW_PIECE_BYTES: usize = 256 << 10;

/// A layer that was made here, unpacked, and not yet kept. It is gone when this is dropped.
#[derive(Debug)]
pub(super) struct NewLayer {
    half: Half,
    /// The digest of its archive.
    pub digest: Digest,
    /// The bytes of its archive.
    pub bytes: u64,
}

/// A folder that is removed unless it has another name by then.
#[derive(Debug)]
struct Half(PathBuf);

impl Drop for Half {
    fn drop(&mut self) {
        // What stays is taken away with other parts, when images are collected.
        let _ = remove(&self.0);
    }
}

/// What is read, hashed.
struct Hashed<'a> {
    archive: &'a mut dyn Read,
    hash: Sha256,
    bytes: u64,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.archive.read(buffer)?;
        self.hash.update(&buffer[..length]);
        self.bytes += length as u64;
        Ok(length)
    }
}

impl LayerStore {
    /// The layers below a folder. They leave a reserve of its disk free.
    pub(super) fn open(
        folder: &Path,
        at_once_max: usize,
        reserve_bytes: u64,
    ) -> Result<Self, Fault> {
        let [layers, parts] = ["layers", "parts"].map(|name| folder.join(name));
        for folder in [&layers, &parts] {
            fs::create_dir_all(folder).doing_to("make the folder", folder)?;
        }
        Ok(Self { layers, parts, at_once_max: at_once_max.max(1), reserve_bytes })
    }

    /// A layer's folder.
    pub(super) fn place(&self, digest: &Digest) -> PathBuf {
        self.layers.join(digest.short())
    }

    /// A short name for the folder, the same for as long as it is.
    pub(super) fn instance(&self) -> Result<String, Fault> {
        let found = fs::metadata(&self.layers).doing_to("look at", &self.layers)?;
        Ok(format!("{:x}-{:x}", found.dev(), found.ino()))
    }

    /// Brings in those of an image's layers that are not there.
    pub(super) fn bring(
        &self,
        source: &dyn Source,
        layers: &[Blob],
        progress: &Progress,
    ) -> Result<(), Failed> {
        progress.expect(layers.iter().map(|layer| layer.size).sum());
        let mut missing = Vec::new();
        for blob in layers {
            let digest = blob.digest(source).map_err(Failed::ForGood)?;
            match self.place(&digest).exists() {
                true => progress.found(blob.size),
                false => missing.push((blob, digest)),
            }
        }
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
        let unpacked = Unpacked { store: self, layers: Mutex::default() };
        let work = || {
            while let Some((blob, digest)) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = self.layer(source, (blob, digest), (&unpacked, progress)) {
                    next.store(missing.len(), Ordering::Relaxed);
                    failed.lock().expect("no holder of this lock panics").get_or_insert(error);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.at_once_max.min(missing.len()) {
                scope.spawn(work);
            }
            work();
        });
        // Also those of an image that failed: the next time they are there.
        let kept = unpacked.keep();
        match failed.into_inner().expect("no holder of this lock panics") {
            Some(error) => Err(error),
            None => Ok(kept?),
        }
    }

    /// Makes all that was written reach the disk.
    fn sync(&self) -> Result<(), Fault> {
        let folder = File::open(&self.layers).doing_to("open", &self.layers)?;
        syncfs(&folder).doing_to("write to the disk", &self.layers)
    }

    /// Makes the names of layers reach the disk.
    fn sync_names(&self) -> Result<(), Fault> {
        let folder = File::open(&self.layers);
        folder.and_then(|folder| folder.sync_all()).doing_to("write to the disk", &self.layers)
    }

    /// The folders of an image's layers, the uppermost first, if all of them are there.
    pub(super) fn folders(&self, layers: &[Digest]) -> Result<Option<Vec<PathBuf>>, Fault> {
        let mut folders: Vec<PathBuf> = Vec::new();
        // A layer that lies there twice has its say where it is uppermost.
        for digest in layers.iter().rev() {
            let place = self.place(digest);
            if !folders.contains(&place) {
                if !place.exists() {
                    return Ok(None);
                }
                folders.push(place);
            }
        }
        if folders.is_empty() {
            let nothing = self.layers.join("nothing");
            fs::create_dir_all(&nothing).doing_to("make the folder", &nothing)?;
            folders.push(nothing);
        }
        Ok(Some(folders))
    }

    /// The folders of all layers.
    pub(super) fn all(&self) -> Result<Vec<PathBuf>, Fault> {
        let entries = fs::read_dir(&self.layers).doing_to("list", &self.layers)?;
        let folders = entries.map(|entry| entry.map(|entry| entry.path()));
        folders.collect::<Result<_, _>>().doing_to("list", &self.layers)
    }

    /// Where a layer is put that goes.
    pub(super) fn aside(&self, name: &OsStr) -> PathBuf {
        self.parts.join(name).with_extension("gone")
    }

    /// A name for a file that is needed for a while.
    pub(super) fn spool(&self) -> PathBuf {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        self.parts.join(format!("{}.{count}.spool", std::process::id()))
    }

    /// Unpacks an archive whose digest is known only when it was read.
    pub(super) fn unpack_new(&self, archive: &mut dyn Read) -> Result<NewLayer, Unpacking> {
        let half = Half(self.spool().with_extension("half"));
        let hashed = Hashed { archive, hash: Sha256::new(), bytes: 0 };
        let mut archive = BufReader::with_capacity(NEW_PIECE_BYTES, hashed);
        layer::unpack(&mut archive, &half.0, self.reserve_bytes)?;
        let broken = |error: io::Error| Unpacking::Layer(error.to_string());
        io::copy(&mut archive, &mut io::sink()).map_err(broken)?;
        let Hashed { hash, bytes, .. } = archive.into_inner();
        Ok(NewLayer { half, digest: Digest::finished(hash), bytes })
    }

    /// Keeps a new layer, unless it is there.
    pub(super) fn keep_new(&self, layer: &NewLayer) -> Result<(), Fault> {
        let place = self.place(&layer.digest);
        self.sync()?;
        match fs::rename(&layer.half.0, &place) {
            Err(_) if place.exists() => Ok(()),
            moved => moved.doing_to("keep the layer", &place).and_then(|()| self.sync_names()),
        }
    }

    /// Removes what was not finished, or set aside. Nobody may be bringing in anything.
    pub(super) fn clear_parts(&self) -> Result<(), Fault> {
        super::collect::clear(&self.parts)
    }

    /// Fetches and unpacks a layer, and leaves it with those that are to be kept.
    fn layer<'s>(
        &'s self,
        source: &dyn Source,
        (blob, digest): (&Blob, &Digest),
        (unpacked, progress): (&Unpacked<'s>, &Progress),
    ) -> Result<(), Failed> {
        let place = self.place(digest);
        let file = self.parts.join(digest.digits());
        let Some(part) = self.claim((source, progress), &file, &place, unpacked)? else {
            progress.found(blob.size);
            return Ok(());
        };
        let half = self.parts.join(format!("{}.half", digest.short()));
        let reserve_bytes = self.reserve_bytes;
        let fetch = Fetch { source, blob, digest, part: &part, reserve_bytes, progress };
        let mut done = remove(&half)
            .doing_to("remove", &half)
            .map_err(Failed::from)
            .and_then(|()| fetch.unpack(&half));
        if let Ok(Arrival::Stale) = done {
            // What was kept is of no use: from the beginning, once.
            progress.lost(blob.size);
            remove(&half).doing_to("remove", &half)?;
            part.set_len(0).doing_to("empty", &file)?;
            done = fetch.unpack(&half);
        }
        match done {
            Ok(_) => {
                unpacked.add(Ready { half, place, file, _part: part });
                Ok(())
            }
            Err(failed) => {
                remove(&half).doing_to("remove", &half)?;
                let is_kept = matches!(failed, Failed::Interrupted(_))
                    && source.is_far()
                    && part.metadata().is_ok_and(|part| (1..blob.size).contains(&part.len()));
                if !is_kept {
                    fs::remove_file(&file).doing_to("remove", &file)?;
                }
                Err(failed)
            }
        }
    }

    /// The layer's file, for this process alone; none when somebody else has brought the layer in.
    fn claim(
        &self,
        (source, progress): (&dyn Source, &Progress),
        file: &Path,
        place: &Path,
        unpacked: &Unpacked<'_>,
    ) -> Result<Option<File>, Failed> {
        loop {
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(false);
            let part = options.open(file).doing_to("open", file)?;
            match part.try_lock() {
                Ok(()) if place.exists() => {
                    if is_still(&part, file) {
                        fs::remove_file(file).doing_to("remove", file)?;
                    }
                    return Ok(None);
                }
                Ok(()) if is_still(&part, file) => return Ok(Some(part)),
                // Whoever had it has failed and removed it.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    // Whoever has it may wait for one of these.
                    unpacked.keep()?;
                    thread::sleep(LOOK_AGAIN);
                }
                Err(TryLockError::Error(error)) => Err(error).doing_to("lock", file)?,
            }
            if progress.is_cancelled() {
                return Err(Failed::Interrupted(source.unusable("it is not wanted any more")));
            }
        }
    }
}

/// A layer that was unpacked, verified, and has no name yet.
struct Ready {
    half: PathBuf,
    place: PathBuf,
    file: PathBuf,
    /// Whose lock keeps others from the layer.
    _part: File,
}

/// The layers of an image that wait for their names: they are given them together, once all of what
/// is in them has reached the disk. A name that outlives a power failure is a layer's that did, too.
struct Unpacked<'a> {
    store: &'a LayerStore,
    layers: Mutex<Vec<Ready>>,
}

impl Unpacked<'_> {
    fn add(&self, layer: Ready) {
        self.layers.lock().expect("no holder of this lock panics").push(layer);
    }

    fn keep(&self) -> Result<(), Fault> {
        let ready =
            std::mem::take(&mut *self.layers.lock().expect("no holder of this lock panics"));
        if ready.is_empty() {
            return Ok(());
        }
        self.store.sync()?;
        for Ready { half, place, file, .. } in &ready {
            fs::rename(half, place).doing_to("keep the layer", place)?;
            fs::remove_file(file).doing_to("remove", file)?;
        }
        self.store.sync_names()
    }
}

/// Whether an open file is still the one that has this name.
fn is_still(opened: &File, name: &Path) -> bool {
    match (opened.metadata(), fs::metadata(name)) {
        (Ok(opened), Ok(named)) => opened.ino() == named.ino(),
        _ => false,
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    if folder.exists() { remove_tree(folder) } else { Ok(()) }
}
