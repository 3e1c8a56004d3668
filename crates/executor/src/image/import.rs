//! Images that come from this machine: archives, folders, and other programs' stores. They are what
//! their names mean from then on; no registry is asked about them.

use super::{
    Digest, Engine, Images, Progress, Reference,
    archive::{Archive, settled},
    images::Inner,
    layout::Layout,
    local_engines::Saving,
    manifest::{Contents, Source},
    record::{self, Named, Origin},
};
use crate::{LaunchError, spec::StoredImage};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// Where an image is imported from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportFrom {
    /// A file that `docker save` or the like has written, or a folder in OCI layout.
    Path(PathBuf),
    /// The same as a file, from standard input.
    StandardInput,
    /// A program's own store, by the image's name there.
    Engine(Engine, String),
}

/// An image that was found, with the names that it has there.
pub(super) struct Found {
    /// The names.
    pub names: Vec<String>,
    /// What it is made of.
    pub contents: Contents,
}

impl Images {
    /// Brings images in under the names that they have there, or the only one under this name.
    pub fn import(
        &self,
        from: &ImportFrom,
        name: Option<&Reference>,
        progress: &Progress,
    ) -> Result<Vec<StoredImage>, LaunchError> {
        self.import_as(from, name, Origin::Import, progress)
    }

    pub(super) fn import_as(
        &self,
        from: &ImportFrom,
        name: Option<&Reference>,
        origin: Origin,
        progress: &Progress,
    ) -> Result<Vec<StoredImage>, LaunchError> {
        let _hold = self.inner.uses.hold()?;
        let unreadable = |path: &Path, error: &io::Error| {
            LaunchError::Image(format!("{}: {error}", path.display()))
        };
        match from {
            ImportFrom::Path(path) if path.is_dir() => {
                self.inner.layout(path, name, origin, progress)
            }
            ImportFrom::Path(path) => {
                let file = File::open(path).map_err(|error| unreadable(path, &error))?;
                let file = match is_packed(&file).map_err(|error| unreadable(path, &error))? {
                    true => settled(file, &self.inner.layers.spool())?,
                    false => file,
                };
                self.inner.archive(file, &path.display().to_string(), name, origin, progress)
            }
            ImportFrom::StandardInput => {
                let file = settled(io::stdin().lock(), &self.inner.layers.spool())?;
                self.inner.archive(file, "standard input", name, origin, progress)
            }
            ImportFrom::Engine(engine, asked) => {
                let mut saving = Saving::begin(*engine, asked)
                    .map_err(|error| LaunchError::Image(format!("{engine}: {error}")))?;
                let file = settled(saving.output(), &self.inner.layers.spool());
                saving.end().map_err(LaunchError::Image)?;
                let own: Option<Reference> = asked.parse().ok();
                let name = name.or(own.as_ref());
                self.inner.archive(file?, &format!("{engine}:{asked}"), name, origin, progress)
            }
        }
    }
}

impl Inner {
    fn layout(
        &self,
        folder: &Path,
        name: Option<&Reference>,
        origin: Origin,
        progress: &Progress,
    ) -> Result<Vec<StoredImage>, LaunchError> {
        let layout = Layout(folder);
        let mut found = Vec::new();
        for (tag, blob) in layout.all()? {
            let contents = super::manifest::resolve(&layout, blob)?;
            found.push(Found { names: tag.into_iter().collect(), contents });
        }
        self.take(&layout, found, name, origin, progress)
    }

    fn archive(
        &self,
        file: File,
        called: &str,
        name: Option<&Reference>,
        origin: Origin,
        progress: &Progress,
    ) -> Result<Vec<StoredImage>, LaunchError> {
        let mut archive = Archive::open(file, called)?;
        let found = archive.images()?;
        self.take(&archive, found, name, origin, progress)
    }

    fn take(
        &self,
        source: &dyn Source,
        found: Vec<Found>,
        name: Option<&Reference>,
        origin: Origin,
        progress: &Progress,
    ) -> Result<Vec<StoredImage>, LaunchError> {
        if found.is_empty() {
            return Err(source.unusable("there is no image in it"));
        }
        if name.is_some() && found.len() > 1 {
            return Err(
                source.unusable("there are several images in it, which need names of their own")
            );
        }
        let mut named = Vec::new();
        for Found { names, contents } in &found {
            let names = match name {
                Some(name) => vec![name.clone()],
                None => whole_names(names),
            };
            if names.is_empty() {
                return Err(
                    source.unusable("it does not say what the image is called: give a name")
                );
            }
            named.push((names, contents));
        }
        let mut taken = Vec::new();
        for (names, contents) in named {
            self.layers.bring(source, &contents.layers, progress)?;
            self.keep(source, contents)?;
            taken.extend(names.into_iter().map(|name| (name, contents.manifest.clone())));
        }
        taken.into_iter().map(|(name, manifest)| self.name(&name, &manifest, origin)).collect()
    }

    fn name(
        &self,
        name: &Reference,
        manifest: &Digest,
        origin: Origin,
    ) -> Result<StoredImage, LaunchError> {
        let named = Named {
            name: name.to_string(),
            pointed_to: manifest.clone(),
            manifest: manifest.clone(),
            origin,
            at: record::now(),
            keys: Vec::new(),
        };
        self.records.keep_name(&named)?;
        Ok(StoredImage { name: named.name, manifest: named.manifest })
    }
}

/// Those of the names that say more than a tag.
fn whole_names(names: &[String]) -> Vec<Reference> {
    let whole = names.iter().filter(|name| name.contains(['/', ':']));
    whole.filter_map(|name| name.parse().ok()).collect()
}

fn is_packed(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::FileExt;
    let mut start = [0; 4];
    let length = file.read_at(&mut start, 0)?;
    Ok(matches!(&start[..length], [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd]))
}
