//! An image in OCI layout as the archive that container engines load images from.

use super::{
    Digest,
    layout::Layout,
    manifest::{Blob, Contents, Source},
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
pub(crate) struct LoadableImage {
    folder: PathBuf,
    contents: Contents,
}

impl LoadableImage {
    /// Finds the image with this tag, or the only one, in a folder of OCI layout.
    pub(crate) fn find(folder: &Path, tag: Option<&str>) -> Result<Self, LaunchError> {
        let contents = Layout(folder).find(tag)?;
        Ok(Self { folder: folder.to_owned(), contents })
    }

    /// Its id, which is the same for all engines: the digest of its configuration.
    pub(crate) fn id(&self) -> String {
        Digest::of(&self.contents.configuration).to_string()
    }

    /// Writes the archive.
    pub(crate) fn write(&self, into: impl Write) -> Result<(), LaunchError> {
        let doing = "write an image's archive";
        let layout = Layout(&self.folder);
        let mut archive = Builder::new(io::BufWriter::with_capacity(1 << 16, into));
        let Contents { configuration, layers: blobs, .. } = &self.contents;
        let digest = Digest::of(configuration);
        let name = format!("{}.json", digest.digits());
        append(&mut archive, &name, configuration.len() as u64, &configuration[..]).doing(doing)?;
        let mut layers: Vec<String> = Vec::new();
        for blob in blobs {
            let layer = self.append_layer(&mut archive, layout, blob, &layers)?;
            layers.push(layer);
        }
        let tag = format!("buildyard/oci:{}", &digest.digits()[..12]);
        let manifest = json!([{"Config": name, "RepoTags": [tag], "Layers": layers}]).to_string();
        append(&mut archive, "manifest.json", manifest.len() as u64, manifest.as_bytes())
            .doing(doing)?;
        let finished = archive.into_inner().and_then(|mut into| into.flush());
        Ok(finished.doing(doing)?)
    }

    /// Writes a layer, unless it has been written, and gives its name in the archive.
    fn append_layer(
        &self,
        archive: &mut Builder<impl Write>,
        layout: Layout<'_>,
        blob: &Blob,
        written: &[String],
    ) -> Result<String, LaunchError> {
        let name = format!("{}.tar", blob.digest(&layout)?.digits());
        if !written.contains(&name) {
            let bytes = layout.layer(blob, 0)?;
            append(archive, &name, blob.size, bytes)
                .map_err(|error| Fault::new("write an image's archive", error))?;
        }
        Ok(name)
    }
}

fn append(
    archive: &mut Builder<impl Write>,
    name: &str,
    bytes: u64,
    from: impl Read,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, from)
}
