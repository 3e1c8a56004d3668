//! Who may do what: the seam between S3 and whoever keeps the service's credentials.

use super::{object, refusal};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::{
    CopyObjectInput, CopySource, DeleteObjectsInput, PostObjectInput, UploadPartCopyInput,
};
use s3s::host::{S3Host, VirtualHost};
use s3s::{S3Request, S3Result};
use std::sync::Arc;

/// Why an access key, or the token that came with it, is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadKey {
    /// Nobody has it.
    Unknown,
    /// Its token is missing, another key's or made up.
    Token,
    /// It was good until a time that has passed.
    Expired,
}

/// Knows the access keys and what each may do. All methods are called for every request and must
/// not block.
pub trait Access: Send + Sync + 'static {
    /// Finds the secret that an access key signs with.
    fn secret(&self, access_key_id: &str) -> Result<String, BadKey>;

    /// Checks the session token that came with a request, or that none did. The signature was good.
    fn check_token(&self, access_key_id: &str, token: Option<&str>) -> Result<(), BadKey>;

    /// Says whether a caller whose signature was good may do something. The action has the form of
    /// IAM's (`s3:GetObject`); bucket and key are the ones it is done to, as far as it has them.
    fn allows(
        &self,
        access_key_id: &str,
        action: &str,
        bucket: Option<&str>,
        key: Option<&str>,
    ) -> bool;
}

/// Finds the secrets for `s3s`.
pub(super) struct Keys(pub(super) Arc<dyn Access>);

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        self.0.secret(access_key).map(SecretKey::from).map_err(refused)
    }
}

fn refused(bad: BadKey) -> s3s::S3Error {
    match bad {
        BadKey::Unknown => refusal::invalid_access_key(),
        BadKey::Token => refusal::invalid_token(),
        BadKey::Expired => refusal::expired_token(),
    }
}

/// Checks each request whose signature was good.
pub(super) struct Gate(pub(super) Arc<dyn Access>);

impl Gate {
    fn allow(
        &self,
        access_key_id: Option<&str>,
        action: &str,
        bucket: Option<&str>,
        key: Option<&str>,
    ) -> S3Result<()> {
        let caller = access_key_id.ok_or_else(refusal::access_denied)?;
        if self.0.allows(caller, action, bucket, key) {
            Ok(())
        } else {
            Err(refusal::access_denied())
        }
    }

    fn allow_source<T>(&self, request: &S3Request<T>, source: &CopySource) -> S3Result<()> {
        // Other forms are refused by the operation.
        let CopySource::Bucket { bucket, key, version_id } = source else { return Ok(()) };
        let action = match version_id {
            None => "s3:GetObject",
            Some(_) => "s3:GetObjectVersion",
        };
        self.allow(caller(request), action, Some(bucket), Some(key))
    }
}

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let credentials = context.credentials().ok_or_else(refusal::access_denied)?;
        let query = |name: &str| {
            let query = context.uri().query().unwrap_or_default().as_bytes();
            form_value(query, name)
        };
        let header = |name: &str| context.headers().get(name).and_then(|it| it.to_str().ok());
        // AWS: the old signature lives on in presigned URLs, which expire; in a header it has no
        // time that would be checked.
        if header("authorization").is_some_and(|it| it.starts_with("AWS ")) {
            return Err(refusal::unsupported_signature());
        }
        let token = header("x-amz-security-token")
            .map(str::to_owned)
            .or_else(|| query("X-Amz-Security-Token"));
        self.0.check_token(&credentials.access_key, token.as_deref()).map_err(refused)?;
        let operation = context.s3_op().name();
        if matches!(operation, "DeleteObjects" | "PostObject") {
            // Their keys are in the body, see below.
            return Ok(());
        }
        let path = context.s3_path();
        let caller = Some(credentials.access_key.as_str());
        let has_version = query("versionId").is_some();
        let action = action(operation, has_version);
        self.allow(caller, &action, path.get_bucket_name(), path.get_object_key())
    }

    async fn delete_objects(&self, request: &mut S3Request<DeleteObjectsInput>) -> S3Result<()> {
        let bucket = Some(request.input.bucket.as_str());
        request.input.delete.objects.iter().try_for_each(|object| {
            let action = action("DeleteObject", object.version_id.is_some());
            self.allow(caller(request), &action, bucket, Some(&object.key))
        })
    }

    async fn post_object(&self, request: &mut S3Request<PostObjectInput>) -> S3Result<()> {
        object::check_form(&request.input)?;
        let PostObjectInput { bucket, key, .. } = &request.input;
        self.allow(caller(request), "s3:PutObject", Some(bucket), Some(key))
    }

    async fn copy_object(&self, request: &mut S3Request<CopyObjectInput>) -> S3Result<()> {
        self.allow_source(request, &request.input.copy_source)
    }

    async fn upload_part_copy(&self, request: &mut S3Request<UploadPartCopyInput>) -> S3Result<()> {
        self.allow_source(request, &request.input.copy_source)
    }
}

