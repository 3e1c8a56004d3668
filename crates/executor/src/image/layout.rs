//! The OCI image layout: finding an image's documents and layers in a folder, by digest.

use super::{
    Digest,
    manifest::{self, Blob, Contents, DOCUMENT_BYTES_MAX, Index, Source},
};
use crate::LaunchError;
use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// The annotation that holds a tag.
pub(super) const TAG: &str = "org.opencontainers.image.ref.name";

/// A folder in OCI image layout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout<'a>(pub(super) &'a Path);

impl Layout<'_> {
    /// Finds the image with this tag, or the only one, for this machine.
    pub(super) fn find(self, tag: Option<&str>) -> Result<Contents, LaunchError> {
        manifest::resolve(&self, self.chosen(tag)?)
    }

    /// The image's entry in the folder's index.
    fn chosen(self, tag: Option<&str>) -> Result<Blob, LaunchError> {
        choose(&self, &self.index()?.manifests, tag)
    }

    /// All entries of the folder's index, each with its tag.
    pub(super) fn all(self) -> Result<Vec<(Option<String>, Blob)>, LaunchError> {
        let named = |blob: Blob| (blob.annotations.get(TAG).cloned(), blob);
        Ok(self.index()?.manifests.into_iter().map(named).collect())
    }

    fn index(self) -> Result<Index, LaunchError> {
        let file = self.0.join("index.json");
        serde_json::from_slice(&self.read(&file)?)
            .map_err(|error| self.unusable(&format!("{}: {error}", file.display())))
    }

    fn file(self, digest: &Digest) -> PathBuf {
        self.0.join("blobs/sha256").join(digest.digits())
    }

    fn read(self, file: &Path) -> Result<Vec<u8>, LaunchError> {
        let unreadable = |error| self.unusable(&format!("{}: {error}", file.display()));
        let bytes = fs::metadata(file).map_err(unreadable)?.len();
        if bytes > DOCUMENT_BYTES_MAX {
            return Err(self.unusable(&format!("{} has {bytes} bytes", file.display())));
        }
        fs::read(file).map_err(unreadable)
    }
}

impl Source for Layout<'_> {
    fn document(&self, blob: &Blob) -> Result<Vec<u8>, LaunchError> {
        self.read(&self.file(&blob.digest(self)?))
    }

    fn layer(&self, blob: &Blob, offset: u64) -> Result<Box<dyn Read + Send + '_>, LaunchError> {
        let file = self.file(&blob.digest(self)?);
        let opened = File::open(&file).and_then(|mut opened| {
            opened.seek(SeekFrom::Start(offset))?;
            Ok(opened)
        });
        match opened {
            Ok(opened) => Ok(Box::new(opened)),
            Err(error) => Err(self.unusable(&format!("{}: {error}", file.display()))),
        }
    }

    fn is_far(&self) -> bool {
        false
    }

    fn unusable(&self, reason: &str) -> LaunchError {
        LaunchError::Image(format!("the image in {} cannot be used: {reason}", self.0.display()))
    }
}

/// The entry of an index with this tag, or the only one.
fn choose(source: &dyn Source, manifests: &[Blob], tag: Option<&str>) -> Result<Blob, LaunchError> {
    let tags = || {
        let tags = manifests.iter().filter_map(|m| m.annotations.get(TAG));
        tags.map(String::as_str).collect::<Vec<_>>().join(", ")
    };
    match tag {
        Some(tag) => manifests
            .iter()
            .find(|manifest| manifest.annotations.get(TAG).is_some_and(|found| found == tag))
            .cloned()
            .ok_or_else(|| {
                source.unusable(&format!("there is no tag {tag:?}; there are: {}", tags()))
            }),
        None => match manifests {
            [one] => Ok(one.clone()),
            [] => Err(source.unusable("the layout holds no image")),
            _ => Err(source.unusable(&format!("it needs a tag; there are: {}", tags()))),
        },
    }
}
