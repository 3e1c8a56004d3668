//! S3 over the object store: `s3s` reads the requests and checks signatures, this answers them.
//!
//! The trait's impl is the table of contents: each operation is a function in the file named after
//! its noun. Nothing here knows SQL or files.

mod access;
mod acl;
mod attributes;
mod body;
mod bucket;
mod checksum;
mod conditions;
mod copy;
mod envelope;
mod listing;
mod multipart;
mod object;
mod refusal;
mod settings;
mod tagging;
mod uploads;
mod versions;

pub use access::{Access, BadKey};
pub use envelope::S3Service;

use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Request, S3Result, dto};
use std::sync::Arc;
use store::objects::ObjectStore;

/// What the service is told once.
#[derive(Debug, Clone)]
pub struct Config {
    /// The twelve digits of the account that owns every bucket.
    pub account_id: String,
    /// Host names under which `bucket.name` means the bucket; addresses always mean none.
    pub host_names: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { account_id: "000000000000".into(), host_names: vec!["localhost".into()] }
    }
}

/// Makes the service: a fallback for an axum router, or a handler by [`S3Service::handle`].
pub fn service(objects: ObjectStore, access: Arc<dyn Access>, config: Config) -> S3Service {
    let host = access::Hosts::new(config.host_names.clone());
    let mut builder = S3ServiceBuilder::new(Buckets { objects, config });
    builder.set_auth(access::Keys(Arc::clone(&access)));
    builder.set_access(access::Gate(access));
    builder.set_host(host);
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(S3Config::default()))));
    S3Service::new(builder.build())
}

/// The service's state.
struct Buckets {
    objects: ObjectStore,
    config: Config,
}

type Answer<T> = S3Result<s3s::S3Response<T>>;

/// Delegates each operation to the function of the same meaning.
macro_rules! operations {
    ($($name:ident($input:ident) -> $output:ident = $path:path;)*) => {
        #[async_trait::async_trait]
        impl S3 for Buckets {
            $(async fn $name(&self, request: S3Request<dto::$input>) -> Answer<dto::$output> {
                $path(self, request).await
            })*
        }
    };
}

operations! {
    create_bucket(CreateBucketInput) -> CreateBucketOutput = bucket::create;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = bucket::head;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = bucket::delete;
    list_buckets(ListBucketsInput) -> ListBucketsOutput = bucket::list;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = bucket::location;

    put_object(PutObjectInput) -> PutObjectOutput = object::put;
    get_object(GetObjectInput) -> GetObjectOutput = object::get;
    head_object(HeadObjectInput) -> HeadObjectOutput = object::head;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = object::delete;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = object::delete_several;
    get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput
        = attributes::get;
    copy_object(CopyObjectInput) -> CopyObjectOutput = copy::object;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput = copy::part;

    list_objects(ListObjectsInput) -> ListObjectsOutput = listing::objects;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = listing::objects_v2;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput
        = versions::list;

    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput
        = multipart::create;
    upload_part(UploadPartInput) -> UploadPartOutput = multipart::upload_part;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput
        = multipart::complete;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput
        = multipart::abort;
    list_parts(ListPartsInput) -> ListPartsOutput = uploads::list_parts;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput
        = uploads::list;

    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput
        = versions::get_versioning;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput
        = versions::put_versioning;

    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = tagging::get_object;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput = tagging::put_object;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput
        = tagging::delete_object;
    get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput = tagging::get_bucket;
    put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput = tagging::put_bucket;
    delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput
        = tagging::delete_bucket;

    get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput = acl::get_bucket;
    put_bucket_acl(PutBucketAclInput) -> PutBucketAclOutput = acl::put_bucket;
    get_object_acl(GetObjectAclInput) -> GetObjectAclOutput = acl::get_object;
    put_object_acl(PutObjectAclInput) -> PutObjectAclOutput = acl::put_object;

    get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput
        = settings::get_public_access_block;
    put_public_access_block(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput
        = settings::put_public_access_block;
    delete_public_access_block(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput
        = settings::delete_public_access_block;
    get_bucket_ownership_controls(GetBucketOwnershipControlsInput)
        -> GetBucketOwnershipControlsOutput = settings::get_ownership;
    put_bucket_ownership_controls(PutBucketOwnershipControlsInput)
        -> PutBucketOwnershipControlsOutput = settings::put_ownership;
    delete_bucket_ownership_controls(DeleteBucketOwnershipControlsInput)
        -> DeleteBucketOwnershipControlsOutput = settings::delete_ownership;
    get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput
        = settings::get_encryption;
    put_bucket_encryption(PutBucketEncryptionInput) -> PutBucketEncryptionOutput
        = settings::put_encryption;
    delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput
        = settings::delete_encryption;
    get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput = settings::get_policy;
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput = settings::get_cors;
    get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput
        = settings::get_website;
    get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput)
        -> GetBucketLifecycleConfigurationOutput = settings::get_lifecycle;
    get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput
        = settings::get_replication;
    get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput
        = settings::get_logging;
    get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput
        = settings::get_request_payment;
    get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput)
        -> GetBucketAccelerateConfigurationOutput = settings::get_accelerate;
    get_object_lock_configuration(GetObjectLockConfigurationInput)
        -> GetObjectLockConfigurationOutput = settings::get_object_lock;
}
