//! The two spellings of a moment that requests carry, as seconds since 1970-01-01 UTC.

use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

const BASIC: &str = "%Y%m%dT%H%M%SZ";

/// Reads `20150830T123600Z`.
pub(super) fn from_basic(text: &str) -> Option<i64> {
    // strptime is lenient about widths; the length is not.
    let whole = text.len() == "20150830T123600Z".len();
    let civil = whole.then(|| DateTime::strptime(BASIC, text).ok())??;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

/// Reads an HTTP `Date`.
pub(super) fn from_http(text: &str) -> Option<i64> {
    Some(rfc2822::parse(text).ok()?.timestamp().as_second())
}

/// Writes `20150830T123600Z`; a moment that no calendar reaches is written as a number.
pub(super) fn to_basic(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |moment| moment.strftime(BASIC).to_string())
}
