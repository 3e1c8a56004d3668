//! Objects on their way out of the store: large ones in stretches, several at a time.

use super::client::Client;
use super::error::{StoreError, not_understood};
use crate::parallel;
use crate::patience::persist;
use agent_protocol::S3Location;
use rusty_s3::S3Action;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use ureq::SendBody;
use ureq::http::Response;
use ureq::{Body, http::HeaderMap};

/// What one request asks for.
const STRETCH_BYTES: u64 = 16 * 1024 * 1024;
/// How often an object is read again that another takes the place of meanwhile.
const REPLACED_MAX: u32 = 4;
const PRECONDITION_FAILED: u16 = 412;
const RANGE_NOT_SATISFIABLE: u16 = 416;

/// Which bytes of an object are asked for.
#[derive(Clone, Debug)]
enum Asked {
    /// All of them.
    All,
    /// Some of them, of any object that has the key.
    First(Range<u64>),
    /// Some of them, of the object with this ETag.
    Of(Range<u64>, String),
    /// So many at the end.
    Last(u64),
}

/// A part of an object.
pub(crate) struct ObjectPart {
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// How many bytes the whole object has.
    pub(crate) length: u64,
    /// The object's ETag.
    pub(crate) tag: String,
}

impl Client {
    /// Reads the last bytes of an object, or all of it when it is not longer.
    pub(crate) fn read_end(
        &self,
        from: &S3Location,
        bytes_max: u64,
    ) -> Result<ObjectPart, StoreError> {
        persist(|| {
            let answer = match self.ask(from, &Asked::Last(bytes_max)) {
                // An empty object has no last byte.
                Err(error) if is_status(&error, RANGE_NOT_SATISFIABLE) => {
                    self.ask(from, &Asked::All)?
                }
                answer => answer?,
            };
            let whole = Whole::read(answer.headers())?;
            let tag = header(answer.headers(), "etag").unwrap_or_default().to_owned();
            let mut bytes = Vec::new();
            answer.into_body().into_reader().read_to_end(&mut bytes).map_err(not_understood)?;
            let length = whole.map_or(bytes.len() as u64, |whole| whole.length);
            Ok(ObjectPart { bytes, length, tag })
        })
    }

    /// Begins to read some bytes of the object with this ETag.
    pub(crate) fn read_range(
        &self,
        from: &S3Location,
        range: Range<u64>,
        tag: &str,
    ) -> Result<impl Read + use<>, StoreError> {
        let answer = self.ask(from, &Asked::Of(range, tag.to_owned()))?;
        match Whole::read(answer.headers())? {
            Some(_) => Ok(answer.into_body().into_reader()),
            None => Err(not_understood("a range was asked for and not given")),
        }
    }

    /// Writes an object's content to `into`, which holds nothing else afterwards.
    pub(crate) fn download(&self, from: &S3Location, into: &File) -> Result<(), StoreError> {
        for _ in 1..REPLACED_MAX {
            match self.download_once(from, into) {
                Err(error) if is_status(&error, PRECONDITION_FAILED) => {}
                settled => return settled,
            }
        }
        self.download_once(from, into)
    }

    fn download_once(&self, from: &S3Location, into: &File) -> Result<(), StoreError> {
        into.set_len(0)?;
        let first = persist(|| match self.fetch(from, &Asked::First(0..STRETCH_BYTES), into) {
            // An empty object has no first byte.
            Err(error) if is_status(&error, RANGE_NOT_SATISFIABLE) => {
                self.fetch(from, &Asked::All, into)
            }
            fetched => fetched,
        })?;
        let Some(Whole { length, tag }) = first else { return Ok(()) };
        let starts: Vec<u64> =
            (STRETCH_BYTES..length).step_by(usize::try_from(STRETCH_BYTES).unwrap_or(1)).collect();
        parallel::for_each(&starts, |start| {
            let stretch = *start..length.min(start + STRETCH_BYTES);
            persist(|| self.fetch(from, &Asked::Of(stretch.clone(), tag.clone()), into)).map(drop)
        })
    }

    /// Fetches what is asked for and writes it where it belongs. What the whole is, is known from an
    /// answer that is a part of it.
    fn fetch(
        &self,
        from: &S3Location,
        asked: &Asked,
        into: &File,
    ) -> Result<Option<Whole>, StoreError> {
        let answer = self.ask(from, asked)?;
        let whole = Whole::read(answer.headers())?;
        let start = match asked {
            // A store that does not know ranges gives everything.
            Asked::First(_) if whole.is_none() => 0,
            Asked::All | Asked::Last(_) => 0,
            Asked::First(range) | Asked::Of(range, _) => range.start,
        };
        if let (Asked::Of(..), None) = (asked, &whole) {
            return Err(not_understood("a range was asked for and not given"));
        }
        let written = transfer(&mut answer.into_body().as_reader(), into, start)?;
        match (asked, &whole) {
            (Asked::Of(range, _), _) if written != range.end - range.start => {
                Err(not_understood("a stretch ended early"))
            }
            (Asked::First(range), Some(whole)) if written != whole.length.min(range.end) => {
                Err(not_understood("a stretch ended early"))
            }
            _ => Ok(whole),
        }
    }

    fn ask(&self, from: &S3Location, asked: &Asked) -> Result<Response<Body>, StoreError> {
        let bucket = self.bucket(&from.bucket)?;
        let mut action = bucket.get_object(Some(&self.credentials), &from.key);
        if let Some(version) = &from.version {
            action.query_mut().insert("versionId", version.as_str());
        }
        let range = match asked {
            Asked::All => None,
            Asked::First(range) | Asked::Of(range, _) => {
                Some(format!("bytes={}-{}", range.start, range.end - 1))
            }
            Asked::Last(count) => Some(format!("bytes=-{count}")),
        };
        if let Some(range) = range {
            action.headers_mut().insert("range", range);
        }
        if let Asked::Of(_, tag) = asked {
            action.headers_mut().insert("if-match", tag.clone());
        }
        self.send(&mut action, SendBody::none())
    }
}

/// An object that only a part was given of.
struct Whole {
    length: u64,
    tag: String,
}

impl Whole {
    fn read(headers: &HeaderMap) -> Result<Option<Self>, StoreError> {
        let Some(range) = header(headers, "content-range") else { return Ok(None) };
        let length = range.rsplit_once('/').and_then(|(_, length)| length.parse().ok());
        match (length, header(headers, "etag")) {
            (Some(length), Some(tag)) => Ok(Some(Self { length, tag: tag.to_owned() })),
            _ => Err(not_understood(format!("a part of an object without its length: {range}"))),
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn is_status(error: &StoreError, wanted: u16) -> bool {
    error.refused().is_some_and(|(_, status)| status == wanted)
}

fn transfer(from: &mut impl Read, into: &File, start: u64) -> Result<u64, StoreError> {
    let mut buffer = vec![0; 128 * 1024];
    let mut written = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(written),
            Ok(length) => {
                into.write_all_at(&buffer[..length], start + written)?;
                written += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(StoreError::Unreachable(error.to_string())),
        }
    }
}
