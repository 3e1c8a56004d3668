//! Objects on their way into the store: large ones in parts, several at a time.

use super::client::{Client, read_text, text_of};
use super::error::{StoreError, not_understood, refusal, tag};
use crate::parallel;
use crate::patience::persist;
use rusty_s3::actions::CreateMultipartUpload;
use rusty_s3::{Bucket, S3Action};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};
use ureq::http::Response;
use ureq::{Body, SendBody};

/// Larger files are uploaded in parts.
const SINGLE_PUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
const PART_BYTES_MIN: u64 = 16 * 1024 * 1024;
const PARTS_MAX: u64 = 10_000;

/// Where a new object goes.
#[derive(Clone, Copy)]
pub(crate) struct Destination<'a> {
    /// The bucket's name.
    pub(crate) bucket: &'a str,
    /// The object's key.
    pub(crate) key: &'a str,
    /// Names, without `x-amz-meta-`, and values that the object carries.
    pub(crate) metadata: &'a [(&'static str, String)],
    /// What must be true of the object that it takes the place of.
    pub(crate) condition: Condition,
}

/// What must be true of the object that a new one takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing.
    None,
    /// There is none.
    Absent,
}

impl Client {
    /// Uploads all of a file, in parts when it is large. The object is there as a whole or not at
    /// all.
    pub(crate) fn upload(&self, to: &Destination<'_>, file: &File) -> Result<(), StoreError> {
        let length = file.metadata()?.len();
        if length > SINGLE_PUT_BYTES_MAX {
            let bucket = self.bucket(to.bucket)?;
            let parts = Parts::begin(self, &bucket, to)?;
            return parts.finish(|parts| parts.send_file(file, length));
        }
        self.put(to, length, || Slice::new(file, 0, length))
    }

    /// Puts an object with one request. Its bytes may have to be read again.
    pub(crate) fn put<R: Read>(
        &self,
        to: &Destination<'_>,
        length: u64,
        body: impl Fn() -> R,
    ) -> Result<(), StoreError> {
        let bucket = self.bucket(to.bucket)?;
        persist(|| {
            let mut action = bucket.put_object(Some(&self.credentials), to.key);
            describe(&mut action, to.metadata);
            require(&mut action, to.condition);
            self.send_body(&mut action, &mut body(), length).map(drop)
        })
    }

    /// Sends a request with a body of this length.
    fn send_body<'a>(
        &self,
        action: &mut impl S3Action<'a>,
        body: &mut impl Read,
        length: u64,
    ) -> Result<Response<Body>, StoreError> {
        action.headers_mut().insert("content-length", length.to_string());
        self.send(action, SendBody::from_reader(body))
    }
}

/// Has a new object carry metadata.
fn describe<'a>(action: &mut impl S3Action<'a>, metadata: &'a [(&'static str, String)]) {
    for (name, value) in metadata {
        action.headers_mut().insert(format!("x-amz-meta-{name}"), value.as_str());
    }
}

/// Has the store refuse a new object when the condition is not met.
fn require<'a>(action: &mut impl S3Action<'a>, condition: Condition) {
    match condition {
        Condition::None => {}
        Condition::Absent => {
            action.headers_mut().insert("if-none-match", "*");
        }
    }
}

/// An upload in parts that has begun.
pub(super) struct Parts<'a> {
    client: &'a Client,
    bucket: &'a Bucket,
    to: Destination<'a>,
    id: String,
    /// The ETags of the parts that are there, by number.
    tags: Mutex<Vec<String>>,
}

impl<'a> Parts<'a> {
    /// Begins an upload, which holds nothing yet.
    pub(super) fn begin(
        client: &'a Client,
        bucket: &'a Bucket,
        to: &Destination<'a>,
    ) -> Result<Self, StoreError> {
        let begun = persist(|| {
            let mut action = bucket.create_multipart_upload(Some(&client.credentials), to.key);
            describe(&mut action, to.metadata);
            let text = text_of(client.send(&mut action, SendBody::none())?)?;
            CreateMultipartUpload::parse_response(&text).map_err(not_understood)
        })?;
        let id = begun.upload_id().to_owned();
        Ok(Self { client, bucket, to: *to, id, tags: Mutex::default() })
    }

    /// Sends the parts and makes the object of them, or leaves nothing behind.
    pub(super) fn finish<E: From<StoreError>>(
        &self,
        send: impl FnOnce(&Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let done = send(self).and_then(|()| Ok(self.complete()?));
        if done.is_err() {
            // The parts are of no use to anybody; the first error is the one to tell.
            let credentials = Some(&self.client.credentials);
            let mut action = self.bucket.abort_multipart_upload(credentials, self.to.key, &self.id);
            let _ = self.client.send(&mut action, SendBody::none());
        }
        done
    }

    fn send_file(&self, file: &File, length: u64) -> Result<(), StoreError> {
        let part_bytes = PART_BYTES_MIN.max(length.div_ceil(PARTS_MAX));
        let count = u16::try_from(length.div_ceil(part_bytes)).expect("there are at most 10,000");
        let numbers: Vec<u16> = (1..=count).collect();
        parallel::for_each(&numbers, |number| {
            let start = u64::from(number - 1) * part_bytes;
            let length = part_bytes.min(length - start);
            self.send(*number, length, || Slice::new(file, start, length))
        })
    }

    /// Sends one part, whose bytes may have to be read again.
    pub(super) fn send<R: Read>(
        &self,
        number: u16,
        length: u64,
        body: impl Fn() -> R,
    ) -> Result<(), StoreError> {
        let tag = persist(|| {
            let credentials = Some(&self.client.credentials);
            let mut action = self.bucket.upload_part(credentials, self.to.key, number, &self.id);
            let answer = self.client.send_body(&mut action, &mut body(), length)?;
            let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok());
            tag.map(str::to_owned).ok_or_else(|| not_understood("a part without an ETag"))
        })?;
        let mut tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        let at = usize::from(number);
        if tags.len() < at {
            tags.resize(at, String::new());
        }
        tags[at - 1] = tag;
        Ok(())
    }

    fn complete(&self) -> Result<(), StoreError> {
        let tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        let attempts = Cell::new(0);
        let completed = persist(|| {
            attempts.set(attempts.get() + 1);
            let action = || {
                let tags = tags.iter().map(String::as_str);
                let credentials = Some(&self.client.credentials);
                self.bucket.complete_multipart_upload(credentials, self.to.key, &self.id, tags)
            };
            let body = action().body();
            let length = body.len() as u64;
            let mut action = action();
            require(&mut action, self.to.condition);
            let answer = self.client.send_body(&mut action, &mut body.as_bytes(), length)?;
            // The store may find out that it cannot after it has begun to answer 200.
            let (parts, mut body) = answer.into_parts();
            let text = read_text(&mut body)?;
            match tag(&text, "Code") {
                Some(_) => Err(refusal(parts.status.as_u16(), &text, &parts.headers)),
                None => Ok(()),
            }
        });
        match completed {
            // Nobody else knows the upload's id: an attempt whose answer was lost has ended it.
            Err(error)
                if attempts.get() > 1
                    && error.refused().is_some_and(|(code, _)| code == "NoSuchUpload") =>
            {
                Ok(())
            }
            completed => completed,
        }
    }
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
