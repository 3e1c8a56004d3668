//! Checksums: which one a request brings, whether the bytes have it, and giving it back.

use super::refusal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use s3s::dto::{ChecksumAlgorithm, ChecksumType};
use s3s::{S3Result, TrailingHeaders};
use store::objects::{Algorithm, Checksum, ChecksumKind, Received};

/// The algorithms in the order in which clients know them.
pub(super) const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha1, Algorithm::Sha256];

/// Collects the checksum members of an input, in the order of [`ALGORITHMS`].
macro_rules! given {
    ($input:expr) => {
        [
            $input.checksum_crc32.clone(),
            $input.checksum_crc32c.clone(),
            $input.checksum_crc64nvme.clone(),
            $input.checksum_sha1.clone(),
            $input.checksum_sha256.clone(),
        ]
    };
}
pub(super) use given;

/// Sets the checksum member of an output that belongs to the algorithm.
macro_rules! show {
    ($output:expr, $algorithm:expr, $value:expr) => {
        match $algorithm {
            store::objects::Algorithm::Crc32 => $output.checksum_crc32 = $value,
            store::objects::Algorithm::Crc32c => $output.checksum_crc32c = $value,
            store::objects::Algorithm::Crc64Nvme => $output.checksum_crc64nvme = $value,
            store::objects::Algorithm::Sha1 => $output.checksum_sha1 = $value,
            store::objects::Algorithm::Sha256 => $output.checksum_sha256 = $value,
        }
    };
}
pub(super) use show;

/// What a request says about the checksums of its bytes.
pub(super) struct Claim {
    /// The algorithm to compute.
    pub(super) algorithm: Algorithm,
    /// Whether the client chose it.
    pub(super) is_chosen: bool,
    value: Option<String>,
    md5: Option<Vec<u8>>,
    trailers: Option<TrailingHeaders>,
    in_trailer: bool,
}

/// The parts of a request that make a claim.
pub(super) struct Claiming<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) trailers: Option<TrailingHeaders>,
    pub(super) given: [Option<String>; 5],
    pub(super) algorithm: Option<&'a ChecksumAlgorithm>,
    pub(super) content_md5: Option<&'a str>,
}

impl Claim {
    /// Reads the claim; what the client does not choose is the fallback.
    pub(super) fn read(claiming: Claiming<'_>, fallback: Algorithm) -> S3Result<Self> {
        let md5 = claiming.content_md5.map(parse_md5).transpose()?;
        let named = match claiming.algorithm {
            None => None,
            Some(name) => {
                Some(parse(name.as_str()).ok_or_else(refusal::unknown_checksum_algorithm)?)
            }
        };
        let value = only(claiming.given)?;
        let trailer = trailer(claiming.headers);
        let chosen = match (&value, trailer, named) {
            (Some(_), Some(_), _) => return Err(refusal::several_checksums()),
            (Some((algorithm, _)), None, _) => Some(*algorithm),
            (None, Some(algorithm), _) => Some(algorithm),
            (None, None, Some(_)) if md5.is_none() => return Err(refusal::checksum_missing()),
            (None, None, _) => None,
        };
        Ok(Self {
            algorithm: chosen.unwrap_or(fallback),
            is_chosen: chosen.is_some(),
            value: value.map(|(_, value)| value),
            md5,
            trailers: claiming.trailers,
            in_trailer: trailer.is_some(),
        })
    }

    /// Checks what was received and returns its checksum.
    pub(super) fn verify(self, received: &Received) -> S3Result<Checksum> {
        if let Some(md5) = &self.md5
            && hex::encode(md5) != received.md5
        {
            return Err(refusal::md5_mismatch());
        }
        let checksum = received.checksums.first().cloned();
        let checksum = checksum.expect("a body is received with the claim's algorithm");
        let value = if self.in_trailer { Some(self.trailing()?) } else { self.value };
        match value {
            Some(value) if value != checksum.value => {
                Err(refusal::checksum_mismatch(checksum.algorithm))
            }
            _ => Ok(checksum),
        }
    }

    fn trailing(&self) -> S3Result<String> {
        let name = header(self.algorithm);
        let read = |trailers: &TrailingHeaders| {
            trailers.read(|headers| {
                headers.get(&name).and_then(|value| value.to_str().ok()).map(str::to_owned)
            })
        };
        let value = self.trailers.as_ref().and_then(read).flatten();
        let value = value.ok_or_else(refusal::malformed_trailer)?;
        is_valid(self.algorithm, &value)
            .then_some(value)
            .ok_or_else(|| refusal::invalid_checksum(self.algorithm))
    }
}

/// The one checksum among the given members.
pub(super) fn only(given: [Option<String>; 5]) -> S3Result<Option<(Algorithm, String)>> {
    let mut found = None;
    for (algorithm, value) in ALGORITHMS.into_iter().zip(given) {
        let Some(value) = value else { continue };
        if found.is_some() {
            return Err(refusal::several_checksums());
        }
        if !is_valid(algorithm, value.split_once('-').map_or(value.as_str(), |(bare, _)| bare)) {
            return Err(refusal::invalid_checksum(algorithm));
        }
        found = Some((algorithm, value));
    }
    Ok(found)
}

/// Reads an algorithm's name.
pub(super) fn parse(text: &str) -> Option<Algorithm> {
    ALGORITHMS.into_iter().find(|algorithm| name(*algorithm).eq_ignore_ascii_case(text))
}

/// The name of an algorithm.
pub(super) fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Crc32 => ChecksumAlgorithm::CRC32,
        Algorithm::Crc32c => ChecksumAlgorithm::CRC32C,
        Algorithm::Crc64Nvme => ChecksumAlgorithm::CRC64NVME,
        Algorithm::Sha1 => ChecksumAlgorithm::SHA1,
        Algorithm::Sha256 => ChecksumAlgorithm::SHA256,
    }
}

/// What a checksum was taken over, as a member.
pub(super) fn kind(kind: ChecksumKind) -> ChecksumType {
    ChecksumType::from_static(match kind {
        ChecksumKind::FullObject => ChecksumType::FULL_OBJECT,
        ChecksumKind::Composite => ChecksumType::COMPOSITE,
    })
}

fn header(algorithm: Algorithm) -> String {
    format!("x-amz-checksum-{}", name(algorithm).to_ascii_lowercase())
}

fn trailer(headers: &HeaderMap) -> Option<Algorithm> {
    let names = headers.get("x-amz-trailer")?.to_str().ok()?;
    let mut names = names.split(',').map(|name| name.trim().to_ascii_lowercase());
    names.find_map(|name| ALGORITHMS.into_iter().find(|algorithm| header(*algorithm) == name))
}

fn is_valid(algorithm: Algorithm, value: &str) -> bool {
    let length = match algorithm {
        Algorithm::Crc32 | Algorithm::Crc32c => 4,
        Algorithm::Crc64Nvme => 8,
        Algorithm::Sha1 => 20,
        Algorithm::Sha256 => 32,
    };
    STANDARD.decode(value).is_ok_and(|bytes| bytes.len() == length)
}

fn parse_md5(text: &str) -> S3Result<Vec<u8>> {
    let bytes = STANDARD.decode(text).ok().filter(|bytes| bytes.len() == 16);
    bytes.ok_or_else(refusal::invalid_md5)
}
