//! The object store that sources come from and artifacts go to, over plain HTTP with presigned
//! requests. It knows objects and nothing of what they are for.

use crate::fault::plain;
use crate::outcome::Stop;
use crate::parallel;
use agent_protocol::{ObjectStore, S3Location};
use rusty_s3::actions::{CreateMultipartUpload, ListObjectsV2};
use rusty_s3::{Bucket, Credentials, Method, S3Action, UrlStyle};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;
use ureq::http::{Request, Response};
use ureq::{Agent, Body, SendBody};

/// How long a request may wait between being signed and being taken.
const SIGNATURE_LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// Larger files are uploaded in parts.
const SINGLE_PUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
const PART_BYTES_MIN: u64 = 16 * 1024 * 1024;
const PARTS_MAX: u64 = 10_000;
/// How often a request is made that nobody answered properly: a service may restart meanwhile.
const ATTEMPTS_MAX: u32 = 6;
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);
/// Answers that are not objects are small.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why the store did not do what was asked.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    /// It said no.
    #[error(
        "{code}: {message} status code: {status}, request id: {request_id}, host id: {host_id}"
    )]
    Refused {
        /// The store's error code, such as `NoSuchKey`.
        code: String,
        /// The store's own sentence.
        message: String,
        /// The HTTP status.
        status: u16,
        /// The request's id.
        request_id: String,
        /// The host's id.
        host_id: String,
    },
    /// It did not answer, or answered with something that cannot be understood.
    #[error("the object store does not answer: {0}")]
    Unreachable(String),
    /// A file of the environment could not be read or written.
    #[error("{}", plain(.0))]
    Local(#[from] io::Error),
}

impl StoreError {
    fn is_worth_another_attempt(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status >= 500,
            Self::Unreachable(_) => true,
            Self::Local(_) => false,
        }
    }
}

impl StoreError {
    /// Why the phase cannot go on, in a sentence that begins with `prefix`.
    pub(crate) fn stop(&self, prefix: &str) -> Stop {
        let message = format!("{prefix}{self}");
        match self {
            Self::Refused { status, .. } if *status < 500 => Stop::client(message),
            Self::Local(_) => Stop::client(message),
            Self::Refused { .. } | Self::Unreachable(_) => Stop::Unavailable(message),
        }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        error.stop("")
    }
}

impl From<ureq::Error> for StoreError {
    fn from(error: ureq::Error) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// A file on its way into the store.
pub(crate) struct Upload<'a> {
    /// The bucket's name.
    pub(crate) bucket: &'a str,
    /// The object's key.
    pub(crate) key: &'a str,
    /// Names, without `x-amz-meta-`, and values that the object carries.
    pub(crate) metadata: &'a [(&'static str, String)],
    /// The content, all of it.
    pub(crate) file: &'a File,
}

/// A client of the store, to be shared by threads.
pub(crate) struct Client {
    endpoint: String,
    region: String,
    credentials: Credentials,
    http: Agent,
}

