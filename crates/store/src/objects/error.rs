//! What can go wrong with objects: a caller's mistake that can be named, or a fault of ours.

use std::path::PathBuf;
use std::sync::Arc;

/// The result of an operation on objects.
pub type Result<T> = std::result::Result<T, ObjectError>;

/// Why an operation on objects did not happen. Nothing is changed when one is returned.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// No bucket has the name.
    #[error("find the bucket")]
    NoSuchBucket,
    /// The bucket has no object with the key.
    #[error("find the key")]
    NoSuchKey,
    /// The key has no version with the id.
    #[error("find the version")]
    NoSuchVersion,
    /// The text is no version id.
    #[error("read the version id")]
    InvalidVersionId,
    /// No multipart upload has the id, or it is for another key.
    #[error("find the upload")]
    NoSuchUpload,
    /// A bucket has the name already.
    #[error("make a bucket whose name is taken")]
    BucketExists(Box<super::Bucket>),
    /// The bucket still has versions, delete markers or uploads.
    #[error("delete a bucket that is not empty")]
    BucketNotEmpty,
    /// A condition of the caller does not hold; the name of the condition.
    #[error("meet the condition {0}")]
    PreconditionFailed(&'static str),
    /// A part is not there, or its ETag or checksum is another one.
    #[error("find part {0}")]
    InvalidPart(u32),
    /// The parts are not named in ascending order.
    #[error("take parts out of order")]
    InvalidPartOrder,
    /// A part other than the last one is smaller than the store's minimum.
    #[error("take part {number}, which is smaller than allowed")]
    PartTooSmall {
        /// The number of the part.
        number: u32,
        /// Its size in bytes.
        size: u64,
        /// Its ETag, without quotes.
        etag: String,
    },
    /// The checksum that the caller gave for the whole object is another one.
    #[error("match the checksum of the whole object")]
    ChecksumMismatch,
    /// The size that the caller gave for the whole object is another one.
    #[error("match the size of the whole object")]
    SizeMismatch,
    /// The store or the machine failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A failure of the store or of the machine under it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// SQLite refused.
    #[error("use the objects' database")]
    Database(#[source] Arc<rusqlite::Error>),
    /// A file operation failed.
    #[error("{doing} {path}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the machine said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// Bytes that were to be stored could not be read from their source.
    #[error("read the bytes to store")]
    Source(#[source] Arc<std::io::Error>),
    /// A stored value cannot be read.
    #[error("read the stored {0}")]
    Stored(&'static str),
    /// Another process has the folder open.
    #[error("open {0}, which another process has open")]
    InUse(PathBuf),
    /// The store has been closed, or its writer has ended.
    #[error("reach the objects' writer")]
    Closed,
}

impl Fault {
    pub(super) fn file(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Fault {
        let path = path.into();
        move |source| Fault::File { doing, path, source: Arc::new(source) }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Fault::Database(Arc::new(error))
    }
}

impl From<rusqlite::Error> for ObjectError {
    fn from(error: rusqlite::Error) -> Self {
        ObjectError::Fault(error.into())
    }
}
