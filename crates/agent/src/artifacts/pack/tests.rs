//! ZIPs as other readers see them, and files that change meanwhile.

use super::*;
use std::ffi::OsStr;
use std::io::{BufReader, Cursor, Read};
use std::os::unix::fs::FileExt;
use std::os::unix::fs::symlink;
use std::process::Command;
use tempfile::TempDir;
use zip::ZipArchive;

struct Tree {
    folder: TempDir,
    files: Vec<Selected>,
}

impl Tree {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), files: Vec::new() }
    }

    fn file(mut self, name: impl AsRef<OsStr>, content: &[u8]) -> Self {
        let name = name.as_ref();
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        self.files.push(Selected { path, name: name.to_owned(), kind: Kind::Content });
        self
    }

    fn pack(&self) -> (Checksums, Vec<u8>) {
        let path = self.folder.path().join("out.zip");
        let checksums = pack(&self.files, &File::create(&path).unwrap()).unwrap();
        (checksums, fs::read(&path).unwrap())
    }

    /// What other readers say to the ZIP that was packed last.
    fn judged(&self, program: &str, arguments: &[&str]) -> String {
        let judged = Command::new(program)
            .args(arguments)
            .arg(self.folder.path().join("out.zip"))
            .env("TZ", "UTC")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&[judged.stdout, judged.stderr].concat()).into_owned();
        assert!(judged.status.success(), "{program}: {text}");
        text
    }
}

fn content(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Vec<u8> {
    let mut content = Vec::new();
    archive.by_name(name).unwrap().read_to_end(&mut content).unwrap();
    content
}

/// Bytes of a text that a compressor makes half as long.
fn text(length: usize) -> Vec<u8> {
    (0..)
        .flat_map(|line: u32| format!("{:08x}\n", line.wrapping_mul(2_654_435_761)).into_bytes())
        .take(length)
        .collect()
}

#[test]
fn large_and_small_files_come_back_and_other_readers_agree() {
    let large = text(5 * 1024 * 1024 + 17);
    let exact = text(2 * 1024 * 1024);
    let tree = Tree::new()
        .file("a/empty", b"")
        .file("large.txt", &large)
        .file("a/small", b"small")
        .file("exact", &exact)
        .file("ümlaut", b"utf-8");
    let (checksums, bytes) = tree.pack();
    let mut archive = ZipArchive::new(Cursor::new(&bytes[..])).unwrap();
    assert!(content(&mut archive, "large.txt") == large);
    assert!(content(&mut archive, "exact") == exact);
    assert_eq!(content(&mut archive, "a/small"), b"small");
    assert_eq!(content(&mut archive, "a/empty"), b"");
    assert_eq!(content(&mut archive, "ümlaut"), b"utf-8");
    assert!(bytes.len() < large.len() + exact.len(), "{} bytes", bytes.len());
    use md5::Digest;
    assert_eq!(checksums.md5, hex::encode(md5::Md5::digest(&bytes)));
    assert_eq!(checksums.sha256, hex::encode(sha2::Sha256::digest(&bytes)));
    tree.judged("unzip", &["-tq"]);
    tree.judged("python3", &["-c", PYTHON_READS_ALL]);
}

const PYTHON_READS_ALL: &str =
    "import sys, zipfile; assert zipfile.ZipFile(sys.argv[1]).testzip() is None";

#[test]
fn names_of_any_bytes_links_and_moments_are_kept() {
    use std::os::unix::ffi::OsStrExt;
    let mut tree = Tree::new().file(OsStr::from_bytes(b"caf\xe9"), b"latin");
    let link = tree.folder.path().join("link");
    symlink("caf", &link).unwrap();
    tree.files.push(Selected { path: link, name: "link".into(), kind: Kind::Link });
    let moment = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_709_210_097);
    File::options().write(true).open(&tree.files[0].path).unwrap().set_modified(moment).unwrap();
    let (_, bytes) = tree.pack();
    let mut archive = ZipArchive::new(Cursor::new(&bytes[..])).unwrap();
    let entry = archive.by_index(0).unwrap();
    assert_eq!(entry.name_raw(), b"caf\xe9");
    // Its own fields have steps of two seconds.
    assert_eq!(entry.last_modified().unwrap().to_string(), "2024-02-29 12:34:56");
    drop(entry);
    let mut link = archive.by_index(1).unwrap();
    assert_eq!(link.unix_mode(), Some(0o120_777));
    let mut target = String::new();
    link.read_to_string(&mut target).unwrap();
    assert_eq!(target, "caf");
    // Info-ZIP's field has the second.
    let seen = tree.judged("zipinfo", &["-v"]);
    assert!(seen.contains("2024 Feb 29 12:34:57"), "{seen}");
}

#[test]
fn seventy_thousand_files_need_zip64() {
    let tree = Tree::new().file("one", b"1");
    let mut many = tree.files.clone();
    many.extend(
        (0..70_000).map(|number| Selected {
            name: format!("n{number:05}").into(),
            ..tree.files[0].clone()
        }),
    );
    let path = tree.folder.path().join("out.zip");
    pack(&many, &File::create(&path).unwrap()).unwrap();
    let mut archive = ZipArchive::new(BufReader::new(File::open(&path).unwrap())).unwrap();
    assert_eq!(archive.len(), 70_001);
    assert_eq!(archive.by_index(70_000).unwrap().name_raw(), b"n69999");
    tree.judged("unzip", &["-tq"]);
    tree.judged("python3", &["-c", PYTHON_READS_ALL]);
}