impl Client {
    /// A client that has not said anything yet.
    pub(crate) fn new(store: &ObjectStore) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent("buildyard-agent")
            .build();
        let credentials = Credentials::new_with_token(
            &store.credentials.access_key_id,
            &store.credentials.secret_access_key,
            &store.credentials.session_token,
        );
        Self {
            endpoint: store.endpoint.clone(),
            region: store.region.clone(),
            credentials,
            http: Agent::new_with_config(config),
        }
    }

    /// Writes an object's content to `into`, from its beginning.
    pub(crate) fn download(&self, from: &S3Location, into: &File) -> Result<(), StoreError> {
        let bucket = self.bucket(&from.bucket)?;
        persist(|| {
            let mut action = bucket.get_object(Some(&self.credentials), &from.key);
            if let Some(version) = &from.version {
                action.query_mut().insert("versionId", version.as_str());
            }
            let mut answer = self.send(&mut action, SendBody::none())?;
            let mut into = into;
            into.set_len(0)?;
            into.seek(SeekFrom::Start(0))?;
            transfer(&mut answer.body_mut().as_reader(), &mut into)
        })
    }

    /// The keys of all objects below a prefix, in the store's order.
    pub(crate) fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, StoreError> {
        let bucket = self.bucket(bucket)?;
        let mut keys = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = persist(|| {
                let mut action = bucket.list_objects_v2(Some(&self.credentials));
                action.with_prefix(prefix);
                if let Some(token) = &token {
                    action.with_continuation_token(token.as_str());
                }
                let text = text_of(self.send(&mut action, SendBody::none())?)?;
                ListObjectsV2::parse_response(&text).map_err(not_understood)
            })?;
            keys.extend(page.contents.into_iter().map(|object| object.key));
            match page.next_continuation_token {
                Some(next) => token = Some(next),
                None => return Ok(keys),
            }
        }
    }

    /// Uploads a file, in parts when it is large.
    pub(crate) fn upload(&self, upload: &Upload<'_>) -> Result<(), StoreError> {
        let length = upload.file.metadata()?.len();
        if length > SINGLE_PUT_BYTES_MAX {
            return self.upload_in_parts(upload, length);
        }
        let bucket = self.bucket(upload.bucket)?;
        persist(|| {
            let mut action = bucket.put_object(Some(&self.credentials), upload.key);
            describe(&mut action, upload.metadata);
            self.send_slice(&mut action, &mut Slice::new(upload.file, 0, length)).map(drop)
        })
    }

    fn upload_in_parts(&self, upload: &Upload<'_>, length: u64) -> Result<(), StoreError> {
        let bucket = self.bucket(upload.bucket)?;
        let credentials = Some(&self.credentials);
        let begun = persist(|| {
            let mut action = bucket.create_multipart_upload(credentials, upload.key);
            describe(&mut action, upload.metadata);
            let text = text_of(self.send(&mut action, SendBody::none())?)?;
            CreateMultipartUpload::parse_response(&text).map_err(not_understood)
        })?;
        let id = begun.upload_id();
        let done = self.upload_parts(&bucket, upload, length, id).and_then(|tags| {
            persist(|| {
                let tags = tags.iter().map(String::as_str);
                let mut action =
                    bucket.complete_multipart_upload(credentials, upload.key, id, tags.clone());
                let body =
                    bucket.complete_multipart_upload(credentials, upload.key, id, tags).body();
                let answer = self.send_bytes(&mut action, body.as_bytes())?;
                // The store may find out that it cannot after it has begun to answer 200.
                let (parts, mut body) = answer.into_parts();
                let text = read_text(&mut body)?;
                match tag(&text, "Code") {
                    Some(_) => Err(refusal(parts.status.as_u16(), &text, &parts.headers)),
                    None => Ok(()),
                }
            })
        });
        if done.is_err() {
            // The parts are of no use to anybody; the first error is the one to tell.
            let mut action = bucket.abort_multipart_upload(credentials, upload.key, id);
            let _ = self.send(&mut action, SendBody::none());
        }
        done
    }

    fn upload_parts(
        &self,
        bucket: &Bucket,
        upload: &Upload<'_>,
        length: u64,
        id: &str,
    ) -> Result<Vec<String>, StoreError> {
        let part_bytes = PART_BYTES_MIN.max(length.div_ceil(PARTS_MAX));
        let count = u16::try_from(length.div_ceil(part_bytes)).expect("there are at most 10,000");
        let part = |number: u16| {
            let start = u64::from(number - 1) * part_bytes;
            let slice = || Slice::new(upload.file, start, part_bytes.min(length - start));
            persist(|| {
                let credentials = Some(&self.credentials);
                let mut action = bucket.upload_part(credentials, upload.key, number, id);
                let answer = self.send_slice(&mut action, &mut slice())?;
                let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok());
                tag.map(str::to_owned)
                    .ok_or_else(|| StoreError::Unreachable("a part without an ETag".to_owned()))
            })
        };
        let tags = Mutex::new(vec![String::new(); usize::from(count)]);
        let numbers: Vec<u16> = (1..=count).collect();
        parallel::for_each(&numbers, |number| {
            let tag = part(*number)?;
            let mut tags = tags.lock().unwrap_or_else(PoisonError::into_inner);
            tags[usize::from(*number) - 1] = tag;
            Ok::<(), StoreError>(())
        })?;
        Ok(tags.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn bucket(&self, name: &str) -> Result<Bucket, StoreError> {
        let endpoint = self.endpoint.parse().map_err(not_understood)?;
        Bucket::new(endpoint, UrlStyle::Path, name.to_owned(), self.region.clone())
            .map_err(|error| StoreError::Unreachable(format!("{}: {error}", self.endpoint)))
    }

    fn send_slice<'a>(
        &self,
        action: &mut impl S3Action<'a>,
        slice: &mut Slice<'_>,
    ) -> Result<Response<Body>, StoreError> {
        let length = slice.left.to_string();
        action.headers_mut().insert("content-length", length);
        self.send(action, SendBody::from_reader(slice))
    }

    fn send_bytes<'a>(
        &self,
        action: &mut impl S3Action<'a>,
        mut bytes: &[u8],
    ) -> Result<Response<Body>, StoreError> {
        action.headers_mut().insert("content-length", bytes.len().to_string());
        self.send(action, SendBody::from_reader(&mut bytes))
    }

    fn send<'a, A: S3Action<'a>>(
        &self,
        action: &mut A,
        body: SendBody<'_>,
    ) -> Result<Response<Body>, StoreError> {
        let url = action.sign(SIGNATURE_LIFE);
        let method = match A::METHOD {
            Method::Head => "HEAD",
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        };
        let mut request = Request::builder().method(method).uri(url.as_str());
        for (name, value) in action.headers_mut().iter() {
            request = request.header(name, value);
        }
        let request = request.body(body).map_err(not_understood)?;
        let answer = self.http.run(request)?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let (parts, mut body) = answer.into_parts();
        let text = read_text(&mut body).unwrap_or_default();
        Err(refusal(parts.status.as_u16(), &text, &parts.headers))
    }
}

