//! What is packed unpacks to the same, and what no layer has is not packed.

use super::{length, pack};
use crate::image::layer::unpack;
use rustix::{
    fs::{CWD, FileType, Mode, XattrFlags, chmodat, mknodat, setxattr, statat},
    process::geteuid,
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, chown, symlink},
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// What is told of a tree: each path with its kind, mode, owner, time, length, names and content.
fn told(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut told = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let found = fs::symlink_metadata(&path).expect("a file");
        let content = match found.file_type() {
            kind if kind.is_symlink() => format!("{:?}", fs::read_link(&path).expect("a link")),
            kind if kind.is_file() => format!("{:?}", fs::read(&path).expect("a file").len()),
            _ => String::new(),
        };
        let names = if found.is_dir() { 1 } else { found.nlink() };
        let (mode, uid, gid) = (found.mode(), found.uid(), found.gid());
        // A link's own time and what is made in a folder later are nobody's matter.
        let time = if found.is_symlink() { 0 } else { found.mtime() };
        let line = format!("{mode:o} {uid}:{gid} {time} {names} {:x} {content}", found.rdev());
        told.insert(path.strip_prefix(folder).expect("inside").to_owned(), line);
        if found.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder");
            waiting.extend(entries.map(|entry| entry.expect("an entry").path()));
        }
    }
    told
}

/// A layer with one of each, as unpacking leaves it.
fn layer(folder: &Path) {
    let is_root = geteuid().is_root();
    let at = |name: &str| folder.join(name);
    for name in ["", "b", "b/empty", "opaque", "a"] {
        fs::create_dir(at(name)).expect("a folder");
    }
    let long = format!("a/{}/{}", "x".repeat(120), "y".repeat(200));
    fs::create_dir(at(&long).parent().expect("a folder")).expect("a folder");
    for (name, bytes) in [("b/file", 3), ("a/large", 100_001), ("b/none", 0), (&*long, 513)] {
        fs::write(at(name), vec![7; bytes]).expect("a file");
    }
    fs::hard_link(at("b/file"), at("a/second")).expect("a name");
    symlink(&long, at("a/link")).expect("a link");
    mknodat(CWD, at("b/pipe"), FileType::Fifo, Mode::from_raw_mode(0o640), 0).expect("a pipe");
    let set = |name: &str, attribute: &str, value: &[u8]| {
        setxattr(at(name), attribute, value, XattrFlags::empty()).expect("an attribute");
    };
    set("b/file", "user.word", b"a\0b");
    set("opaque", "user.overlay.opaque", b"y");
    if is_root {
        let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        set("a/large", "security.capability", &capability);
        set("opaque", "trusted.overlay.opaque", b"y");
        chown(at("b/none"), Some(1000), Some(3_000_000)).expect("an owner");
        mknodat(CWD, at("b/gone"), FileType::CharacterDevice, Mode::empty(), 0).expect("a mark");
    }
    chmodat(CWD, at("b/none"), Mode::from_raw_mode(0o4750), rustix::fs::AtFlags::empty())
        .expect("a mode");
    chmodat(CWD, at("b"), Mode::from_raw_mode(0o1777), rustix::fs::AtFlags::empty())
        .expect("a mode");
}

#[test]
fn what_is_packed_unpacks_to_the_same() {
    let place = TempDir::new().expect("a folder");
    let (first, second) = (place.path().join("first"), place.path().join("second"));
    layer(&first);
    let mut archive = Vec::new();
    pack(&first, &mut archive).expect("an archive");
    assert_eq!(length(&first).expect("a length"), archive.len() as u64);
    unpack(&archive[..], &second, 0).expect("a layer");
    assert_eq!(told(&second), told(&first));
    let attribute = |folder: &Path, name: &str, attribute: &str| {
        let mut value = [0; 64];
        let length = rustix::fs::getxattr(folder.join(name), attribute, &mut value[..]);
        length.map(|length| value[..length].to_vec()).ok()
    };
    for (name, named) in [
        ("b/file", "user.word"),
        ("a/large", "security.capability"),
        ("opaque", "user.overlay.opaque"),
        ("opaque", "trusted.overlay.opaque"),
    ] {
        let of = |folder: &Path| attribute(folder, name, named);
        assert_eq!(of(&second), of(&first), "{name} {named}");
    }
    assert!(attribute(&second, "b/file", "user.word").is_some());
    let mut again = Vec::new();
    pack(&second, &mut again).expect("an archive");
    assert_eq!(again, archive, "the same bytes each time");
    let found = statat(CWD, second.join("a/second"), rustix::fs::AtFlags::empty());
    assert_eq!(found.expect("a file").st_nlink, 2);
}

#[test]
fn a_file_that_no_layer_has_is_not_packed() {
    let place = TempDir::new().expect("a folder");
    let _socket = std::os::unix::net::UnixListener::bind(place.path().join("s")).expect("a socket");
    assert!(pack(place.path(), &mut Vec::new()).is_err());
}
