//! The store as its users see it: asynchronous, cheap to clone.

use super::bucket::{self, Bucket, NewBucket, Versioning};
use super::condition::Condition;
use super::content::Content;
use super::digest::{Algorithm, Checksum, Digests};
use super::error::{Fault, ObjectError, Result};
use super::files::Files;
use super::listing::{self, After, Listed, Listing, ListingQuery, VersionAfter};
use super::object::{self, Body, Deleted, NewObject, Target};
use super::receive::{self, ReceiveError, Received, Receiving, blocking};
use super::schema;
use super::upload::{
    self, Completed, Completion, ListedUpload, NewUpload, Part, Upload, UploadPage,
};
use super::version::{Attributes, Version};
use super::writer::{Batch, Writer};
use bytes::Bytes;
use futures::Stream;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many idle connections are kept for reading.
const READERS: usize = 4;

/// Buckets and objects in a folder.
#[derive(Clone)]
pub struct ObjectStore {
    inner: Arc<Inner>,
}

struct Inner {
    writer: Mutex<Option<Writer>>,
    database: PathBuf,
    readers: Mutex<Vec<Connection>>,
    files: Arc<Files>,
    /// Locked for as long as the store is open.
    _lock: File,
}

impl Drop for Inner {
    fn drop(&mut self) {
        lock(&self.writer).take();
        self.files.close();
    }
}

