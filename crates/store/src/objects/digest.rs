//! Digests of bytes as they pass: the MD5 behind an ETag and one additional checksum.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// An algorithm for the additional checksum of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Algorithm {
    /// The CRC of zip and gzip.
    Crc32,
    /// The CRC of iSCSI.
    Crc32c,
    /// The 64-bit CRC of NVMe.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// What a checksum of an object with several parts was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ChecksumKind {
    /// The object's bytes.
    FullObject,
    /// The checksums of its parts, one after the other.
    Composite,
}

/// An additional checksum.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checksum {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// What it was taken over.
    pub kind: ChecksumKind,
    /// The value in base64; a composite one ends in `-` and the number of parts.
    pub value: String,
}

/// Several digests over one pass of the same bytes.
#[derive(Clone)]
pub struct Digests {
    md5: Md5,
    checksums: Vec<Digest>,
    size: u64,
}

impl Digests {
    /// Begins an MD5 and a checksum for each of the algorithms.
    pub fn new(algorithms: &[Algorithm]) -> Self {
        let checksums = algorithms.iter().copied().map(Digest::new).collect();
        Self { md5: Md5::new(), checksums, size: 0 }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.checksums.iter_mut().for_each(|checksum| checksum.update(bytes));
        self.size += bytes.len() as u64;
    }

    /// Returns the MD5 in hexadecimal and the checksums in the order of the algorithms.
    pub fn finish(self) -> (String, Vec<Checksum>) {
        let checksums = self.checksums.into_iter().map(Digest::finish).collect();
        (hex::encode(self.md5.finalize()), checksums)
    }

    /// The number of bytes taken in.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// One checksum under way.
#[derive(Clone)]
pub enum Digest {
    /// A CRC.
    Crc(Algorithm, crc_fast::Digest),
    /// SHA-1.
    Sha1(Sha1),
    /// SHA-256.
    Sha256(Sha256),
}

impl Digest {
    /// Begins a checksum.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 | Algorithm::Crc32c | Algorithm::Crc64Nvme => {
                Digest::Crc(algorithm, crc_fast::Digest::new(crc(algorithm).0))
            }
            Algorithm::Sha1 => Digest::Sha1(Sha1::new()),
            Algorithm::Sha256 => Digest::Sha256(Sha256::new()),
        }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Digest::Crc(_, digest) => digest.update(bytes),
            Digest::Sha1(digest) => digest.update(bytes),
            Digest::Sha256(digest) => digest.update(bytes),
        }
    }

    /// Returns the checksum of all bytes taken in.
    pub fn finish(self) -> Checksum {
        let (algorithm, value) = match self {
            Digest::Crc(algorithm, digest) => (algorithm, crc_text(algorithm, digest.finalize())),
            Digest::Sha1(digest) => (Algorithm::Sha1, STANDARD.encode(digest.finalize())),
            Digest::Sha256(digest) => (Algorithm::Sha256, STANDARD.encode(digest.finalize())),
        };
        Checksum { algorithm, kind: ChecksumKind::FullObject, value }
    }
}

/// Returns the checksum over the parts' checksums; `None` when one of them is no base64.
pub fn composite(algorithm: Algorithm, parts: &[String]) -> Option<Checksum> {
    let mut digest = Digest::new(algorithm);
    for part in parts {
        digest.update(&STANDARD.decode(part).ok()?);
    }
    let value = format!("{}-{}", digest.finish().value, parts.len());
    Some(Checksum { algorithm, kind: ChecksumKind::Composite, value })
}

/// Returns the CRC of the whole from the parts' CRCs and sizes; `None` when the algorithm is no
/// CRC or a part's value is not one of its kind.
pub fn joined(algorithm: Algorithm, parts: &[(String, u64)]) -> Option<Checksum> {
    let is_crc = match algorithm {
        Algorithm::Crc32 | Algorithm::Crc32c | Algorithm::Crc64Nvme => true,
        Algorithm::Sha1 | Algorithm::Sha256 => false,
    };
    if !is_crc {
        return None;
    }
    let (kind, width) = crc(algorithm);
    let mut whole = crc_fast::Digest::new(kind).finalize();
    for (part, size) in parts {
        let bytes = STANDARD.decode(part).ok().filter(|bytes| bytes.len() == width)?;
        let value = bytes.iter().fold(0u64, |value, byte| (value << 8) | u64::from(*byte));
        whole = crc_fast::checksum_combine(kind, whole, value, *size);
    }
    let value = crc_text(algorithm, whole);
    Some(Checksum { algorithm, kind: ChecksumKind::FullObject, value })
}

/// The CRC's parameters and its width in bytes.
fn crc(algorithm: Algorithm) -> (CrcAlgorithm, usize) {
    match algorithm {
        Algorithm::Crc32c => (CrcAlgorithm::Crc32Iscsi, 4),
        Algorithm::Crc64Nvme => (CrcAlgorithm::Crc64Nvme, 8),
        Algorithm::Crc32 | Algorithm::Sha1 | Algorithm::Sha256 => (CrcAlgorithm::Crc32IsoHdlc, 4),
    }
}

fn crc_text(algorithm: Algorithm, value: u64) -> String {
    STANDARD.encode(&value.to_be_bytes()[8 - crc(algorithm).1..])
}
