//! An image of this machine as the archive that container engines load images from.
//!
//! Its layers are packed anew from the folders that they were unpacked to, so that their digests, and
//! with them the engine's id of the image, are not those of the registry; the same image has the same
//! ones each time. Labels say which image it is.

use super::{
    Digest, Images, Progress, fetch::Failed, images::gone, layout::Layout, manifest::Blob, pack,
};
use crate::{Fault, Image, LaunchError, fault::Doing};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};
use tar::{Builder, Header};

/// The label that has the digest of an image's manifest.
pub(crate) const IMAGE_LABEL: &str = "buildyard.image";
/// The label that has the name by which the image was asked for when the engine was given it.
const NAME_LABEL: &str = "buildyard.name";
/// The label that tells whose images it is from.
pub(crate) const STORE_LABEL: &str = "buildyard.images";
/// The name of all such images in an engine: one that no registry has.
const REPOSITORY: &str = "localhost/buildyard";
/// What of an image's configuration is no matter of its processes: those are the agent's.
const KEPT: [&str; 5] = ["architecture", "os", "variant", "created", "author"];
/// How much of an archive is written at a time.
const PIECE_BYTES: usize = 64 << 10;

/// An image that an engine may be given.
#[derive(Clone, Debug)]
pub(crate) struct EngineImage {
    /// Its name, for people.
    pub(crate) name: String,
    /// Its manifest, which it is known by.
    pub(crate) manifest: Digest,
    layers: Vec<Digest>,
    configuration: Value,
    /// The folder in OCI layout that its layers are still to be brought in from.
    layout: Option<(PathBuf, Vec<Blob>)>,
}

impl EngineImage {
    /// The engine's name for it.
    pub(crate) fn tag(&self) -> String {
        format!("{REPOSITORY}:{}", self.manifest.digits())
    }
}

impl Images {
    /// What an engine is given for an image of this machine; none for one that is no image.
    pub(crate) fn for_engine(&self, image: &Image) -> Result<Option<EngineImage>, LaunchError> {
        let parse = |text: &[u8]| serde_json::from_slice(text).map_err(io::Error::from);
        let doing = "understand an image's configuration";
        match image {
            Image::Host | Image::Rootfs(_) => Ok(None),
            Image::OciLayout { folder, tag } => {
                let layout = Layout(folder);
                let contents = layout.find(tag.as_deref())?;
                let digests = contents.layers.iter().map(|layer| layer.digest(&layout));
                Ok(Some(EngineImage {
                    name: format!("oci:{}", folder.display()),
                    layers: digests.collect::<Result<_, _>>()?,
                    configuration: parse(&contents.configuration).doing(doing)?,
                    manifest: contents.manifest,
                    layout: Some((folder.clone(), contents.layers)),
                }))
            }
            Image::Stored(stored) => {
                let kept = self.inner.records.image(&stored.manifest)?;
                let kept = kept.ok_or_else(|| gone(stored))?;
                self.inner.records.touch(&kept.manifest);
                Ok(Some(EngineImage {
                    name: stored.name.clone(),
                    layers: kept.digests()?,
                    configuration: parse(kept.configuration.as_bytes()).doing(doing)?,
                    manifest: kept.manifest,
                    layout: None,
                }))
            }
        }
    }

    /// Writes the archive of an image. Blocks.
    pub(crate) fn write_archive(
        &self,
        image: &EngineImage,
        into: impl Write,
        progress: &Progress,
    ) -> Result<(), LaunchError> {
        let _hold = self.inner.uses.hold()?;
        if let Some((folder, blobs)) = &image.layout {
            let brought = self.inner.layers.bring(&Layout(folder), blobs, &Progress::default());
            brought.map_err(Failed::error)?;
        }
        let folders: Vec<PathBuf> =
            image.layers.iter().map(|layer| self.inner.layers.place(layer)).collect();
        if folders.iter().any(|folder| !folder.exists()) {
            let name = &image.name;
            return Err(LaunchError::Image(format!(
                "CannotPullContainerError: {name}: it was removed"
            )));
        }
        let lengths = folders.iter().map(|folder| pack::length(folder));
        let lengths = lengths.collect::<Result<Vec<u64>, _>>()?;
        progress.expect(lengths.iter().sum());
        let mut archive = Archive::new(Told { into, progress });
        for ((digest, folder), length) in image.layers.iter().zip(&folders).zip(lengths) {
            archive.layer(digest, folder, length)?;
        }
        Ok(archive.finish(image, &self.instance()?)?)
    }

