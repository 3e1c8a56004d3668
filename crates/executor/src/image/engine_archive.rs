//! An image in OCI layout as the archive that container engines load images from.

use super::{
    Digest,
    layout::Layout,
    manifest::{Blob, Source},
};
use crate::{Fault, LaunchError, fault::Doing};
use serde_json::json;
use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
};
use tar::{Builder, Header};

/// An image that was found in a layout.
#[derive(Debug)]
pub(crate) struct ImageArchive {
    folder: PathBuf,
    configuration: Vec<u8>,
    layers: Vec<Blob>,
}

impl ImageArchive {
    /// Finds the image with this tag, or the only one, in a folder of OCI layout.
    pub(crate) fn find(folder: &Path, tag: Option<&str>) -> Result<Self, LaunchError> {
        let contents = Layout(folder).find(tag)?;
        let folder = folder.to_owned();
        Ok(Self { folder, configuration: contents.configuration, layers: contents.layers })
    }

    /// Its id, which is the same for all engines: the digest of its configuration.
    pub(crate) fn id(&self) -> String {
        Digest::of(&self.configuration).to_string()
    }

    /// Writes the archive.
    pub(crate) fn write(&self, into: impl Write) -> Result<(), LaunchError> {
        let layout = Layout(&self.folder);
        let mut archive = Builder::new(io::BufWriter::with_capacity(1 << 16, into));
        let digest = Digest::of(&self.configuration);
        let digest = digest.digits();
        let configuration = format!("{digest}.json");
        append(
            &mut archive,
            &configuration,
            self.configuration.len() as u64,
            &*self.configuration,
        )?;
        let mut layers: Vec<String> = Vec::new();
        for blob in &self.layers {
            let name = format!("{}.tar", blob.digest(&layout)?.digits());
            if !layers.contains(&name) {
                append(&mut archive, &name, blob.size, layout.layer(blob, 0)?)?;
            }
            layers.push(name);
        }
        let tag = format!("buildyard/oci:{}", &digest[..12]);
        let manifest = json!([{"Config": configuration, "RepoTags": [tag], "Layers": layers}]);
        let manifest = manifest.to_string();
        let mut header = header(manifest.len() as u64);
        let doing = "write an image's archive";
        let written = archive.append_data(&mut header, "manifest.json", manifest.as_bytes());
        written.doing(doing)?;
        let finished = archive.into_inner().and_then(|mut into| into.flush());
        Ok(finished.doing(doing)?)
    }
}

fn append(
    archive: &mut Builder<impl Write>,
    name: &str,
    size: u64,
    content: impl Read,
) -> Result<(), Fault> {
    // The engine checks the digests of what it is given.
    let appended = archive.append_data(&mut header(size), name, content.take(size));
    appended.doing("write an image's archive")
}

fn header(bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o644);
    header
}
