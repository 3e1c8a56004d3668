//! Small files of images that are in place, read without a container.

use super::{Images, layout::Layout};
use crate::{Image, LaunchError, fault::Doing, inside::Inside};
use rustix::fs::{Mode, OFlags, open};
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// Larger files are none that say what an image is.
const TEXT_BYTES_MAX: u64 = 1 << 20;

impl Images {
    /// Whether an image is in place; no registry is asked.
    pub fn has(&self, image: &Image) -> Result<bool, LaunchError> {
        Ok(self.folders(image)?.is_some())
    }

    /// The text of a file, by its absolute path, in an image that is in place; none where it is not
    /// there, or is no text. The host's own is read for [`Image::Host`].
    pub fn text_in(&self, image: &Image, path: &str) -> Result<Option<String>, LaunchError> {
        for folder in self.folders(image)?.unwrap_or_default() {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let root = open(&folder, flags, Mode::empty()).doing_to("open", &folder)?;
            // What opens without waiting: a pipe of that name has nobody at its other end.
            let flags = OFlags::RDONLY | OFlags::NONBLOCK;
            let Ok(file) = Inside(root).open(Path::new(path), flags) else { continue };
            let file = File::from(file);
            if !file.metadata().is_ok_and(|found| found.is_file()) {
                continue;
            }
            let mut text = String::new();
            let read = file.take(TEXT_BYTES_MAX).read_to_string(&mut text);
            return Ok(read.is_ok().then_some(text));
        }
        Ok(None)
    }

    /// The folders of an image, the uppermost first; none when it is not in place.
    fn folders(&self, image: &Image) -> Result<Option<Vec<PathBuf>>, LaunchError> {
        let layers = &self.inner.layers;
        match image {
            Image::Host => Ok(Some(vec![PathBuf::from("/")])),
            Image::Rootfs(folder) => Ok(folder.is_dir().then(|| vec![folder.clone()])),
            Image::OciLayout { folder, tag } => {
                let layout = Layout(folder);
                let Ok(contents) = layout.find(tag.as_deref()) else { return Ok(None) };
                let digests: Result<Vec<_>, _> =
                    contents.layers.iter().map(|layer| layer.digest(&layout)).collect();
                Ok(layers.folders(&digests?)?)
            }
            Image::Stored(stored) => match self.inner.records.image(&stored.manifest)? {
                Some(kept) => Ok(layers.folders(&kept.digests()?)?),
                None => Ok(None),
            },
        }
    }
}
