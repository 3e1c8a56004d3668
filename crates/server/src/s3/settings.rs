//! Settings of buckets: those that are kept, and the honest "none" for those that are not.

use super::{Answer, Buckets, refusal};
use s3s::dto::{
    DeleteBucketEncryptionInput, DeleteBucketEncryptionOutput, DeleteBucketOwnershipControlsInput,
    DeleteBucketOwnershipControlsOutput, DeletePublicAccessBlockInput,
    DeletePublicAccessBlockOutput, GetBucketAccelerateConfigurationInput,
    GetBucketAccelerateConfigurationOutput, GetBucketCorsInput, GetBucketCorsOutput,
    GetBucketEncryptionInput, GetBucketEncryptionOutput, GetBucketLifecycleConfigurationInput,
    GetBucketLifecycleConfigurationOutput, GetBucketLoggingInput, GetBucketLoggingOutput,
    GetBucketOwnershipControlsInput, GetBucketOwnershipControlsOutput, GetBucketPolicyInput,
    GetBucketPolicyOutput, GetBucketReplicationInput, GetBucketReplicationOutput,
    GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput, GetBucketWebsiteInput,
    GetBucketWebsiteOutput, GetObjectLockConfigurationInput, GetObjectLockConfigurationOutput,
    GetPublicAccessBlockInput, GetPublicAccessBlockOutput, ObjectOwnership, OwnershipControls,
    OwnershipControlsRule, Payer, PublicAccessBlockConfiguration, PutBucketEncryptionInput,
    PutBucketEncryptionOutput, PutBucketOwnershipControlsInput, PutBucketOwnershipControlsOutput,
    PutPublicAccessBlockInput, PutPublicAccessBlockOutput, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use store::objects::Bucket;

/// The setting that holds a bucket's object ownership.
pub(super) const OWNERSHIP: &str = "ownership";
const ACCESS_BLOCK: &str = "public-access-block";
const ENCRYPTION: &str = "encryption";

pub(super) async fn get_public_access_block(
    service: &Buckets,
    request: S3Request<GetPublicAccessBlockInput>,
) -> Answer<GetPublicAccessBlockOutput> {
    let GetPublicAccessBlockInput { bucket, expected_bucket_owner } = &request.input;
    let bucket = service.bucket(bucket, expected_bucket_owner.as_deref()).await?;
    // A new bucket blocks everything; a deleted block is the empty setting.
    let flags = match setting(&bucket, ACCESS_BLOCK) {
        None => [true; 4],
        Some("") => return Err(refusal::no_public_access_block()),
        Some(kept) => {
            let is_set = |at: usize| kept.as_bytes().get(at) == Some(&b'1');
            [is_set(0), is_set(1), is_set(2), is_set(3)]
        }
    };
    let [block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets] =
        flags.map(Some);
    Ok(S3Response::new(GetPublicAccessBlockOutput {
        public_access_block_configuration: Some(PublicAccessBlockConfiguration {
            block_public_acls,
            block_public_policy,
            ignore_public_acls,
            restrict_public_buckets,
        }),
    }))
}

pub(super) async fn put_public_access_block(
    service: &Buckets,
    request: S3Request<PutPublicAccessBlockInput>,
) -> Answer<PutPublicAccessBlockOutput> {
    let input = request.input;
    let block = input.public_access_block_configuration;
    let flags = [
        block.block_public_acls,
        block.ignore_public_acls,
        block.block_public_policy,
        block.restrict_public_buckets,
    ];
    let kept: String =
        flags.into_iter().map(|flag| if flag == Some(true) { '1' } else { '0' }).collect();
    let owner = input.expected_bucket_owner;
    set(service, &input.bucket, owner.as_deref(), (ACCESS_BLOCK, Some(kept))).await?;
    Ok(S3Response::new(PutPublicAccessBlockOutput {}))
}

pub(super) async fn delete_public_access_block(
    service: &Buckets,
    request: S3Request<DeletePublicAccessBlockInput>,
) -> Answer<DeletePublicAccessBlockOutput> {
    let DeletePublicAccessBlockInput { bucket, expected_bucket_owner } = &request.input;
    let none = (ACCESS_BLOCK, Some(String::new()));
    set(service, bucket, expected_bucket_owner.as_deref(), none).await?;
    Ok(S3Response::new(DeletePublicAccessBlockOutput {}))
}

pub(super) async fn get_ownership(
    service: &Buckets,
    request: S3Request<GetBucketOwnershipControlsInput>,
) -> Answer<GetBucketOwnershipControlsOutput> {
    let GetBucketOwnershipControlsInput { bucket, expected_bucket_owner } = &request.input;
    let bucket = service.bucket(bucket, expected_bucket_owner.as_deref()).await?;
    let ownership = match setting(&bucket, OWNERSHIP) {
        None => ObjectOwnership::BUCKET_OWNER_ENFORCED.to_owned(),
        Some("") => {
            return Err(refusal::unconfigured(
                S3ErrorCode::OwnershipControlsNotFoundError,
                "The bucket ownership controls were not found",
            ));
        }
        Some(kept) => kept.to_owned(),
    };
    let rule = OwnershipControlsRule { object_ownership: ObjectOwnership::from(ownership) };
    let ownership_controls = Some(OwnershipControls { rules: vec![rule] });
    Ok(S3Response::new(GetBucketOwnershipControlsOutput { ownership_controls }))
}

pub(super) async fn put_ownership(
    service: &Buckets,
    request: S3Request<PutBucketOwnershipControlsInput>,
) -> Answer<PutBucketOwnershipControlsOutput> {
    let input = request.input;
    let [rule] = input.ownership_controls.rules.as_slice() else {
        return Err(refusal::malformed_xml());
    };
    let kept = rule.object_ownership.as_str().to_owned();
    let owner = input.expected_bucket_owner.as_deref();
    set(service, &input.bucket, owner, (OWNERSHIP, Some(kept))).await?;
    Ok(S3Response::new(PutBucketOwnershipControlsOutput {}))
}

pub(super) async fn delete_ownership(
    service: &Buckets,
    request: S3Request<DeleteBucketOwnershipControlsInput>,
) -> Answer<DeleteBucketOwnershipControlsOutput> {
    let DeleteBucketOwnershipControlsInput { bucket, expected_bucket_owner } = &request.input;
    let none = (OWNERSHIP, Some(String::new()));
    set(service, bucket, expected_bucket_owner.as_deref(), none).await?;
    Ok(S3Response::new(DeleteBucketOwnershipControlsOutput {}))
}

pub(super) async fn get_encryption(
    service: &Buckets,
    request: S3Request<GetBucketEncryptionInput>,
) -> Answer<GetBucketEncryptionOutput> {
    let GetBucketEncryptionInput { bucket, expected_bucket_owner } = &request.input;
    let bucket = service.bucket(bucket, expected_bucket_owner.as_deref()).await?;
    let Some(kept) = setting(&bucket, ENCRYPTION) else {
        return Err(refusal::unconfigured(
            S3ErrorCode::ServerSideEncryptionConfigurationNotFoundError,
            "The server side encryption configuration was not found",
        ));
    };
    let mut fields = kept.split('\n');
    let mut field = || fields.next().filter(|it| !it.is_empty()).map(str::to_owned);
    let (algorithm, key, is_bucket_key) = (field(), field(), field());
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: algorithm.map(|algorithm| {
            ServerSideEncryptionByDefault {
                kms_master_key_id: key,
                sse_algorithm: ServerSideEncryption::from(algorithm),
            }
        }),
        bucket_key_enabled: Some(is_bucket_key.is_some()),
    };
    let configuration = ServerSideEncryptionConfiguration { rules: vec![rule] };
    Ok(S3Response::new(GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(configuration),
    }))
}