/// Tells a bucket's name from a host's.
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    /// Takes the names under which a first label is a bucket.
    pub(super) fn new(names: Vec<String>) -> Self {
        Self(names)
    }
}

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        for own in &self.0 {
            let Some(rest) = name.strip_suffix(own.as_str()) else { continue };
            let labels = rest.strip_suffix('.').unwrap_or(rest);
            // `s3.localhost` is the service, `b.localhost` and `b.s3.localhost` are a bucket.
            let bucket = labels.strip_suffix(".s3").unwrap_or(labels);
            if !bucket.is_empty() && bucket != "s3" && rest.ends_with('.') {
                return Ok(VirtualHost::new(own.as_str()).with_bucket(bucket));
            }
        }
        Ok(VirtualHost::new(host))
    }
}

fn caller<T>(request: &S3Request<T>) -> Option<&str> {
    request.credentials.as_ref().map(|it| it.access_key.as_str())
}

/// IAM's name for what an operation does.
fn action(operation: &str, has_version: bool) -> String {
    let name = match (operation, has_version) {
        ("HeadObject" | "GetObject", false) => "GetObject",
        ("HeadObject" | "GetObject", true) => "GetObjectVersion",
        ("GetObjectAttributes", true) => "GetObjectVersionAttributes",
        ("DeleteObject", true) => "DeleteObjectVersion",
        ("GetObjectTagging", true) => "GetObjectVersionTagging",
        ("PutObjectTagging", true) => "PutObjectVersionTagging",
        ("DeleteObjectTagging", true) => "DeleteObjectVersionTagging",
        (
            "CopyObject"
            | "UploadPart"
            | "UploadPartCopy"
            | "CreateMultipartUpload"
            | "CompleteMultipartUpload"
            | "PostObject",
            _,
        ) => "PutObject",
        ("HeadBucket" | "ListObjects" | "ListObjectsV2", _) => "ListBucket",
        ("ListObjectVersions", _) => "ListBucketVersions",
        ("ListMultipartUploads", _) => "ListBucketMultipartUploads",
        ("ListParts", _) => "ListMultipartUploadParts",
        ("ListBuckets", _) => "ListAllMyBuckets",
        ("GetPublicAccessBlock", _) => "GetBucketPublicAccessBlock",
        ("PutPublicAccessBlock" | "DeletePublicAccessBlock", _) => "PutBucketPublicAccessBlock",
        ("GetBucketEncryption", _) => "GetEncryptionConfiguration",
        ("PutBucketEncryption" | "DeleteBucketEncryption", _) => "PutEncryptionConfiguration",
        ("DeleteBucketTagging", _) => "PutBucketTagging",
        ("DeleteBucketOwnershipControls", _) => "PutBucketOwnershipControls",
        (other, _) => other,
    };
    format!("s3:{name}")
}

/// The first value of a query parameter, decoded.
pub(super) fn form_value(query: &[u8], name: &str) -> Option<String> {
    query.split(|byte| *byte == b'&').find_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (given, value) = pair.split_at(at);
        if given != name.as_bytes() {
            return None;
        }
        let value = value.strip_prefix(b"=").unwrap_or(value);
        let decoded = percent_encoding::percent_decode(value).decode_utf8().ok()?;
        Some(decoded.into_owned())
    })
}
