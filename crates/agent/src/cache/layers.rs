//! The layers of Docker's images: kept in the machine's folder, which stands where Docker has its
//! own.

use super::lines;
use crate::fault::plain;
use crate::run::Build;
use agent_protocol::LocalCache;
use rustix::mount::mount_bind;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Where Docker keeps everything unless it is told otherwise.
const DOCKER: &str = "/var/lib/docker";

/// Puts the kept folder in the place of Docker's, and tells the log.
pub(super) fn mount(build: &Build, cache: &LocalCache) {
    let kept = Path::new(&cache.folder).join("docker").join(&cache.id);
    match put_over(&kept, Path::new(DOCKER)) {
        Ok(()) => build.journal.line(&lines::docker_layers(DOCKER)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            build.journal.line(lines::NO_DOCKER_LAYERS);
        }
        Err(error) => {
            build.journal.line(&lines::not_begun(format!("{DOCKER}: {}", plain(&error))));
        }
    }
}

fn put_over(kept: &Path, place: &Path) -> io::Result<()> {
    fs::create_dir_all(kept)?;
    fs::create_dir_all(place)?;
    Ok(mount_bind(kept, place)?)
}
