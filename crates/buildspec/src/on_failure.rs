//! The value of `on-failure`.

use crate::model::OnFailure;
use regex::{RegexBuilder, bytes};

/// How often a build is retried when no count is given.
const COUNT_DEFAULT: u32 = 3;
/// The largest count.
const COUNT_MAX: u32 = 100;
/// The most memory a compiled pattern may take, in bytes.
const PATTERN_BYTES_MAX: usize = 256 * 1024;

/// Why a value of `on-failure` means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnFailureError {
    /// It begins with none of the three words.
    #[error("it is none of ABORT, CONTINUE and RETRY")]
    Word,
    /// More retries than allowed.
    #[error("a build is retried at most {COUNT_MAX} times")]
    Count,
    /// A dash with nothing behind it.
    #[error("nothing follows the last dash")]
    Unfinished,
    /// The pattern does not compile.
    #[error("the pattern is not a regular expression: {0}")]
    Pattern(String),
}

impl OnFailure {
    /// Reads `ABORT`, `CONTINUE`, `RETRY`, `RETRY-<count>`, `RETRY-<pattern>` and
    /// `RETRY-<count>-<pattern>`, the word in any case.
    ///
    /// # Errors
    /// The value is none of these, the count is over 100 or the pattern does not compile.
    pub fn parse(text: &str) -> Result<Self, OnFailureError> {
        let text = text.trim();
        let (word, rest) = match text.split_once('-') {
            Some((word, rest)) => (word, Some(rest)),
            None => (text, None),
        };
        match (word.to_ascii_uppercase().as_str(), rest) {
            ("ABORT", None) => Ok(Self::Abort),
            ("CONTINUE", None) => Ok(Self::Continue),
            ("RETRY", None) => Ok(Self::Retry { count: COUNT_DEFAULT, pattern: None }),
            ("RETRY", Some("")) => Err(OnFailureError::Unfinished),
            ("RETRY", Some(rest)) => retry(rest),
            _ => Err(OnFailureError::Word),
        }
    }
}

impl OnFailure {
    /// How many times at most a build is retried that has failed with these texts and is retry
    /// `number` already, 0 being the first try; none when this one is not followed by another.
    pub fn retries(&self, number: u32, said: &[&[u8]]) -> Option<u32> {
        let Self::Retry { count, pattern } = self else { return None };
        let matches = |pattern: &String| {
            let pattern = bytes::RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build();
            pattern.is_ok_and(|pattern| said.iter().any(|text| pattern.is_match(text)))
        };
        (number < *count && pattern.as_ref().is_none_or(matches)).then_some(*count)
    }
}

fn retry(rest: &str) -> Result<OnFailure, OnFailureError> {
    let (head, tail) = match rest.split_once('-') {
        Some((head, tail)) => (head, Some(tail)),
        None => (rest, None),
    };
    if head.is_empty() || !head.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(OnFailure::Retry { count: COUNT_DEFAULT, pattern: Some(pattern(rest)?) });
    }
    let count = head.parse().ok().filter(|count| *count <= COUNT_MAX);
    let count = count.ok_or(OnFailureError::Count)?;
    let pattern = match tail {
        Some("") => return Err(OnFailureError::Unfinished),
        Some(tail) => Some(pattern(tail)?),
        None => None,
    };
    Ok(OnFailure::Retry { count, pattern })
}

fn pattern(text: &str) -> Result<String, OnFailureError> {
    match RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build() {
        Ok(_) => Ok(text.to_owned()),
        Err(regex::Error::CompiledTooBig(_)) => {
            Err(OnFailureError::Pattern("it would take too much memory".to_owned()))
        }
        Err(error) => {
            let whole = error.to_string();
            let last = whole.lines().next_back().unwrap_or_default();
            Err(OnFailureError::Pattern(last.trim_start_matches("error: ").to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OnFailure, OnFailureError};

    fn retry(count: u32, pattern: Option<&str>) -> Result<OnFailure, OnFailureError> {
        Ok(OnFailure::Retry { count, pattern: pattern.map(str::to_owned) })
    }

    #[test]
    fn every_form_is_read() {
        let table = [
            ("ABORT", Ok(OnFailure::Abort)),
            ("abort", Ok(OnFailure::Abort)),
            (" Continue ", Ok(OnFailure::Continue)),
            ("RETRY", retry(3, None)),
            ("RETRY-4", retry(4, None)),
            ("retry-0", retry(0, None)),
            ("RETRY-100", retry(100, None)),
            ("RETRY-invalid+", retry(3, Some("invalid+"))),
            ("RETRY-8-invalid+", retry(8, Some("invalid+"))),
            ("Retry-3-.*connection timed out.*", retry(3, Some(".*connection timed out.*"))),
            ("RETRY-4x", retry(3, Some("4x"))),
            ("RETRY-time-out", retry(3, Some("time-out"))),
            ("RETRY-2-a-b", retry(2, Some("a-b"))),
            ("RETRY--x", retry(3, Some("-x"))),
            ("RETRY-101", Err(OnFailureError::Count)),
            ("RETRY-99999999999", Err(OnFailureError::Count)),
            ("RETRY-", Err(OnFailureError::Unfinished)),
            ("RETRY-3-", Err(OnFailureError::Unfinished)),
            ("ABORT-3", Err(OnFailureError::Word)),
            ("", Err(OnFailureError::Word)),
            ("stop", Err(OnFailureError::Word)),
            ("RETRYX", Err(OnFailureError::Word)),
        ];
        for (text, expected) in table {
            assert_eq!(OnFailure::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_retry_is_for_errors_that_match_and_not_for_ever() {
        let said: &[&[u8]] = &[b"exit status 1", b"\xffconnection timed out\n"];
        let table = [
            ("RETRY", 0, Some(3)),
            ("RETRY", 2, Some(3)),
            ("RETRY", 3, None),
            ("RETRY-0", 0, None),
            ("RETRY-1", 0, Some(1)),
            ("RETRY-.*timed out.*", 0, Some(3)),
            ("RETRY-5-status [12]$", 4, Some(5)),
            ("RETRY-5-^connection", 0, None),
            ("RETRY-refused", 0, None),
            ("ABORT", 0, None),
            ("CONTINUE", 0, None),
        ];
        for (text, number, expected) in table {
            let on_failure = OnFailure::parse(text).expect(text);
            assert_eq!(on_failure.retries(number, said), expected, "{text} {number}");
        }
    }

    #[test]
    fn a_pattern_that_does_not_compile_is_refused() {
        assert!(matches!(OnFailure::parse("RETRY-2-("), Err(OnFailureError::Pattern(_))));
        let bomb = OnFailure::parse("RETRY-((a{1000}){1000}){1000}");
        assert!(matches!(bomb, Err(OnFailureError::Pattern(_))));
    }
}
