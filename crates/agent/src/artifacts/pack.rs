//! One ZIP of an artifact's files, written to a file and never held in memory.

use crate::artifacts::select::{Kind, Selected};
use crate::calendar;
use crate::fault::plain;
use md5::Md5;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::time::{SystemTime, UNIX_EPOCH};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Fast first: most artifacts are compressed already, and the store is near.
const COMPRESSION_LEVEL: i64 = 1;
/// Files beyond this need the fields of ZIP64, which must be known before the first byte; half of
/// what the plain fields hold leaves room for a file that still grows.
const PLAIN_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// The checksums of a ZIP, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checksums {
    /// MD5.
    pub(super) md5: String,
    /// SHA-256.
    pub(super) sha256: String,
}

/// Writes the ZIP, and gives its checksums.
pub(super) fn pack(files: &[Selected], into: &File) -> io::Result<Checksums> {
    let mut zip = ZipWriter::new(BufWriter::with_capacity(256 * 1024, into));
    for file in files {
        add(&mut zip, file).map_err(|error| {
            let error = io::Error::from(error);
            io::Error::other(format!("{}: {}", file.path.display(), plain(&error)))
        })?;
    }
    let mut written = zip.finish().map_err(io::Error::from)?;
    written.flush()?;
    checksums(into)
}

fn add<W: Write + Seek>(zip: &mut ZipWriter<W>, file: &Selected) -> Result<(), ZipError> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(COMPRESSION_LEVEL));
    match file.kind {
        Kind::Link => {
            let target = fs::read_link(&file.path)?;
            let options = options.last_modified_time(date_of(&fs::symlink_metadata(&file.path)?));
            zip.add_symlink(&file.name, target.to_string_lossy(), options)
        }
        Kind::Content => {
            let mut content = File::open(&file.path)?;
            let about = content.metadata()?;
            let options = options
                .unix_permissions(about.permissions().mode() & 0o777)
                .last_modified_time(date_of(&about))
                .large_file(about.len() > PLAIN_BYTES_MAX);
            zip.start_file(&file.name, options)?;
            io::copy(&mut content, zip)?;
            Ok(())
        }
    }
}

fn date_of(about: &fs::Metadata) -> DateTime {
    about.modified().ok().and_then(date).unwrap_or_default()
}

/// A ZIP's date for a moment, or none outside 1980 to 2107.
fn date(moment: SystemTime) -> Option<DateTime> {
    let seconds = moment.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let (year, month, day) = calendar::date(seconds / 86_400);
    let byte = |number: u64| u8::try_from(number).ok();
    DateTime::from_date_and_time(
        u16::try_from(year).ok()?,
        byte(month)?,
        byte(day)?,
        byte(seconds / 3_600 % 24)?,
        byte(seconds / 60 % 60)?,
        byte(seconds % 60)?,
    )
    .ok()
}

fn checksums(mut file: &File) -> io::Result<Checksums> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::with_capacity(64 * 1024, file);
    let (mut md5, mut sha256) = (Md5::new(), Sha256::new());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            length => {
                md5.update(&buffer[..length]);
                sha256.update(&buffer[..length]);
            }
        }
    }
    Ok(Checksums { md5: hex::encode(md5.finalize()), sha256: hex::encode(sha256.finalize()) })
}
