//! The images that this machine offers: those that the operator has names for, those that were made
//! here by recipes, CodeBuild's own where they were pulled, and `host`.

use super::{ImageName, Names};
use executor::{Image, Images, LaunchError, ListedImage, Reference, StoredImage};
use std::collections::BTreeMap;

/// Files that say what an image's system is, the first one first.
const RELEASE_FILES: [&str; 2] = ["/usr/lib/os-release", "/etc/os-release"];
/// Where an image says which versions of runtimes it has.
const RUNTIMES_FILE: &str = "/codebuild/image/config/runtimes.yml";
const DESCRIPTION_LABEL: &str = "/config/Labels/org.opencontainers.image.description";

/// Finds the images that this machine offers.
#[derive(Clone, Debug)]
pub struct CuratedImages {
    images: Images,
    names: Names,
}

/// An image that this machine offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CuratedImage {
    /// The name that a project may have for it.
    pub name: String,
    /// All such names that mean the same.
    pub versions: Vec<String>,
    /// What it is, for people.
    pub description: String,
    /// Its system, as `os-release` has it, such as `debian`; empty when it does not say.
    pub system: String,
    /// The runtimes that `runtime-versions` may ask for, as the image says.
    pub runtimes: Vec<String>,
}

impl CuratedImages {
    /// The images of this machine, by the names that are meant here.
    pub fn new(images: Images, names: Names) -> Self {
        Self { images, names }
    }

    /// All of them that are in place, by their names. No registry is asked. Blocks.
    pub fn list(&self) -> Result<Vec<CuratedImage>, LaunchError> {
        let mut listed = vec![self.look("host", &Image::Host)?];
        for name in self.names.told().filter(|name| *name != "host") {
            if let Some(image) = self.in_place(name)? {
                listed.push(self.look(name, &image)?);
            }
        }
        let mut families: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for ListedImage { name, manifest, .. } in self.images.list()? {
            let Ok(reference) = name.parse::<Reference>() else { continue };
            let family = match reference.recipe() {
                Some(_) => name.split_once('/').map(|(_, own)| own.to_owned()),
                None => self.names.curated(&reference),
            };
            let Some(name) = family else { continue };
            let repository = name.split(':').next().unwrap_or_default().to_owned();
            families.entry((repository, manifest.to_string())).or_default().push(name);
        }
        for (_, versions) in families {
            // The tag that stays the same image comes before the one that moves.
            let name = versions.iter().find(|name| !name.ends_with(":latest"));
            let name = name.or(versions.first()).cloned().unwrap_or_default();
            if let Some(image) = self.in_place(&name)? {
                let looked = self.look(&name, &image)?;
                listed.push(CuratedImage { versions, ..looked });
            }
        }
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// What a name means, if that is in place.
    fn in_place(&self, name: &str) -> Result<Option<Image>, LaunchError> {
        let image = match self.names.meaning(name) {
            Ok(ImageName::Here(image)) => image,
            Ok(ImageName::Named(reference)) => match self.images.in_place(&reference)? {
                Some(stored) => Image::Stored(stored),
                None => return Ok(None),
            },
            // A build that has this name is told why.
            Err(_) => return Ok(None),
        };
        Ok(self.images.has(&image)?.then_some(image))
    }

    fn look(&self, name: &str, image: &Image) -> Result<CuratedImage, LaunchError> {
        let mut release = None;
        for file in RELEASE_FILES {
            if release.is_none() {
                release = self.images.text_in(image, file)?;
            }
        }
        let release = release.unwrap_or_default();
        let system = value(&release, "ID").unwrap_or_default();
        let called = value(&release, "PRETTY_NAME").unwrap_or_else(|| system.clone());
        let runtimes = match image {
            // What the machine has is not known before a build asks for it.
            Image::Host => Vec::new(),
            Image::Rootfs(_) | Image::OciLayout { .. } | Image::Stored(_) => {
                runtimes_in(&self.images.text_in(image, RUNTIMES_FILE)?.unwrap_or_default())
            }
        };
        let description = match image {
            Image::Host => format!("This machine's own tools: {called}"),
            Image::Stored(stored) => self.description(stored)?.unwrap_or(called),
            Image::Rootfs(_) | Image::OciLayout { .. } => called,
        };
        let name = name.to_owned();
        Ok(CuratedImage { versions: vec![name.clone()], name, description, system, runtimes })
    }

    /// What an image says of itself in its configuration.
    fn description(&self, stored: &StoredImage) -> Result<Option<String>, LaunchError> {
        let Some((_, configuration)) = self.images.inspect(&stored.name)? else { return Ok(None) };
        let configuration: serde_json::Value =
            serde_json::from_str(&configuration).unwrap_or_default();
        Ok(configuration
            .pointer(DESCRIPTION_LABEL)
            .and_then(serde_json::Value::as_str)
            .map(str::to_owned))
    }
}

/// The value of a line of `os-release`.
fn value(release: &str, name: &str) -> Option<String> {
    let lines = release.lines().filter_map(|line| line.split_once('='));
    let (_, value) = lines.into_iter().find(|(found, _)| *found == name)?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}

fn runtimes_in(text: &str) -> Vec<String> {
    let runtimes = buildspec::Runtimes::parse(text);
    runtimes.map(|found| found.0.into_iter().map(|one| one.name).collect()).unwrap_or_default()
}
