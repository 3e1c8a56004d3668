//! What holds of every ZIP, and ZIPs to try it with: for the tests, and for the target in `fuzz`,
//! which brings a `super` of its own.

use super::unzip;
use std::fs::{self, File, Metadata};
use std::io::{Cursor, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What stands beside the folder, and says the same afterwards.
const BESIDE: &str = "beside";
/// Names of one length, so that one may stand in another's place: most of them lead out.
pub(crate) const NAMES: [&str; 6] =
    ["in/a/b/cc", "../beside", "/beside/x", "in/../../", "in\0a/b/cc", "in/link/x"];

/// Numbers that are not easily foreseen, from a seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 8).unwrap() % end
    }
}

/// A ZIP with files of all kinds, links among them.
pub(crate) fn whole(dice: &mut Dice) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let method = [CompressionMethod::Stored, CompressionMethod::Deflated][dice.below(2)];
    let options = SimpleFileOptions::default().compression_method(method).unix_permissions(0o755);
    zip.add_directory("in/folder", options).unwrap();
    for number in 0..1 + dice.below(8) {
        zip.start_file(format!("in/file{number}"), options).unwrap();
        zip.write_all(&vec![b'x'; dice.below(3_000)]).unwrap();
    }
    let target = ["file0", "../..", "folder", "..", "link"][dice.below(5)];
    zip.add_symlink("in/link", target, options).unwrap();
    zip.start_file(NAMES[0], options).unwrap();
    zip.write_all(b"deep").unwrap();
    zip.finish().unwrap().into_inner()
}

/// Unpacks the bytes in a folder of `place`, which is empty, and looks at what has become of it and
/// of what stands beside it.
pub(crate) fn check(bytes: &[u8], place: &Path) {
    let at = |name: &str| place.join(name);
    fs::write(at(BESIDE), BESIDE).unwrap();
    fs::write(at("source.zip"), bytes).unwrap();
    fs::create_dir(at("folder")).unwrap();
    let folder = at("folder").canonicalize().unwrap();
    let before = traits(&fs::symlink_metadata(at(BESIDE)).unwrap());
    let _ = unzip(&File::open(at("source.zip")).unwrap(), &folder);
    assert_eq!(fs::read_to_string(at(BESIDE)).unwrap(), BESIDE);
    assert_eq!(traits(&fs::symlink_metadata(at(BESIDE)).unwrap()), before);
    assert_eq!(fs::read_dir(place).unwrap().count(), 3);
    assert!(!Path::new("/beside").exists());
    let mut files = 0;
    look(&folder, &folder, &mut files);
    // An entry's own record in the archive has 46 bytes at least.
    assert!(files <= bytes.len() / 46, "{files} files of {} bytes", bytes.len());
}

/// What would show that somebody has touched a file, links to it included.
fn traits(file: &Metadata) -> (u64, u64, u32, (i64, i64)) {
    (file.ino(), file.nlink(), file.mode(), (file.ctime(), file.ctime_nsec()))
}

/// There are files, folders and links, and no link leads out of the whole.
fn look(folder: &Path, whole: &Path, files: &mut usize) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            look(&path, whole, files);
            continue;
        }
        *files += 1;
        if kind.is_symlink() {
            let leads_out = path.canonicalize().is_ok_and(|target| !target.starts_with(whole));
            assert!(!leads_out, "{} leads out", path.display());
        } else {
            let mode = entry.metadata().unwrap().mode();
            assert!(kind.is_file() && mode & 0o7000 == 0, "{} has {mode:o}", path.display());
        }
    }
}
