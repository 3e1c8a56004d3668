//! The vault: seals values under a key that is made at the first need, and opens them again.

use super::{
    key_file::{self, KeyFileError},
    seal::{OpenError, Place, SealingKey},
};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
};
use store::{Collection, Fault, Store};
use thiserror::Error;
use tokio::sync::OnceCell;

/// Seals and opens values. Cloning gives another handle to the same vault.
#[derive(Clone, Debug)]
pub struct Vault {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    store: Store,
    /// The collections of records that hold sealed values.
    sealed: Vec<Collection>,
    key: OnceCell<SealingKey>,
}

/// Why a value cannot be sealed or opened.
#[derive(Debug, Error)]
pub enum VaultError {
    /// The key is gone, and what it sealed is still there.
    #[error(
        "find the key file {}, under which values are kept: put it back, or delete the values",
        path.display()
    )]
    Missing {
        /// Where the key file should be.
        path: PathBuf,
    },
    /// The key file is there and cannot be used.
    #[error("use the key file {}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The value was sealed under a key that is not the one in the file.
    #[error("open a value sealed under the key {sealed}: {} holds the key {held}", path.display())]
    OtherKey {
        /// The key file.
        path: PathBuf,
        /// The id of its key.
        held: String,
        /// The id of the key that is needed.
        sealed: String,
    },
    /// What is kept is not what was sealed for this place.
    #[error("open a sealed value, which is not what was kept here")]
    Broken,
    /// There is no randomness to seal with.
    #[error("draw a nonce")]
    Random(#[from] getrandom::Error),
    /// The store is broken.
    #[error(transparent)]
    Store(#[from] Fault),
}

/// The key file that belongs to a data folder unless the configuration says otherwise: beside the
/// folder, so that a copy of the folder is not a copy of the key.
pub fn key_file_beside(data_dir: &Path) -> Option<PathBuf> {
    let mut name: OsString = data_dir.file_name()?.to_owned();
    name.push(".key");
    Some(data_dir.with_file_name(name))
}

impl Vault {
    /// A vault whose key is in the file at `path`, for the values in these collections of `store`.
    pub fn new(path: PathBuf, store: Store, sealed: Vec<Collection>) -> Self {
        let inner = Inner { path, store, sealed, key: OnceCell::new() };
        Self { inner: Arc::new(inner) }
    }

    /// Says so if there are values that cannot be opened, without making a key.
    pub async fn check(&self) -> Result<(), VaultError> {
        match self.holds_values().await? {
            true => self.key().await.map(drop),
            false => Ok(()),
        }
    }

    /// Seals a value for a place.
    pub async fn seal(&self, place: Place<'_>, value: &[u8]) -> Result<String, VaultError> {
        Ok(self.key().await?.seal(place, value)?)
    }

    /// Opens what was sealed for the same place.
    pub async fn open(&self, place: Place<'_>, sealed: &str) -> Result<Vec<u8>, VaultError> {
        let key = self.key().await?;
        key.open(place, sealed).map_err(|error| match error {
            OpenError::Broken => VaultError::Broken,
            OpenError::OtherKey(sealed) => VaultError::OtherKey {
                path: self.inner.path.clone(),
                held: key.id().to_owned(),
                sealed,
            },
        })
    }

    async fn key(&self) -> Result<&SealingKey, VaultError> {
        self.inner.key.get_or_try_init(|| self.find_key()).await
    }

    /// Reads the key; makes one only when nothing can have been sealed under another.
    async fn find_key(&self) -> Result<SealingKey, VaultError> {
        let path = &self.inner.path;
        let unusable = |error: KeyFileError| VaultError::KeyFile {
            path: path.clone(),
            source: Box::new(error),
        };
        if let Some(key) = key_file::read(path).map_err(unusable)? {
            return Ok(key);
        }
        if self.holds_values().await? {
            return Err(VaultError::Missing { path: path.clone() });
        }
        let key = key_file::make(path).map_err(unusable)?;
        tracing::info!(file = %path.display(), "made the key that secrets are kept under");
        Ok(key)
    }

    async fn holds_values(&self) -> Result<bool, Fault> {
        for collection in &self.inner.sealed {
            if !self.inner.store.regions(*collection).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::{Vault, VaultError, key_file_beside};
    use std::{fs, path::Path};
    use store::{Change, Collection, Expect, Store};

    const VALUES: Collection = Collection::new("value");

    fn vault(folder: &Path, store: &Store) -> Vault {
        Vault::new(folder.join("data.key"), store.clone(), vec![VALUES])
    }

    async fn keep(store: &Store, document: String) {
        let put = Change::PutRecord {
            collection: VALUES,
            region: "us-east-1".into(),
            key: "a".into(),
            document,
            expect: Expect::Anything,
        };
        store.commit(vec![put]).await.unwrap();
    }

    #[tokio::test]
    async fn a_lost_key_is_said_and_no_other_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state.db")).unwrap();
        let sealed = vault(folder.path(), &store).seal(&["a"], b"value").await.unwrap();
        keep(&store, sealed.clone()).await;
        let file = folder.path().join("data.key");
        let (kept, gone) = (fs::read(&file).unwrap(), folder.path().join("elsewhere"));
        fs::rename(&file, &gone).unwrap();
        let without = vault(folder.path(), &store);
        for result in [
            without.check().await,
            without.open(&["a"], &sealed).await.map(drop),
            without.seal(&["b"], b"other").await.map(drop),
        ] {
            assert!(matches!(result, Err(VaultError::Missing { .. })), "{result:?}");
        }
        assert!(!file.exists());
        fs::rename(&gone, &file).unwrap();
        assert_eq!(without.open(&["a"], &sealed).await.unwrap(), b"value");
        assert_eq!(fs::read(&file).unwrap(), kept);
    }

    #[tokio::test]
    async fn the_wrong_key_is_told_apart_from_a_broken_value() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state.db")).unwrap();
        let sealed = vault(folder.path(), &store).seal(&["a"], b"value").await.unwrap();
        fs::remove_file(folder.path().join("data.key")).unwrap();
        let other = vault(folder.path(), &store);
        let opened = other.open(&["a"], &sealed).await;
        assert!(matches!(opened, Err(VaultError::OtherKey { .. })), "{opened:?}");
        let own = other.seal(&["a"], b"value").await.unwrap();
        assert!(matches!(other.open(&["b"], &own).await, Err(VaultError::Broken)));
    }

    #[test]
    fn the_key_stands_beside_the_data_folder() {
        let beside = key_file_beside(Path::new("/var/lib/buildyard"));
        assert_eq!(beside.as_deref(), Some(Path::new("/var/lib/buildyard.key")));
        assert_eq!(key_file_beside(Path::new("/")), None);
    }
}
