//! What is kept of images beside their layers: names, and what each image is made of. A file each,
//! written whole or not at all.

use super::{
    Digest, ImageSettings,
    manifest::{Blob, Configuration},
};
use crate::{Fault, fault::Doing};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// An image that is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Its manifest, which it is known by.
    pub manifest: Digest,
    /// Its layers, the lowest first.
    pub layers: Vec<Blob>,
    /// Its configuration, as it came.
    pub configuration: String,
}

/// A name of an image that is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Named {
    /// The name.
    pub name: String,
    /// What the name pointed to, in the registry: a manifest or an index.
    pub pointed_to: Digest,
    /// This machine's variant of it.
    pub manifest: Digest,
    /// Where it comes from.
    pub origin: Origin,
    /// When it was brought in, in seconds since 1970.
    pub at: u64,
    /// Whose credentials it may be had with: who has one of these has been let in by the registry.
    /// Empty for an image that everybody may have.
    #[serde(default)]
    pub keys: Vec<String>,
}

/// Where a kept image comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A registry, which may have another by now.
    Registry,
    /// An archive, a folder, or another program's store.
    Import,
    /// A recipe of our own.
    Recipe,
}

impl Kept {
    /// The digests of its layers, the lowest first.
    pub(super) fn digests(&self) -> Result<Vec<Digest>, Fault> {
        let parse = |blob: &Blob| {
            blob.digest
                .parse()
                .map_err(|error: String| Fault::because("read an image's record", error))
        };
        self.layers.iter().map(parse).collect()
    }

    /// What it says about its processes.
    pub(super) fn settings(&self) -> Result<ImageSettings, Fault> {
        let configuration: Configuration = serde_json::from_str(&self.configuration)
            .map_err(io::Error::from)
            .doing("read an image's configuration")?;
        Ok(configuration.settings())
    }

    /// Bytes of its layers, as they travel.
    pub(super) fn bytes(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }
}

/// The files of what is kept.
#[derive(Debug)]
pub(super) struct Records {
    names: PathBuf,
    images: PathBuf,
}

impl Records {
    /// The records below a folder.
    pub(super) fn open(folder: &Path) -> Result<Self, Fault> {
        let [names, images] = ["names", "manifests"].map(|name| folder.join(name));
        for folder in [&names, &images] {
            fs::create_dir_all(folder).doing_to("make the folder", folder)?;
        }
        Ok(Self { names, images })
    }

    /// The image with this manifest.
    pub(super) fn image(&self, manifest: &Digest) -> Result<Option<Kept>, Fault> {
        read(&self.image_file(manifest))
    }

    /// What has this name.
    pub(super) fn name(&self, name: &str) -> Result<Option<Named>, Fault> {
        read(&self.name_file(name))
    }

    /// Keeps an image.
    pub(super) fn keep_image(&self, image: &Kept) -> Result<(), Fault> {
        write(&self.image_file(&image.manifest), image)
    }

    /// Gives a name to an image.
    pub(super) fn keep_name(&self, named: &Named) -> Result<(), Fault> {
        write(&self.name_file(&named.name), named)
    }

    /// Takes a name away.
    pub(super) fn forget_name(&self, name: &str) -> Result<(), Fault> {
        forget(&self.name_file(name))
    }

    /// Forgets an image.
    pub(super) fn forget_image(&self, manifest: &Digest) -> Result<(), Fault> {
        forget(&self.image_file(manifest))
    }

    /// All names, in their order.
    pub(super) fn names(&self) -> Result<Vec<Named>, Fault> {
        let mut names: Vec<Named> = all(&self.names)?;
        names.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(names)
    }

    /// All images.
    pub(super) fn images(&self) -> Result<Vec<Kept>, Fault> {
        all(&self.images)
    }

    /// Notes that an image is used now.
    pub(super) fn touch(&self, manifest: &Digest) {
        // An image that cannot be touched is used all the same.
        let _ = fs::File::open(self.image_file(manifest))
            .and_then(|file| file.set_modified(SystemTime::now()));
    }

    /// When an image was used last.
    pub(super) fn used_at(&self, manifest: &Digest) -> Result<SystemTime, Fault> {
        let file = self.image_file(manifest);
        fs::metadata(&file).and_then(|found| found.modified()).doing_to("look at", &file)
    }

    fn image_file(&self, manifest: &Digest) -> PathBuf {
        self.images.join(format!("{}.json", manifest.digits()))
    }

    /// Names have characters that files must not have.
    fn name_file(&self, name: &str) -> PathBuf {
        self.names.join(format!("{}.json", Digest::of(name.as_bytes()).short()))
    }
}

/// This moment, in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<Option<T>, Fault> {
    match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing_to("read", file),
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map_err(io::Error::from).doing_to("understand", file)
        }
    }
}

/// Writes a file whole or not at all, also when the power fails.
fn write<T: Serialize>(file: &Path, value: &T) -> Result<(), Fault> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    // Two who bring in one image write it at the same time.
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let new = file.with_extension(format!("{}.{count}.new", std::process::id()));
    let bytes = serde_json::to_vec_pretty(value).map_err(io::Error::from);
    let written = bytes.and_then(|bytes| {
        let mut opened = fs::File::create(&new)?;
        opened.write_all(&bytes)?;
        opened.sync_all()?;
        fs::rename(&new, file)?;
        fs::File::open(file.parent().unwrap_or(Path::new("/")))?.sync_all()
    });
    written.doing_to("write", file)
}

fn forget(file: &Path) -> Result<(), Fault> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.doing_to("remove", file),
    }
}

fn all<T: DeserializeOwned>(folder: &Path) -> Result<Vec<T>, Fault> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).doing_to("list", folder)? {
        let file = entry.doing_to("list", folder)?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            // It may be gone since.
            found.extend(read(&file)?);
        }
    }
    Ok(found)
}