impl ObjectStore {
    /// Opens the store in a folder, which is made when it is not there, and removes what a process
    /// that was killed left half done. Fails when another process has the folder open. Blocks.
    pub fn open(folder: impl AsRef<Path>) -> std::result::Result<Self, Fault> {
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder).map_err(Fault::file("create", folder))?;
        let path = folder.join("objects.lock");
        let opened = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = opened.map_err(Fault::file("open", &path))?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => Fault::InUse(folder.to_path_buf()),
            std::fs::TryLockError::Error(error) => Fault::file("lock", &path)(error),
        })?;
        let database = folder.join("objects.db");
        let connection = schema::open_writer(&database)?;
        let files = Files::open(folder)?;
        sweep(&connection, &files)?;
        let writer = Writer::start(connection, Arc::clone(&files))?;
        Ok(Self {
            inner: Arc::new(Inner {
                writer: Mutex::new(Some(writer)),
                database,
                readers: Mutex::default(),
                files,
                _lock: lock,
            }),
        })
    }

    /// Makes a bucket; its name must be free.
    pub async fn create_bucket(&self, new: NewBucket) -> Result<Bucket> {
        self.write(move |batch| bucket::create(batch, &new)).await
    }

    /// Finds a bucket.
    pub async fn bucket(&self, name: &str) -> Result<Bucket> {
        let name = name.to_owned();
        self.read(move |connection| bucket::find(connection, &name)).await
    }

    /// Lists all buckets by name.
    pub async fn buckets(&self) -> Result<Vec<Bucket>> {
        self.read(bucket::all).await
    }

    /// Deletes a bucket that holds no version of any object; forgets its uploads.
    pub async fn delete_bucket(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.write(move |batch| bucket::delete(batch, &name)).await
    }

    /// Sets whether a bucket keeps old versions.
    pub async fn set_versioning(&self, name: &str, versioning: Versioning) -> Result<()> {
        let name = name.to_owned();
        self.write(move |batch| bucket::set_versioning(batch, &name, versioning)).await
    }

    /// Replaces a bucket's tags.
    pub async fn set_bucket_tags(&self, name: &str, tags: Vec<(String, String)>) -> Result<()> {
        let name = name.to_owned();
        self.write(move |batch| bucket::set_tags(batch, &name, &tags)).await
    }

    /// Keeps a setting of a bucket for the caller, or forgets it.
    pub async fn set_bucket_setting(
        &self,
        name: &str,
        setting: &'static str,
        value: Option<String>,
    ) -> Result<()> {
        let name = name.to_owned();
        self.write(move |batch| bucket::set_setting(batch, &name, setting, value)).await
    }

    /// Begins to receive bytes piece by piece; the caller's thread does the work.
    pub fn receiving(&self, algorithms: &[Algorithm]) -> Receiving {
        Receiving::new(&self.inner.files, algorithms)
    }

    /// Receives a stream. The bytes are durable afterwards, but no object yet.
    pub async fn receive<S, E>(
        &self,
        stream: S,
        algorithms: &[Algorithm],
    ) -> std::result::Result<Received, ReceiveError<E>>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Unpin,
    {
        receive::receive(self.receiving(algorithms), stream).await
    }

    /// Puts an object; it is there, whole and durable, when this returns.
    pub async fn put(&self, new: NewObject) -> Result<(Bucket, Version)> {
        self.write(move |batch| object::put(batch, new)).await
    }

    /// Finds an object's version and its bucket; the newest version may be a delete marker.
    pub async fn find(&self, target: Target) -> Result<(Bucket, Version)> {
        self.read(move |connection| object::find(connection, &target)).await
    }

    /// Finds an object's version with its bytes, which stay readable while they are held.
    pub async fn open_object(&self, target: Target) -> Result<(Bucket, Version, Content)> {
        let files = Arc::clone(&self.inner.files);
        self.read(move |connection| {
            let _look_up = files.look_up();
            let (bucket, version) = object::find(connection, &target)?;
            let content = Content::load(connection, &files, &version.extents)?;
            Ok((bucket, version, content))
        })
        .await
    }

    /// Digests bytes that are stored.
    pub async fn digest(
        &self,
        content: Content,
        algorithms: Vec<Algorithm>,
    ) -> std::result::Result<(String, Vec<Checksum>), Fault> {
        blocking(move || {
            let mut sink = DigestSink(Digests::new(&algorithms));
            content
                .copy_to(&mut std::io::BufWriter::with_capacity(256 * 1024, &mut sink))
                .map_err(Fault::file("read", "an object's blob"))?;
            Ok(sink.0.finish())
        })
        .await
    }

    /// Deletes an object as its bucket's versioning says. What is not there is deleted already.
    pub async fn delete(&self, target: Target, condition: Condition) -> Result<(Bucket, Deleted)> {
        self.write(move |batch| {
            let bucket = bucket::find(batch.connection, &target.bucket)?;
            let deleted = object::delete(batch, &bucket, &target, &condition)?;
            Ok((bucket, deleted))
        })
        .await
    }

    /// Deletes several objects of one bucket together.
    pub async fn delete_all(
        &self,
        bucket: &str,
        targets: Vec<(Target, Condition)>,
    ) -> Result<Vec<Result<Deleted>>> {
        let bucket = bucket.to_owned();
        self.write(move |batch| {
            let bucket = bucket::find(batch.connection, &bucket)?;
            let delete = |(target, condition): &(Target, Condition)| {
                object::delete(batch, &bucket, target, condition)
            };
            let outcomes: Vec<_> = targets.iter().map(delete).collect();
            outcomes.into_iter().map(refused_or_deleted).collect()
        })
        .await
    }

    /// Replaces the tags of an object's version.
    pub async fn set_tags(
        &self,
        target: Target,
        tags: Vec<(String, String)>,
    ) -> Result<(Bucket, Version)> {
        self.write(move |batch| object::set_tags(batch, &target, &tags)).await
    }

    /// Lists a bucket's objects.
    pub async fn list(
        &self,
        bucket: &str,
        query: ListingQuery,
        after: Option<After>,
    ) -> Result<Listing<Listed>> {
        let name = bucket.to_owned();
        self.read(move |connection| {
            let bucket = bucket::find(connection, &name)?;
            listing::objects(connection, bucket.row, &query, after.as_ref())
        })
        .await
    }

    /// Lists a bucket's versions and delete markers.
    pub async fn list_versions(
        &self,
        bucket: &str,
        query: ListingQuery,
        after: Option<VersionAfter>,
    ) -> Result<Listing<Listed>> {
        let name = bucket.to_owned();
        self.read(move |connection| {
            let bucket = bucket::find(connection, &name)?;
            listing::versions(connection, bucket.row, &query, after.as_ref())
        })
        .await
    }

    /// Begins a multipart upload and returns its id.
    pub async fn create_upload(&self, new: NewUpload) -> Result<String> {
        self.write(move |batch| upload::create(batch, &new)).await
    }

    /// Finds an upload of a key.
    pub async fn upload(&self, bucket: &str, key: &str, id: &str) -> Result<(Bucket, Upload)> {
        let (bucket, key, id) = (bucket.to_owned(), key.to_owned(), id.to_owned());
        self.read(move |connection| upload::find(connection, &bucket, &key, &id)).await
    }

    /// Lists a bucket's uploads; `after` is a key and, within it, the id of an upload.
    pub async fn list_uploads(
        &self,
        bucket: &str,
        query: ListingQuery,
        after: Option<(After, Option<String>)>,
    ) -> Result<Listing<ListedUpload>> {
        let name = bucket.to_owned();
        self.read(move |connection| {
            let bucket = bucket::find(connection, &name)?;
            upload::list(connection, bucket.row, &query, after.as_ref())
        })
        .await
    }

    /// Lists the parts of an upload whose numbers come after the given one.
    pub async fn parts(
        &self,
        (bucket, key, id): (String, String, String),
        after: u32,
        limit: usize,
    ) -> Result<UploadPage> {
        self.read(move |connection| {
            let (_, upload) = upload::find(connection, &bucket, &key, &id)?;
            let (parts, is_truncated) = upload::parts(connection, &upload.id, after, limit)?;
            Ok(UploadPage { upload, parts, is_truncated })
        })
        .await
    }

    /// Keeps a part of an upload, in place of one with the same number.
    pub async fn put_part(
        &self,
        id: &str,
        number: u32,
        body: Body,
        checksum: Option<String>,
    ) -> Result<Part> {
        let id = id.to_owned();
        self.write(move |batch| upload::put_part(batch, &id, number, body, checksum.as_deref()))
            .await
    }

    /// Makes an object out of an upload's parts, without copying a byte.
    pub async fn complete(&self, completion: Completion) -> Result<Completed> {
        self.write(move |batch| upload::complete(batch, &completion)).await
    }

    /// Forgets an upload and its parts.
    pub async fn abort(&self, bucket: &str, key: &str, id: &str) -> Result<()> {
        let (bucket, key, id) = (bucket.to_owned(), key.to_owned(), id.to_owned());
        self.write(move |batch| upload::abort(batch, &bucket, &key, &id)).await
    }

    /// Puts everything that a reader gives as an object.
    pub async fn put_reader(
        &self,
        target: Target,
        mut reader: impl Read + Send + 'static,
        attributes: Attributes,
    ) -> Result<(Bucket, Version)> {
        let exists = {
            let bucket = target.bucket.clone();
            self.read(move |connection| bucket::exists(connection, &bucket)).await?
        };
        if !exists {
            return Err(ObjectError::NoSuchBucket);
        }
        let mut receiving = self.receiving(&[Algorithm::Crc64Nvme]);
        let received = blocking(move || {
            let mut buffer = vec![0; 256 * 1024];
            loop {
                let read =
                    reader.read(&mut buffer).map_err(|error| Fault::Source(Arc::new(error)))?;
                match buffer.get(..read) {
                    Some(bytes) if read > 0 => receiving.write(bytes)?,
                    _ => return receiving.finish(),
                }
            }
        })
        .await?;
        self.put(NewObject {
            bucket: target.bucket,
            key: target.key,
            checksum: received.checksums.first().cloned(),
            body: Body::Received(received),
            storage_class: None,
            tags: Vec::new(),
            attributes,
            condition: Condition::default(),
        })
        .await
    }

    /// Puts a file's bytes as an object.
    pub async fn put_path(
        &self,
        target: Target,
        path: impl AsRef<Path>,
        attributes: Attributes,
    ) -> Result<(Bucket, Version)> {
        let file = File::open(path.as_ref()).map_err(Fault::file("open", path.as_ref()))?;
        self.put_reader(target, file, attributes).await
    }

    /// Writes an object's bytes to a writer; a delete marker is no object.
    pub async fn copy_to(
        &self,
        target: Target,
        mut writer: impl Write + Send + 'static,
    ) -> Result<Version> {
        let (_, version, content) = self.open_object(target).await?;
        if version.is_marker {
            return Err(ObjectError::NoSuchKey);
        }
        blocking(move || {
            content
                .copy_to(&mut writer)
                .and_then(|_| writer.flush())
                .map_err(Fault::file("copy out", "an object"))
        })
        .await?;
        Ok(version)
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        let work = move || {
            let idle = lock(&inner.readers).pop();
            let mut connection = match idle {
                Some(connection) => connection,
                None => schema::open_reader(&inner.database)?,
            };
            // One snapshot for everything that the closure reads.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            let outcome = read(&transaction);
            drop(transaction);
            let mut readers = lock(&inner.readers);
            if readers.len() < READERS {
                readers.push(connection);
            }
            Ok(outcome)
        };
        blocking(work).await?
    }

    async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Batch<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let answer = match lock(&self.inner.writer).as_ref() {
            Some(writer) => writer.submit(change),
            None => return Err(Fault::Closed.into()),
        };
        answer.await.unwrap_or(Err(ObjectError::Fault(Fault::Closed)))
    }
}

struct DigestSink(Digests);

impl Write for &mut DigestSink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// In a deletion of several, a refusal is that object's own; a fault is everybody's.
fn refused_or_deleted(outcome: Result<Deleted>) -> Result<Result<Deleted>> {
    match outcome {
        Err(ObjectError::Fault(fault)) => Err(fault.into()),
        outcome => Ok(outcome),
    }
}

/// Removes what a killed process left: files that no row names, and files that no row names any
/// more. Files that a row names move to their lasting place.
fn sweep(connection: &Connection, files: &Files) -> std::result::Result<(), Fault> {
    let mut named = connection.prepare("SELECT 1 FROM blob WHERE file = ?1")?;
    for file in files.incoming()? {
        match named.query_row([&file], |_| Ok(())).optional()? {
            Some(()) => files.adopt(file),
            None => files.discard(&file),
        }
    }
    let mut garbage = connection.prepare("SELECT file FROM garbage")?;
    for file in garbage.query_map([], |row| row.get::<_, String>(0))? {
        files.doom(file?);
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
