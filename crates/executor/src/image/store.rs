//! Unpacked layers, each once, in a folder named after its digest.

use super::{
    ImageSettings, layer,
    layout::{Blob, Layout},
};
use crate::{Fault, LaunchError, fault::Doing, sandbox::RootFileSystem};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::Mutex,
};

/// How much of a digest is in a layer's folder's name: enough to be unique, and short, since the
/// kernel takes the names of all layers of an image in one page.
const NAME_DIGITS: usize = 24;
/// Layers of one image at most.
const LAYERS_MAX: usize = 120;

/// The layers of all images that were used.
#[derive(Debug)]
pub(crate) struct ImageStore {
    folder: PathBuf,
    /// One image is unpacked at a time, so that two who want it get it once.
    unpacking: Mutex<()>,
}

impl ImageStore {
    /// A store in this folder, which is made when the first image is unpacked.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, unpacking: Mutex::default() }
    }

    /// The file system of an image in a folder of OCI layout, unpacked when it is not yet.
    pub(crate) fn file_system(
        &self,
        folder: &Path,
        tag: Option<&str>,
    ) -> Result<RootFileSystem, LaunchError> {
        let layout = Layout(folder);
        let contents = layout.find(tag)?;
        if contents.layers.len() > LAYERS_MAX {
            let layers = contents.layers.len();
            return Err(layout.unusable(&format!("it has {layers} layers, over {LAYERS_MAX}")));
        }
        let mut layers: Vec<PathBuf> = Vec::new();
        // The uppermost first; a layer that lies there twice has its say where it is uppermost.
        for blob in contents.layers.iter().rev() {
            let unpacked = self.layer(layout, blob)?;
            if !layers.contains(&unpacked) {
                layers.push(unpacked);
            }
        }
        if layers.is_empty() {
            layers.push(self.nothing()?);
        }
        Ok(RootFileSystem { layers, folders: Vec::new() })
    }

    /// What an image says about its processes.
    pub(crate) fn settings(folder: &Path, tag: Option<&str>) -> Result<ImageSettings, LaunchError> {
        Ok(Layout(folder).find(tag)?.settings)
    }

    fn layer(&self, layout: Layout<'_>, blob: &Blob) -> Result<PathBuf, LaunchError> {
        let (file, digest) = layout.blob(blob)?;
        let unpacked = self.folder.join(&digest[..NAME_DIGITS]);
        if unpacked.exists() {
            return Ok(unpacked);
        }
        let _unpacking = self.unpacking.lock().expect("no holder of this lock panics");
        if unpacked.exists() {
            return Ok(unpacked);
        }
        fs::create_dir_all(&self.folder).doing_to("make the folder", &self.folder)?;
        let half = self.folder.join(format!("{}.{}", &digest[..NAME_DIGITS], std::process::id()));
        remove(&half).doing_to("remove", &half)?;
        let done = self.unpack(layout, blob, (&file, &digest), &half);
        if done.is_err() {
            remove(&half).doing_to("remove", &half)?;
        }
        done?;
        match fs::rename(&half, &unpacked) {
            // Another service of this machine was faster.
            Err(_) if unpacked.exists() => remove(&half).doing_to("remove", &half)?,
            renamed => renamed.doing_to("keep the layer", &unpacked)?,
        }
        Ok(unpacked)
    }

    fn unpack(
        &self,
        layout: Layout<'_>,
        blob: &Blob,
        (file, digest): (&Path, &str),
        into: &Path,
    ) -> Result<(), LaunchError> {
        let opened = File::open(file)
            .map_err(|error| layout.unusable(&format!("{}: {error}", file.display())))?;
        let mut source = Hashed { file: opened, hash: Sha256::new(), bytes: 0 };
        let unpacked = match blob.media_type.rsplit(['.', '+']).next() {
            Some("gzip") => {
                let inflated = flate2::read::MultiGzDecoder::new(BufReader::new(&mut source));
                layer::unpack(inflated, into)
            }
            Some("zstd") => match zstd::Decoder::new(&mut source) {
                Ok(inflated) => layer::unpack(inflated, into),
                Err(error) => Err(layer::Unpacking::Layer(error.to_string())),
            },
            Some("tar") => layer::unpack(BufReader::new(&mut source), into),
            _ => {
                let kind = &blob.media_type;
                return Err(layout.unusable(&format!("a layer of type {kind:?} is not understood")));
            }
        };
        // The rest, so that the digest is that of the whole file: an archive may end early, and a
        // layer that was tampered with must be called so whatever it made the unpacking say.
        io::copy(&mut source, &mut io::sink()).doing_to("read", file)?;
        if hex::encode(source.hash.finalize()) != digest || source.bytes != blob.size {
            return Err(layout.unusable(&format!("{} is not what its digest says", file.display())));
        }
        match unpacked {
            Ok(()) => Ok(()),
            Err(layer::Unpacking::Layer(reason)) => {
                Err(layout.unusable(&format!("the layer {digest}: {reason}")))
            }
            Err(layer::Unpacking::Machine(fault)) => Err(fault.into()),
        }
    }

    fn nothing(&self) -> Result<PathBuf, Fault> {
        let nothing = self.folder.join("nothing");
        fs::create_dir_all(&nothing).doing_to("make the folder", &nothing)?;
        Ok(nothing)
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    if folder.exists() { crate::sandbox::remove_tree(folder) } else { Ok(()) }
}

/// A file that is hashed as it is read.
struct Hashed {
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}