    /// What tells these images' folder from those of other services, in an engine's labels.
    pub(crate) fn instance(&self) -> Result<String, Fault> {
        self.inner.layers.instance()
    }
}

/// An archive that is being written: the layers, then what is known only with their digests.
struct Archive<W: Write> {
    into: Builder<io::BufWriter<W>>,
    layers: Vec<Layer>,
}

#[derive(Clone)]
struct Layer {
    digest: Digest,
    /// Its name in the archive.
    name: String,
    /// The digest of its own archive.
    packed: Digest,
}

impl<W: Write> Archive<W> {
    fn new(into: W) -> Self {
        let into = Builder::new(io::BufWriter::with_capacity(PIECE_BYTES, into));
        Self { into, layers: Vec::new() }
    }

    /// Writes a layer, whose archive has this length, unless it is there.
    fn layer(&mut self, digest: &Digest, folder: &Path, length: u64) -> Result<(), Fault> {
        let doing = "pack a layer for a container engine";
        if let Some(layer) = self.layers.iter().find(|layer| layer.digest == *digest) {
            self.layers.push(layer.clone());
            return Ok(());
        }
        let name = format!("{}.tar", digest.digits());
        let mut header = header(length);
        header.set_path(&name).doing(doing)?;
        header.set_cksum();
        let into = self.into.get_mut();
        into.write_all(header.as_bytes()).doing(doing)?;
        let mut hashed = Hashed { into, hash: Sha256::new(), bytes: 0 };
        pack::pack(folder, &mut hashed)?;
        let Hashed { hash, bytes, .. } = hashed;
        if bytes != length {
            let reason = format!("{} has changed", folder.display());
            return Err(Fault::because(doing, reason));
        }
        let padding = usize::try_from(bytes.next_multiple_of(512) - bytes).unwrap_or_default();
        self.into.get_mut().write_all(&[0; 512][..padding]).doing(doing)?;
        let packed = Digest::finished(hash);
        self.layers.push(Layer { digest: digest.clone(), name, packed });
        Ok(())
    }

    fn finish(mut self, image: &EngineImage, instance: &str) -> Result<(), Fault> {
        let doing = "write an image's archive";
        let packed: Vec<&Digest> = self.layers.iter().map(|layer| &layer.packed).collect();
        let configuration = configuration(image, &packed, instance).to_string();
        let name = format!("{}.json", Digest::of(configuration.as_bytes()).digits());
        let names: Vec<&str> = self.layers.iter().map(|layer| layer.name.as_str()).collect();
        let manifest = json!([{"Config": name, "RepoTags": [image.tag()], "Layers": names}]);
        let manifest = manifest.to_string();
        for (name, text) in [(name.as_str(), &configuration), ("manifest.json", &manifest)] {
            let mut header = header(text.len() as u64);
            self.into.append_data(&mut header, name, text.as_bytes()).doing(doing)?;
        }
        let finished = self.into.into_inner().and_then(|mut into| into.flush());
        finished.doing(doing)
    }
}

/// What the engine is told of an image. What the image itself wants run, checked or kept in volumes
/// is left out: as elsewhere, it does not count.
fn configuration(image: &EngineImage, packed: &[&Digest], instance: &str) -> Value {
    let labels = image.configuration.pointer("/config/Labels").and_then(Value::as_object);
    let mut labels = labels.cloned().unwrap_or_default();
    let own = [
        (IMAGE_LABEL, image.manifest.to_string()),
        (NAME_LABEL, image.name.clone()),
        (STORE_LABEL, instance.to_owned()),
    ];
    labels.extend(own.map(|(label, value)| (label.to_owned(), value.into())));
    let mut told = json!({
        "config": {"Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": packed},
    });
    for name in KEPT {
        if let Some(value) = image.configuration.get(name) {
            told[name] = value.clone();
        }
    }
    told
}

fn header(bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o644);
    header
}

/// What is written, hashed.
struct Hashed<'a, W> {
    into: &'a mut W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.into.write(bytes)?;
        self.hash.update(&bytes[..length]);
        self.bytes += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is written, told to whoever watches.
struct Told<'a, W> {
    into: W,
    progress: &'a Progress,
}

impl<W: Write> Write for Told<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.into.write(bytes)?;
        self.progress.fetched(length as u64);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}