pub(super) async fn put_encryption(
    service: &Buckets,
    request: S3Request<PutBucketEncryptionInput>,
) -> Answer<PutBucketEncryptionOutput> {
    let input = request.input;
    let [rule] = input.server_side_encryption_configuration.rules.as_slice() else {
        return Err(refusal::malformed_xml());
    };
    let default = rule.apply_server_side_encryption_by_default.as_ref();
    let algorithm = default.map_or("", |it| it.sse_algorithm.as_str());
    let key = default.and_then(|it| it.kms_master_key_id.as_deref()).unwrap_or("");
    let bucket_key = if rule.bucket_key_enabled == Some(true) { "1" } else { "" };
    let kept = (ENCRYPTION, Some(format!("{algorithm}\n{key}\n{bucket_key}")));
    set(service, &input.bucket, input.expected_bucket_owner.as_deref(), kept).await?;
    Ok(S3Response::new(PutBucketEncryptionOutput {}))
}

pub(super) async fn delete_encryption(
    service: &Buckets,
    request: S3Request<DeleteBucketEncryptionInput>,
) -> Answer<DeleteBucketEncryptionOutput> {
    let DeleteBucketEncryptionInput { bucket, expected_bucket_owner } = &request.input;
    set(service, bucket, expected_bucket_owner.as_deref(), (ENCRYPTION, None)).await?;
    Ok(S3Response::new(DeleteBucketEncryptionOutput {}))
}

