//! An image in OCI layout as the archive that container engines load images from.

use super::layout::{Blob, Layout};
use crate::{Fault, LaunchError, fault::Doing};
use serde_json::json;
use std::{
    fs::File,
    io::{self, BufReader, Write},
    path::{Path, PathBuf},
};
use tar::{Builder, Header};

/// An image that was found in a layout.
#[derive(Debug)]
pub(crate) struct ImageArchive {
    folder: PathBuf,
    configuration: Blob,
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
        self.configuration.digest.clone()
    }

    /// Writes the archive.
    pub(crate) fn write(&self, into: impl Write) -> Result<(), LaunchError> {
        let layout = Layout(&self.folder);
        let mut archive = Builder::new(io::BufWriter::with_capacity(1 << 16, into));
        let (file, digest) = layout.blob(&self.configuration)?;
        let configuration = format!("{digest}.json");
        append(&mut archive, layout, &file, &configuration)?;
        let mut layers: Vec<String> = Vec::new();
        for blob in &self.layers {
            let (file, digest) = layout.blob(blob)?;
            let name = format!("{digest}.tar");
            if !layers.contains(&name) {
                append(&mut archive, layout, &file, &name)?;
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
    layout: Layout<'_>,
    file: &Path,
    name: &str,
) -> Result<(), LaunchError> {
    let unreadable = |error| layout.unusable(&format!("{}: {error}", file.display()));
    let opened = File::open(file).map_err(unreadable)?;
    let mut header = header(opened.metadata().map_err(unreadable)?.len());
    let appended = archive.append_data(&mut header, name, BufReader::new(opened));
    Ok(appended.map_err(|error| Fault::new("write an image's archive", error))?)
}

fn header(bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o644);
    header
}
