//! Images that are made here, by recipes: brought in like any others, and asked of no registry.

use super::{
    Digest, Images, Progress, bootstrap,
    fetch::Failed,
    images::Inner,
    layer::Unpacking,
    manifest::{Blob, here},
    recipe::Recipe,
    record::{Kept, Origin},
    store::NewLayer,
};
use crate::{Fault, LaunchError, fault::Doing, sandbox::remove_tree, spec::StoredImage};
use serde_json::json;
use std::{collections::BTreeSet, fs, io, path::Path};
use tar::{Builder, EntryType, Header};

const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";
const CONFIGURATION_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

impl Images {
    /// Makes an image from a recipe, and gives it under each of its names. Blocks. Every line of the
    /// programs that make it is told. One that fails, or is cancelled, leaves what was there before.
    pub fn build(
        &self,
        recipe: &Recipe,
        progress: &Progress,
        told: &(dyn Fn(&str) + Sync),
    ) -> Result<Vec<StoredImage>, LaunchError> {
        self.cleanly(self.inner.build(recipe, progress, told))
    }
}

impl Inner {
    fn build(
        &self,
        recipe: &Recipe,
        progress: &Progress,
        told: &(dyn Fn(&str) + Sync),
    ) -> Result<Vec<StoredImage>, Failed> {
        let _hold = self.uses.hold()?;
        let name = recipe.names.first().map(ToString::to_string).unwrap_or_default();
        let failed = |why: String| Failed::ForGood(LaunchError::Image(format!("{name}: {why}")));
        let scratch = self.layers.spool();
        fs::create_dir(&scratch).doing_to("make the folder", &scratch)?;
        let packages = bootstrap::run(recipe, &scratch, (progress, told), |archive| {
            self.layers.unpack_new(archive)
        });
        remove_tree(&scratch).doing_to("remove", &scratch)?;
        let mut layers = vec![packages.map_err(failed)?];
        if !recipe.files.is_empty() {
            let archive = laid_over(recipe).doing("write an image's files")?;
            layers.push(self.layers.unpack_new(&mut &*archive));
        }
        let mut blobs = Vec::new();
        for layer in layers {
            let layer = layer.map_err(|problem| match problem {
                Unpacking::Layer(reason) => failed(reason),
                Unpacking::Machine(fault) if is_full(&fault) => {
                    failed(format!("{fault}: {}", fault.source))
                }
                Unpacking::Machine(fault) => fault.into(),
            })?;
            blobs.push(self.keep_new(&layer)?);
        }
        let kept = described(recipe, blobs);
        self.records.keep_image(&kept)?;
        let names = recipe.names.iter();
        let named = names.map(|name| self.name(name, &kept.manifest, Origin::Recipe));
        Ok(named.collect::<Result<_, _>>()?)
    }

    fn keep_new(&self, layer: &NewLayer) -> Result<Blob, Fault> {
        self.layers.keep_new(layer)?;
        Ok(Blob::new(LAYER_TYPE, &layer.digest, layer.bytes))
    }
}

fn is_full(fault: &Fault) -> bool {
    matches!(fault.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The image's documents. The same layers and the same recipe give the same digests.
fn described(recipe: &Recipe, layers: Vec<Blob>) -> Kept {
    let (os, architecture) = here();
    let variables: Vec<String> =
        recipe.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let labels: serde_json::Map<_, _> =
        recipe.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let digests: Vec<&str> = layers.iter().map(|layer| layer.digest.as_str()).collect();
    let configuration = json!({
        "architecture": architecture,
        "os": os,
        "created": recipe.created,
        "config": {"Env": variables, "Labels": labels, "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": digests},
    })
    .to_string();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": CONFIGURATION_TYPE,
            "digest": Digest::of(configuration.as_bytes()).to_string(),
            "size": configuration.len(),
        },
        "layers": layers,
    })
    .to_string();
    Kept { manifest: Digest::of(manifest.as_bytes()), layers, configuration }
}

/// The archive of the files that lie over the packages.
fn laid_over(recipe: &Recipe) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    let inside = |path: &Path| path.strip_prefix("/").unwrap_or(path).to_owned();
    let mut folders = BTreeSet::new();
    for (path, _) in &recipe.files {
        folders.extend(inside(path).ancestors().skip(1).map(Path::to_owned));
    }
    folders.retain(|folder| !folder.as_os_str().is_empty());
    let header = |kind, mode, bytes| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(bytes);
        header.set_mtime(recipe.date);
        header.set_uid(0);
        header.set_gid(0);
        header
    };
    for folder in folders {
        let mut header = header(EntryType::Directory, 0o755, 0);
        archive.append_data(&mut header, folder, io::empty())?;
    }
    for (path, text) in &recipe.files {
        let mut header = header(EntryType::Regular, 0o644, text.len() as u64);
        archive.append_data(&mut header, inside(path), text.as_bytes())?;
    }
    archive.into_inner()
}
