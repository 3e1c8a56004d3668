//! What holds of every layer, and layers to try it with: for the tests, and for the target in
//! `fuzz`, which brings a `super` of its own.

use super::unpack;
use std::{
    fs::{self, Metadata, Permissions},
    ops::Range,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::Path,
};
use tar::{Builder, EntryType, Header};

/// What stands beside the folder, and says the same afterwards.
const BESIDE: &str = "beside";
/// An archive is made of blocks of this length.
pub(crate) const BLOCK: usize = 512;
/// Longer paths are not looked at: a layer is unpacked with paths that begin at its own folder.
const PATH_BYTES_MAX: usize = 3_800;
/// Where a header has its sum.
const SUM: Range<usize> = 148..156;
/// Names and targets, most of which lead out.
const NAMES: [&str; 10] = [
    "in/a",
    "../beside",
    "/beside",
    "in/../../beside",
    "in/link/x",
    "in/.wh.a",
    "in/.wh...",
    "in/.wh..wh..opq",
    "",
    ".",
];
const KINDS: [EntryType; 9] = [
    EntryType::Regular,
    EntryType::Directory,
    EntryType::Symlink,
    EntryType::Link,
    EntryType::Char,
    EntryType::Fifo,
    EntryType::XHeader,
    EntryType::GNULongName,
    EntryType::GNUSparse,
];

/// Numbers that are not easily foreseen, from a seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 8).unwrap() % end
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.below(NAMES.len())]
    }
}

/// A layer whose entries are of any kind and go anywhere.
pub(crate) fn wild(dice: &mut Dice) -> Vec<u8> {
    let mut layer = Builder::new(Vec::new());
    for _ in 0..1 + dice.below(8) {
        let mut header = Header::new_gnu();
        let content = vec![b'x'; dice.below(2_000)];
        header.set_entry_type(KINDS[dice.below(KINDS.len())]);
        header.set_mode(u32::try_from(dice.below(0o10000)).unwrap());
        header.set_uid(dice.below(2_000) as u64);
        header.set_gid(dice.below(2_000) as u64);
        header.set_mtime(dice.below(1 << 31) as u64);
        header.set_size(content.len() as u64);
        for (field, text) in [(0..100, dice.name()), (157..257, dice.name())] {
            header.as_mut_bytes()[field][..text.len()].copy_from_slice(text.as_bytes());
        }
        header.set_cksum();
        layer.append(&header, &content[..]).unwrap();
    }
    layer.into_inner().unwrap()
}

/// Gives each header its right sum, so that what it says is looked at.
pub(crate) fn put_sums_right(bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(BLOCK) {
        if block[257..].starts_with(b"ustar") {
            block[SUM].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

/// Unpacks the bytes into a folder of `place`, which is empty, and looks at what has become of it
/// and of what stands beside it.
pub(crate) fn check(bytes: &[u8], place: &Path) {
    let (beside, layer) = (place.join(BESIDE), place.join("layer"));
    fs::write(&beside, BESIDE).unwrap();
    let before = traits(&fs::symlink_metadata(&beside).unwrap());
    let _ = unpack(bytes, &layer, 0);
    assert_eq!(fs::read_to_string(&beside).unwrap(), BESIDE);
    assert_eq!(traits(&fs::symlink_metadata(&beside).unwrap()), before);
    assert_eq!(fs::read_dir(place).unwrap().count(), 2);
    assert!(!Path::new("/beside").exists());
    let mut files = 0;
    look(&layer, &mut files);
    assert!(files <= bytes.len() / BLOCK, "{files} files of {} bytes", bytes.len());
}

/// What would show that somebody has touched a file, links to it included.
fn traits(file: &Metadata) -> (u64, u64, u32, (i64, i64)) {
    (file.ino(), file.nlink(), file.mode(), (file.ctime(), file.ctime_nsec()))
}

/// No device is there but the one by which an overlay is told of what is gone.
fn look(folder: &Path, files: &mut usize) {
    if folder.as_os_str().len() > PATH_BYTES_MAX {
        return;
    }
    // An ordinary user's own folder may keep its owner out, and could then not be removed.
    fs::set_permissions(folder, Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        let kind = metadata.file_type();
        assert!(!kind.is_block_device() && !kind.is_socket(), "{}", path.display());
        assert!(!kind.is_char_device() || metadata.rdev() == 0, "{}", path.display());
        if kind.is_dir() {
            look(&path, files);
        } else {
            *files += 1;
        }
    }
}