/// Only the headers are as large as they say: an archive of five GiB whose bytes nobody wrote.
#[test]
fn lengths_and_places_beyond_four_gib_stand_in_the_zip64_fields() {
    let about = About { name: b"big", mode: 0o100_644, modified: None, length_max: 5 << 30 };
    let sums = Sums { method: Method::Stored, crc: 0xf4f2_b1b2, length: 5 << 30, kept: 5 << 30 };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("out.zip");
    let mut file = File::create(&path).unwrap();
    let mut header = Vec::new();
    about.local_header(Some(sums), &mut header);
    file.write_all(&header).unwrap();
    let second = header.len() as u64 + sums.kept;
    file.set_len(second).unwrap();
    let small = About { name: b"small", length_max: 1, ..about.clone() };
    let one = Sums { method: Method::Stored, crc: crc32fast::hash(b"1"), length: 1, kept: 1 };
    let mut rest = Vec::new();
    small.local_header(Some(one), &mut rest);
    rest.push(b'1');
    let directory_at = second + rest.len() as u64;
    let directory =
        [about.directory_header(sums, false, 0), small.directory_header(one, false, second)]
            .concat();
    rest.extend_from_slice(&directory);
    rest.extend(zip_format::end(2, directory.len() as u64, directory_at));
    file.write_all_at(&rest, second).unwrap();
    let mut archive = ZipArchive::new(BufReader::new(File::open(&path).unwrap())).unwrap();
    assert_eq!(archive.by_name("big").unwrap().size(), 5 << 30);
    let mut text = String::new();
    archive.by_name("small").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "1");
    let listed = Command::new("zipinfo").arg("-l").arg(&path).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("5368709120"), "{listed}");
}

#[test]
fn a_file_that_grows_or_shrinks_meanwhile_does_not_break_the_zip() {
    let tree = Tree::new().file("grows", &text(3_000_000)).file("shrinks", &text(3_000_000));
    let found: Vec<_> = tree.files.iter().map(|file| Found::look(file).unwrap()).collect();
    fs::write(&tree.files[0].path, text(4_000_000)).unwrap();
    fs::write(&tree.files[1].path, text(1_500_000)).unwrap();
    let path = tree.folder.path().join("out.zip");
    let file = File::create(&path).unwrap();
    let plan = pieces::plan(found.iter().map(|file| file.content.length()), PIECE_BYTES);
    let compressors = Compressors::default();
    summed(|summing| {
        let mut archive = Archive::new(&file, summing);
        for task in plan {
            archive.add(&found, compress(&task, &found, &compressors)?)?;
        }
        archive.finish()
    })
    .unwrap();
    let bytes = fs::read(&path).unwrap();
    let mut archive = ZipArchive::new(Cursor::new(&bytes[..])).unwrap();
    assert!(content(&mut archive, "grows") == text(3_000_000));
    assert!(content(&mut archive, "shrinks") == text(1_500_000));
    tree.judged("unzip", &["-tq"]);
}

#[test]
fn a_file_that_is_gone_is_named() {
    let tree = Tree::new().file("here", b"1").file("gone", b"2");
    fs::remove_file(&tree.files[1].path).unwrap();
    let out = File::create(tree.folder.path().join("out.zip")).unwrap();
    let error = pack(&tree.files, &out).unwrap_err().to_string();
    assert!(error.ends_with("gone: no such file or directory"), "{error}");
}

/// A file that was five GiB when it was found, and has become short since.
#[test]
fn the_descriptor_of_a_large_file_has_long_fields() {
    let tree = Tree::new();
    let about = About { name: b"big", mode: 0o100_644, modified: None, length_max: 5 << 30 };
    let content = text(3_000_000);
    let (mut bytes, start) = (Vec::new(), 0);
    about.local_header(None, &mut bytes);
    let header = bytes.len();
    let compressors = Compressors::default();
    compressors.deflate(&content[..1_000_000], Place::Before, &mut bytes).unwrap();
    compressors.deflate(&content[1_000_000..], Place::Last, &mut bytes).unwrap();
    let sums = Sums {
        method: Method::Deflated,
        crc: crc32fast::hash(&content),
        length: content.len() as u64,
        kept: (bytes.len() - header) as u64,
    };
    about.descriptor(sums, &mut bytes);
    let at = bytes.len() as u64;
    let directory = about.directory_header(sums, true, start);
    bytes.extend_from_slice(&directory);
    bytes.extend(zip_format::end(1, directory.len() as u64, at));
    fs::write(tree.folder.path().join("out.zip"), &bytes).unwrap();
    let mut archive = ZipArchive::new(Cursor::new(&bytes[..])).unwrap();
    assert!(self::content(&mut archive, "big") == content);
    tree.judged("unzip", &["-tq"]);
    tree.judged("python3", &["-c", PYTHON_READS_ALL]);
}
