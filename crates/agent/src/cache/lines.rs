//! What the log says of caches: CodeBuild's lines, and those that say why and how much.

use crate::calendar;
use agent_protocol::Timestamp;
use std::fmt;
use std::time::Duration;

/// A cache in a bucket is fetched.
pub(super) const DOWNLOADING: &str = "Downloading S3 cache...";
/// What was fetched is unpacked.
pub(super) const UNARCHIVING: &str = "Unarchiving cache...";
/// A cache goes to its bucket.
pub(super) const UPLOADING: &str = "Uploading S3 cache...";
/// A failed build keeps nothing.
pub(super) const FAILED: &str = "Skip cache upload: the build did not succeed";
/// The buildspec names no paths, and there are some that are worth it.
pub(super) const BEST_EFFORT: &str =
    "No cache paths in the buildspec: the folders of common package managers are cached";

/// There is nothing that could keep them.
pub(super) const NO_DOCKER_LAYERS: &str = "Skipping the Docker layer cache: it needs privileged \
     mode, which this build does not have";

/// The layers of earlier builds are there, and those of this one will be.
pub(super) fn docker_layers(place: &str) -> String {
    format!("Docker's images and layers are kept for later builds: {place}")
}

/// A path of the buildspec is looked at.
pub(super) fn expanded(path: &str) -> String {
    format!("Expanded cache path {path}")
}

/// Nothing was restored for this reason.
pub(super) fn not_downloaded(reason: impl fmt::Display) -> String {
    format!("Unable to download cache: {reason}")
}

/// Nothing was saved for this reason.
pub(super) fn not_uploaded(reason: impl fmt::Display) -> String {
    format!("Unable to upload cache: {reason}")
}

/// The cache cannot be used at all for this reason.
pub(super) fn not_begun(reason: impl fmt::Display) -> String {
    format!("Unable to initialize cache download: {reason}")
}

/// A file of the cache is none that the buildspec's paths mean.
pub(super) fn not_allowed(path: &str) -> String {
    format!("Skipping cache entry: path \"{path}\" is not within allowed cache paths")
}

/// A folder is made in the local cache.
pub(super) fn mkdir_all(folder: &str) -> String {
    format!("MkdirAll: {folder}")
}

/// A path of the build leads into the local cache.
pub(super) fn symlinking(path: &str, folder: &str) -> String {
    format!("Symlinking: {path} => {folder}")
}

/// A moment, as the log's own lines show it.
pub(super) struct Moment(pub(super) Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.millis() / 1_000;
        let (year, month, day) = calendar::date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}/{month:02}/{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

/// A number of bytes.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
        if self.0 < 1_024 {
            return write!(f, "{} bytes", self.0);
        }
        let mut tenths = u128::from(self.0) * 10 / 1_024;
        let mut unit = 0;
        while tenths >= 10_240 && unit + 1 < UNITS.len() {
            tenths /= 1_024;
            unit += 1;
        }
        write!(f, "{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

/// A stretch of time.
pub(super) struct Seconds(pub(super) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (bytes, shown) in [
            (0, "0 bytes"),
            (1_023, "1023 bytes"),
            (1_024, "1.0 KiB"),
            (1_048_575, "1023.9 KiB"),
            (1_572_864, "1.5 MiB"),
            (5 << 30, "5.0 GiB"),
            (3 << 50, "3072.0 TiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), shown);
        }
        assert_eq!(Seconds(Duration::from_millis(1_250)).to_string(), "1.2 s");
        let moment = Moment(Timestamp::from_millis(1_709_210_096_000)).to_string();
        assert_eq!(moment, "2024/02/29 12:34:56");
    }
}