pub(super) async fn get_logging(
    service: &Buckets,
    request: S3Request<GetBucketLoggingInput>,
) -> Answer<GetBucketLoggingOutput> {
    let GetBucketLoggingInput { bucket, expected_bucket_owner } = &request.input;
    service.bucket(bucket, expected_bucket_owner.as_deref()).await?;
    Ok(S3Response::new(GetBucketLoggingOutput::default()))
}

pub(super) async fn get_request_payment(
    service: &Buckets,
    request: S3Request<GetBucketRequestPaymentInput>,
) -> Answer<GetBucketRequestPaymentOutput> {
    let GetBucketRequestPaymentInput { bucket, expected_bucket_owner } = &request.input;
    service.bucket(bucket, expected_bucket_owner.as_deref()).await?;
    let payer = Some(Payer::from_static(Payer::BUCKET_OWNER));
    Ok(S3Response::new(GetBucketRequestPaymentOutput { payer }))
}

pub(super) async fn get_accelerate(
    service: &Buckets,
    request: S3Request<GetBucketAccelerateConfigurationInput>,
) -> Answer<GetBucketAccelerateConfigurationOutput> {
    let input = &request.input;
    service.bucket(&input.bucket, input.expected_bucket_owner.as_deref()).await?;
    Ok(S3Response::new(GetBucketAccelerateConfigurationOutput::default()))
}

/// Makes the functions that answer for a configuration which no bucket can have.
macro_rules! never_configured {
    ($($name:ident($input:ident) -> $output:ident = $code:ident, $message:literal;)*) => {
        $(pub(super) async fn $name(
            service: &Buckets,
            request: S3Request<$input>,
        ) -> Answer<$output> {
            let input = &request.input;
            service.bucket(&input.bucket, input.expected_bucket_owner.as_deref()).await?;
            Err(refusal::unconfigured(S3ErrorCode::$code, $message))
        })*
    };
}

never_configured! {
    get_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput
        = NoSuchBucketPolicy, "The bucket policy does not exist";
    get_cors(GetBucketCorsInput) -> GetBucketCorsOutput
        = NoSuchCORSConfiguration, "The CORS configuration does not exist";
    get_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput
        = NoSuchWebsiteConfiguration, "The specified bucket does not have a website configuration";
    get_lifecycle(GetBucketLifecycleConfigurationInput) -> GetBucketLifecycleConfigurationOutput
        = NoSuchLifecycleConfiguration, "The lifecycle configuration does not exist";
    get_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput
        = ReplicationConfigurationNotFoundError, "The replication configuration was not found";
    get_object_lock(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput
        = ObjectLockConfigurationNotFoundError,
          "Object Lock configuration does not exist for this bucket";
}

fn setting<'a>(bucket: &'a Bucket, name: &str) -> Option<&'a str> {
    bucket.settings.get(name).map(String::as_str)
}

async fn set(
    service: &Buckets,
    bucket: &str,
    owner: Option<&str>,
    (name, value): (&'static str, Option<String>),
) -> S3Result<(), S3Error> {
    service.check_owner(owner)?;
    service.objects.set_bucket_setting(bucket, name, value).await.map_err(refusal::stored)
}
