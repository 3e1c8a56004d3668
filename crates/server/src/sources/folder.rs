//! Repositories that are folders of this machine: which of them a build may see.

use super::Location;
use executor::{Mount, MountKind};
use std::path::PathBuf;

/// The folder that a build sees so that it can clone a repository; none when the repository is in
/// none of the folders that the operator has opened, or only seems to be.
///
/// That is the repository alone, or the opened folder when submodules beside it are wanted.
pub fn mount(opened: &[PathBuf], location: &Location, submodules: bool) -> Option<Mount> {
    let repository = location.folder();
    let real = repository.canonicalize().ok()?;
    let is_inside = |folder: &&PathBuf| {
        let really = |folder: PathBuf| real.starts_with(folder);
        repository.starts_with(folder) && folder.canonicalize().is_ok_and(really)
    };
    let folder = opened.iter().find(is_inside)?;
    let container = if submodules { folder.clone() } else { repository };
    let host = container.canonicalize().ok()?;
    Some(Mount { host, container, kind: MountKind::ReadOnly })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_what_is_really_inside_an_opened_folder_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["opened/app.git", "opened-too/x", "elsewhere"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        std::os::unix::fs::symlink(root.join("elsewhere"), root.join("opened/link")).unwrap();
        let opened = [root.join("opened")];
        let mounted = |name: &str, submodules: bool| {
            let location = Location::parse(&format!("file://{}/{name}", root.display())).unwrap();
            mount(&opened, &location, submodules).map(|mount| mount.container)
        };
        assert_eq!(mounted("opened/app.git", false), Some(root.join("opened/app.git")));
        assert_eq!(mounted("opened/app.git", true), Some(root.join("opened")));
        for name in ["opened/link", "opened-too/x", "elsewhere", "opened/none"] {
            assert_eq!(mounted(name, false), None, "{name}");
        }
    }
}