fn describe<'a>(action: &mut impl S3Action<'a>, metadata: &'a [(&'static str, String)]) {
    for (name, value) in metadata {
        action.headers_mut().insert(format!("x-amz-meta-{name}"), value.as_str());
    }
}

/// Tries again while there is hope: the store may be restarting.
fn persist<T>(attempt: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let mut pause = PAUSE_AFTER_FAILURE;
    for _ in 1..ATTEMPTS_MAX {
        match attempt() {
            Err(error) if error.is_worth_another_attempt() => {}
            settled => return settled,
        }
        std::thread::sleep(pause);
        pause *= 2;
    }
    attempt()
}

fn transfer(from: &mut impl Read, into: &mut impl Write) -> Result<(), StoreError> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => into.write_all(&buffer[..length])?,
            Err(error) => return Err(StoreError::Unreachable(error.to_string())),
        }
    }
}

fn not_understood(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unreachable(error.to_string())
}

fn text_of(answer: Response<Body>) -> Result<String, StoreError> {
    read_text(&mut answer.into_body())
}

fn read_text(body: &mut Body) -> Result<String, StoreError> {
    Ok(body.with_config().limit(ANSWER_BYTES_MAX).lossy_utf8(true).read_to_string()?)
}

fn refusal(status: u16, text: &str, headers: &ureq::http::HeaderMap) -> StoreError {
    let header = |name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    StoreError::Refused {
        code: tag(text, "Code").unwrap_or_else(|| "UnknownError".to_owned()),
        message: tag(text, "Message").unwrap_or_default(),
        status,
        request_id: tag(text, "RequestId").unwrap_or_else(|| header("x-amz-request-id")),
        host_id: tag(text, "HostId").unwrap_or_else(|| header("x-amz-id-2")),
    }
}

/// The text of the first element of that name in a store's error document.
fn tag(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&");
    Some(plain)
}

/// A stretch of a file, read without moving the file's own position.
struct Slice<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl<'a> Slice<'a> {
    fn new(file: &'a File, at: u64, left: u64) -> Self {
        Self { file, at, left }
    }
}

impl Read for Slice<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let length = self.file.read_at(&mut buffer[..room], self.at)?;
        self.at += length as u64;
        self.left -= length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_codebuild_shows_it() {
        let xml = "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>The specified \
                   key does not exist.</Message><Key>a&amp;b</Key><RequestId>R1</RequestId></Error>";
        let mut headers = ureq::http::HeaderMap::new();
        headers.insert("x-amz-id-2", "H1".parse().unwrap());
        assert_eq!(
            refusal(404, xml, &headers).to_string(),
            "NoSuchKey: The specified key does not exist. status code: 404, request id: R1, \
             host id: H1"
        );
        assert_eq!(tag(xml, "Key").as_deref(), Some("a&b"));
    }
}
