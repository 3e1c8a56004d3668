//! Sources and buildspecs that are objects in a bucket.

use super::tree::inside;
use super::unzip::unzip;
use crate::fault::Doing;
use crate::object_store::Client;
use crate::outcome::Stop;
use crate::parallel;
use crate::run::Build;
use agent_protocol::S3Location;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Downloads a ZIP and unpacks it into a folder that is there.
pub(super) fn fetch_zip(build: &Build, from: &S3Location, folder: &Path) -> Result<(), Stop> {
    let file = build.layout.nameless_file().doing(|| "make a file for the source".to_owned())?;
    build.store().download(from, &file)?;
    unzip(&file, folder)
}

/// Copies every object below a prefix into a folder that is there.
pub(super) fn fetch_folder(build: &Build, from: &S3Location, folder: &Path) -> Result<(), Stop> {
    let client = build.store();
    let keys = client.list(&from.bucket, &from.key)?;
    if keys.is_empty() {
        return Err(Stop::client(format!(
            "no objects found below s3://{}/{}",
            from.bucket, from.key
        )));
    }
    let mut files = Vec::new();
    let mut folders = BTreeSet::new();
    for key in keys.into_iter().map(|object| object.key) {
        let name = key.strip_prefix(&from.key).unwrap_or(&key);
        let path = inside(name).ok_or_else(|| {
            Stop::client(format!("{key}: the path leads out of the source's folder"))
        })?;
        if key.ends_with('/') {
            folders.insert(path);
        } else {
            folders.extend(path.parent().map(Path::to_owned));
            files.push((key, path));
        }
    }
    for path in folders {
        fs::create_dir_all(folder.join(&path)).doing(|| format!("make {}", path.display()))?;
    }
    parallel::for_each(&files, |(key, path)| {
        let from = S3Location { bucket: from.bucket.clone(), key: key.clone(), version: None };
        fetch_file(client, &from, &folder.join(path))
    })
}

/// Downloads one object to a path.
pub(super) fn fetch_file(client: &Client, from: &S3Location, path: &Path) -> Result<(), Stop> {
    let file = File::create(path).doing(|| format!("make {}", path.display()))?;
    Ok(client.download(from, &file)?)
}

/// Downloads the buildspec and says where it is then.
pub(super) fn fetch_buildspec(build: &Build, from: &S3Location) -> Result<PathBuf, Stop> {
    let path = build.layout.inline_buildspec();
    fetch_file(build.store(), from, &path)?;
    Ok(path)
}
