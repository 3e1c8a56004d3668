//! The folder: where a blob's file lies, who is reading it, and when it goes away.

use super::error::Fault;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;

/// The files under the store's folder.
///
/// A file lies in `incoming/` until the row that names it is committed, then moves to
/// `data/<2 hex>/`. Readers look in both, so the move needs neither a lock nor an fsync.
pub(super) struct Files {
    root: PathBuf,
    /// Held for reading from the look-up of a row until its files are pinned, for writing while a
    /// file is removed: a file that a row has just named cannot go before it is pinned.
    lookups: RwLock<()>,
    pins: Mutex<HashMap<String, Pinned>>,
    /// Files that are gone, whose garbage rows can be deleted with the next transaction.
    removed: Mutex<Vec<String>>,
    work: Mutex<Option<Sender<Work>>>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Pinned {
    readers: usize,
    doomed: bool,
}

enum Work {
    Adopt(String),
    Remove(String),
}

impl Files {
    /// Makes the folders and starts the thread that moves and removes files.
    pub(super) fn open(root: &Path) -> Result<Arc<Self>, Fault> {
        for folder in [root.join("incoming"), root.join("data")] {
            std::fs::create_dir_all(&folder).map_err(Fault::file("create", folder))?;
        }
        let (sender, receiver) = channel();
        let files = Arc::new(Self {
            root: root.to_path_buf(),
            lookups: RwLock::new(()),
            pins: Mutex::default(),
            removed: Mutex::default(),
            work: Mutex::new(Some(sender)),
            worker: Mutex::default(),
        });
        let folder = Arc::clone(&files);
        let worker = std::thread::Builder::new()
            .name("object-files".into())
            .spawn(move || {
                for work in receiver {
                    match work {
                        Work::Adopt(file) => folder.move_in(&file),
                        Work::Remove(file) => folder.remove(file),
                    }
                }
            })
            .map_err(Fault::file("start the thread for", root))?;
        *lock(&files.worker) = Some(worker);
        Ok(files)
    }

    /// Waits for the files' thread to finish what it was told.
    pub(super) fn close(&self) {
        lock(&self.work).take();
        if let Some(worker) = lock(&self.worker).take() {
            let _ = worker.join();
        }
    }

    /// Returns the names of the files that no committed row is known to name.
    pub(super) fn incoming(&self) -> Result<Vec<String>, Fault> {
        let folder = self.root.join("incoming");
        let read = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in std::fs::read_dir(&folder)? {
                names.extend(entry?.file_name().into_string());
            }
            Ok(names)
        };
        read().map_err(Fault::file("list", &folder))
    }

    /// Creates a file under a name of its own.
    pub(super) fn create(&self) -> Result<(String, File), Fault> {
        let name = uuid::Uuid::new_v4().simple().to_string();
        let path = self.incoming_path(&name);
        let file = File::create_new(&path).map_err(Fault::file("create", path))?;
        Ok((name, file))
    }

    /// Makes the file's bytes and its name durable.
    pub(super) fn sync(&self, name: &str, file: &File) -> Result<(), Fault> {
        file.sync_data().map_err(Fault::file("sync", self.incoming_path(name)))?;
        let folder = self.root.join("incoming");
        let sync = || File::open(&folder)?.sync_all();
        sync().map_err(Fault::file("sync", &folder))
    }

    /// Removes a file that no row ever named.
    pub(super) fn discard(&self, name: &str) {
        let path = self.incoming_path(name);
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "cannot remove an unused file");
        }
    }

    /// Moves a file whose row is committed to its lasting place, later.
    pub(super) fn adopt(&self, name: String) {
        self.send(Work::Adopt(name));
    }

    /// Removes a file that no row names any more, once nobody reads it.
    pub(super) fn doom(&self, name: String) {
        if let Some(pinned) = lock(&self.pins).get_mut(&name) {
            pinned.doomed = true;
            return;
        }
        self.send(Work::Remove(name));
    }

    /// Returns the files removed since the last call.
    pub(super) fn take_removed(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.removed))
    }

    /// Keeps every file from being removed until the guard is dropped.
    pub(super) fn look_up(&self) -> RwLockReadGuard<'_, ()> {
        self.lookups.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps one file until the pin is dropped; call it under [`Files::look_up`].
    pub(super) fn pin(self: &Arc<Self>, name: &str) -> Pin {
        lock(&self.pins).entry(name.to_owned()).or_default().readers += 1;
        Pin { files: Arc::clone(self), name: name.to_owned() }
    }

    fn send(&self, work: Work) {
        if let Some(sender) = lock(&self.work).as_ref() {
            // The receiver lives as long as the sender; what is lost here is found at the start.
            let _ = sender.send(work);
        }
    }

    fn move_in(&self, name: &str) {
        let to = self.data_path(name);
        let from = self.incoming_path(name);
        let moved = std::fs::rename(&from, &to).or_else(|_| {
            std::fs::create_dir_all(to.parent().expect("a data file has a folder"))?;
            std::fs::rename(&from, &to)
        });
        if let Err(error) = moved {
            tracing::warn!(path = %from.display(), %error, "cannot move an object's file");
        }
    }

    fn remove(&self, name: String) {
        let _alone = self.lookups.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(pinned) = lock(&self.pins).get_mut(&name) {
            pinned.doomed = true;
            return;
        }
        for path in [self.data_path(&name), self.incoming_path(&name)] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "cannot remove a file");
                    return;
                }
                _ => {}
            }
        }
        lock(&self.removed).push(name);
    }

    fn unpin(&self, name: &str) {
        let mut pins = lock(&self.pins);
        let Some(pinned) = pins.get_mut(name) else { return };
        pinned.readers -= 1;
        if pinned.readers == 0 {
            let doomed = pinned.doomed;
            pins.remove(name);
            drop(pins);
            if doomed {
                self.send(Work::Remove(name.to_owned()));
            }
        }
    }

    fn incoming_path(&self, name: &str) -> PathBuf {
        self.root.join("incoming").join(name)
    }

    fn data_path(&self, name: &str) -> PathBuf {
        let folder = name.get(..2).unwrap_or("00");
        self.root.join("data").join(folder).join(name)
    }
}

/// A promise that a file stays while this value lives.
pub(super) struct Pin {
    files: Arc<Files>,
    name: String,
}

impl Pin {
    /// Opens the file, wherever it lies at the moment.
    pub(super) fn open(&self) -> io::Result<File> {
        let data = self.files.data_path(&self.name);
        File::open(&data)
            .or_else(|_| File::open(self.files.incoming_path(&self.name)))
            .or_else(|_| File::open(&data))
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.files.unpin(&self.name);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
