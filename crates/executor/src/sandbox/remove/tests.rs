//! Trees that a build could leave.

use super::tree;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};
use tempfile::TempDir;

fn left(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect()
}

#[test]
fn closed_folders_links_and_pipes_are_removed_and_nothing_beyond_them() {
    let around = TempDir::new().expect("a folder");
    let outside = TempDir::new().expect("a folder");
    fs::write(outside.path().join("kept"), "").expect("a file");
    let root = around.path().join("tree");
    let inner = root.join("closed/inner");
    fs::create_dir_all(&inner).expect("folders");
    fs::write(inner.join("file"), "").expect("a file");
    symlink(outside.path(), inner.join("out")).expect("a link");
    symlink("/", root.join("root")).expect("a link");
    for folder in [inner, root.join("closed")] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o0)).expect("a mode");
    }
    tree(&root).expect("it can all be removed");
    assert_eq!(left(around.path()), Vec::<PathBuf>::new());
    assert_eq!(left(outside.path()), [outside.path().join("kept")]);
}

#[test]
fn depth_does_not_matter() {
    let around = TempDir::new().expect("a folder");
    let root = around.path().join("tree");
    fs::create_dir(&root).expect("a folder");
    let deep = "d/".repeat(900);
    fs::create_dir_all(root.join(&deep)).expect("folders");
    // Deeper than any path: what is there is moved to the bottom of another, twice.
    for round in 0..2 {
        let next = around.path().join(format!("next{round}"));
        fs::create_dir_all(next.join(&deep)).expect("folders");
        fs::rename(&root, next.join(&deep).join("d")).expect("a move");
        fs::rename(&next, &root).expect("a move");
    }
    tree(&root).expect("it can all be removed");
    assert_eq!(left(around.path()), Vec::<PathBuf>::new());
}

#[test]
fn what_is_gone_needs_no_removal() {
    let around = TempDir::new().expect("a folder");
    assert!(tree(&around.path().join("none")).is_err(), "there never was one");
    let empty = around.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    tree(&empty).expect("it is empty");
}
