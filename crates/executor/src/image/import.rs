//! Images that come from this machine: archives, folders, and other programs' stores. They are what
//! their names mean from then on; no registry is asked about them.

use super::{
    Digest, Engine, Images, Progress, Reference,
    archive::{Archive, settled},
    fetch::Failed,
    images::Inner,
    layout::Layout,
    local_engines::Saving,
    manifest::{Contents, Source},
    record::{self, Named, Origin},
};
use crate::{Fault, LaunchError, spec::StoredImage};
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
        origin: Origin,
        progress: &Progress,
    ) -> Result<Vec<StoredImage>, LaunchError> {
        self.cleanly(self.inner.import(from, name, origin, progress))
    }
}

impl Inner {
    fn import(
        &self,
        from: &ImportFrom,
        name: Option<&Reference>,
        origin: Origin,
        progress: &Progress,
    ) -> Result<Vec<StoredImage>, Failed> {
        let _hold = self.uses.hold()?;
        let unreadable = |path: &Path, error: &io::Error| {
            Failed::Interrupted(LaunchError::Image(format!("{}: {error}", path.display())))
        };
        match from {
            ImportFrom::Path(path) if path.is_dir() => self.layout(path, name, origin, progress),
            ImportFrom::Path(path) => {
                let file = File::open(path).map_err(|error| unreadable(path, &error))?;
                let file = match is_packed(&file).map_err(|error| unreadable(path, &error))? {
                    true => settled(file, &self.layers.spool()).map_err(Failed::ForGood)?,
                    false => file,
                };
                self.archive(file, &path.display().to_string(), name, origin, progress)
            }
            ImportFrom::StandardInput => {
                let file = settled(io::stdin().lock(), &self.layers.spool());
                self.archive(
                    file.map_err(Failed::ForGood)?,
                    "standard input",
                    name,
                    origin,
                    progress,
                )
            }
            ImportFrom::Engine(engine, asked) => {
                let mut saving = Saving::begin(*engine, asked).map_err(|error| {
                    Failed::ForGood(LaunchError::Image(format!("{engine}: {error}")))
                })?;
                let file = settled(saving.output(), &self.layers.spool());
                saving.end().map_err(LaunchError::Image).map_err(Failed::ForGood)?;
                let own: Option<Reference> = asked.parse().ok();
                let name = name.or(own.as_ref());
                self.archive(
                    file.map_err(Failed::ForGood)?,
                    &format!("{engine}:{asked}"),
                    name,
                    origin,
                    progress,
                )
            }
        }
    }

    fn layout(
        &self,
        folder: &Path,
        name: Option<&Reference>,
        origin: Origin,
        progress: &Progress,
    ) -> Result<Vec<StoredImage>, Failed> {
        let layout = Layout(folder);
        let mut found = Vec::new();
        for (tag, blob) in layout.all().map_err(Failed::ForGood)? {
            let contents = super::manifest::resolve(&layout, blob).map_err(Failed::ForGood)?;
            found.push(Found { names: tag.into_iter().collect(), contents });
        }
        self.take(&layout, &found, name, origin, progress)
    }

    fn archive(
        &self,
        file: File,
        called: &str,
        name: Option<&Reference>,
        origin: Origin,
        progress: &Progress,
    ) -> Result<Vec<StoredImage>, Failed> {
        let mut archive = Archive::open(file, called).map_err(Failed::ForGood)?;
        let found = archive.images().map_err(Failed::ForGood)?;
        self.take(&archive, &found, name, origin, progress)
    }

    fn take(
        &self,
        source: &dyn Source,
        found: &[Found],
        name: Option<&Reference>,
        origin: Origin,
        progress: &Progress,
    ) -> Result<Vec<StoredImage>, Failed> {
        let unusable = |why: &str| Err(Failed::ForGood(source.unusable(why)));
        if found.is_empty() {
            return unusable("there is no image in it");
        }
        if name.is_some() && found.len() > 1 {
            return unusable("there are several images in it, which need names of their own");
        }
        let mut named = Vec::new();
        for Found { names, contents } in found {
            let names = match name {
                Some(name) => vec![name.clone()],
                None => whole_names(names),
            };
            if names.is_empty() {
                return unusable("it does not say what the image is called: give a name");
            }
            named.push((names, contents));
        }
        let mut taken = Vec::new();
        for (names, contents) in named {
            self.layers.bring(source, &contents.layers, progress)?;
            self.keep(source, contents).map_err(Failed::ForGood)?;
            taken.extend(names.into_iter().map(|name| (name, contents.manifest.clone())));
        }
        let named = taken.iter().map(|(name, manifest)| self.name(name, manifest, origin));
        named.collect::<Result<_, _>>().map_err(Failed::from)
    }

    /// Gives a name to an image that was not pulled.
    pub(super) fn name(
        &self,
        name: &Reference,
        manifest: &Digest,
        origin: Origin,
    ) -> Result<StoredImage, Fault> {
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
