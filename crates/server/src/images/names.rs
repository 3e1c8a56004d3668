//! What an image's name means here.

use executor::{Image, Reference};
use std::{collections::BTreeMap, path::PathBuf};

/// What names mean here, where it is not what they say.
#[derive(Clone, Debug)]
pub struct Names {
    table: BTreeMap<String, String>,
}

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageName {
    /// Something of this machine.
    Here(Image),
    /// An image with a name, which may have to be pulled.
    Named(Reference),
}

impl Names {
    /// Names as they are, but for those of this table.
    pub fn new(table: BTreeMap<String, String>) -> Self {
        Self { table }
    }

    /// What a name means. The error is a sentence about the name.
    pub fn meaning(&self, name: &str) -> Result<ImageName, String> {
        let name = self.table.get(name).map_or(name, String::as_str);
        read(name)
    }
}

/// Reads `host`, `rootfs:/path`, `oci:/path` with an optional `:tag`, or an image's name.
fn read(name: &str) -> Result<ImageName, String> {
    if name == "host" {
        return Ok(ImageName::Here(Image::Host));
    }
    if let Some(path) = name.strip_prefix("rootfs:") {
        return absolute(path).map(Image::Rootfs).map(ImageName::Here);
    }
    if let Some(layout) = name.strip_prefix("oci:") {
        let (path, tag) = match layout.split_once(':') {
            Some((path, tag)) => (path, Some(tag.to_owned())),
            None => (layout, None),
        };
        let folder = absolute(path)?;
        return Ok(ImageName::Here(Image::OciLayout { folder, tag }));
    }
    name.parse()
        .map(ImageName::Named)
        .map_err(|error: executor::NoReference| format!("CannotPullContainerError: {error}"))
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(format!("The image's path {} is not absolute.", path.display()))
    }
}
