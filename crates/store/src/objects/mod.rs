//! Buckets and objects: rows in `objects.db`, bytes in files.
//!
//! An object version is a row that names **extents**, slices of immutable **blobs**. A blob is a
//! file, or bytes in the database when it is small. Blobs count the rows that use them, so a copy
//! and the completion of a multipart upload move rows and never bytes.
//!
//! A row is what publishes bytes: a file is written under a name nobody knows into `incoming/`,
//! made durable, and then named by a row in one committed transaction. A process that is killed at
//! any moment leaves the old object or the new one. Files go the other way: the transaction that
//! drops the last use of a blob writes its name to `garbage`, and the file is removed afterwards.
//! Start-up therefore looks at `incoming/` and `garbage` alone, whose size is what was under way.
//!
//! This module knows S3's nouns and rules of storage; it knows no HTTP, XML or error code.

mod blob;
mod bucket;
mod condition;
mod content;
mod digest;
mod error;
mod files;
mod listing;
mod object;
mod receive;
mod schema;
mod store;
#[cfg(test)]
mod tests;
mod upload;
mod version;
mod writer;

pub use blob::Extent;
pub use bucket::{Bucket, NewBucket, Versioning};
pub use condition::Condition;
pub use content::{Content, ContentStream};
pub use digest::{Algorithm, Checksum, ChecksumKind, Digest, Digests, composite, joined};
pub use error::{Fault, ObjectError, Result};
pub use listing::{After, Listed, Listing, ListingItem, ListingQuery, VersionAfter};
pub use object::{Body, Deleted, NewObject, Target};
pub use receive::{ReceiveError, Received, Receiving};
pub use store::ObjectStore;
pub use upload::{
    Completed, Completion, ListedUpload, NamedPart, NewUpload, Part, Upload, UploadPage,
};
pub use version::{Attributes, StoredPart, Version, VersionId};
