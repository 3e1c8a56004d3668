//! Buckets: their names are global, each keeps the region that it was made in.

use super::{Answer, Buckets, acl, refusal};
use s3s::dto::{
    self, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput,
    DeleteBucketOutput, GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput,
    HeadBucketOutput, ListBucketsInput, ListBucketsOutput, Timestamp,
};
use s3s::{S3Request, S3Response, S3Result};
use std::time::{Duration, UNIX_EPOCH};
use store::objects::{Bucket, NewBucket, ObjectError};

/// The region of buckets that name none, and of requests that are signed for none.
const HOME_REGION: &str = "us-east-1";

const BUCKETS_MAX: usize = 10_000;

pub(super) async fn create(
    service: &Buckets,
    request: S3Request<CreateBucketInput>,
) -> Answer<CreateBucketOutput> {
    let signed = request.region.as_ref().map_or(HOME_REGION, |region| region.as_str());
    let input = &request.input;
    acl::check_canned(input.acl.as_ref().map(|acl| acl.as_str()))?;
    if input.object_lock_enabled_for_bucket == Some(true) {
        return Err(refusal::not_implemented());
    }
    let constraint = input
        .create_bucket_configuration
        .as_ref()
        .and_then(|it| it.location_constraint.as_ref())
        .map(BucketLocationConstraint::as_str)
        .filter(|it| !it.is_empty());
    let region = region(signed, constraint)?;
    let mut settings = std::collections::BTreeMap::new();
    if let Some(ownership) = &input.object_ownership {
        settings.insert(super::settings::OWNERSHIP.to_owned(), ownership.as_str().to_owned());
    }
    let name = input.bucket.clone();
    let created =
        service.objects.create_bucket(NewBucket { name: name.clone(), region, settings }).await;
    match created {
        Ok(_) => {}
        // AWS: in us-east-1 a second CreateBucket of one's own bucket succeeds.
        Err(ObjectError::BucketExists(bucket))
            if bucket.region == HOME_REGION && signed == HOME_REGION => {}
        Err(error) => return Err(refusal::stored(error)),
    }
    Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{name}")) }))
}

pub(super) async fn head(
    service: &Buckets,
    request: S3Request<HeadBucketInput>,
) -> Answer<HeadBucketOutput> {
    let HeadBucketInput { bucket, expected_bucket_owner } = &request.input;
    let bucket = service.bucket(bucket, expected_bucket_owner.as_deref()).await?;
    Ok(S3Response::new(HeadBucketOutput {
        bucket_region: Some(bucket.region),
        access_point_alias: Some(false),
        ..HeadBucketOutput::default()
    }))
}

pub(super) async fn delete(
    service: &Buckets,
    request: S3Request<DeleteBucketInput>,
) -> Answer<DeleteBucketOutput> {
    let DeleteBucketInput { bucket, expected_bucket_owner, .. } = &request.input;
    service.check_owner(expected_bucket_owner.as_deref())?;
    service.objects.delete_bucket(bucket).await.map_err(refusal::stored)?;
    Ok(S3Response::with_status(DeleteBucketOutput {}, http::StatusCode::NO_CONTENT))
}

pub(super) async fn list(
    service: &Buckets,
    request: S3Request<ListBucketsInput>,
) -> Answer<ListBucketsOutput> {
    let ListBucketsInput { bucket_region, continuation_token, max_buckets, prefix } = request.input;
    let limit = match max_buckets {
        None => BUCKETS_MAX,
        Some(limit) => usize::try_from(limit)
            .ok()
            .filter(|limit| (1..=BUCKETS_MAX).contains(limit))
            .ok_or_else(|| {
                refusal::invalid_argument("Argument max-buckets must be between 1 and 10000")
            })?,
    };
    let all = service.objects.buckets().await.map_err(refusal::stored)?;
    let is_meant = |bucket: &Bucket| {
        prefix.as_ref().is_none_or(|prefix| bucket.name.starts_with(prefix))
            && bucket_region.as_ref().is_none_or(|region| bucket.region == *region)
            && continuation_token.as_ref().is_none_or(|after| bucket.name > *after)
    };
    let mut buckets: Vec<_> = all.into_iter().filter(is_meant).collect();
    let is_truncated = buckets.len() > limit;
    buckets.truncate(limit);
    let continuation_token =
        buckets.last().filter(|_| is_truncated).map(|bucket| bucket.name.clone());
    let buckets = buckets.into_iter().map(|bucket| dto::Bucket {
        bucket_region: Some(bucket.region),
        creation_date: Some(timestamp(bucket.created_ms)),
        name: Some(bucket.name),
    });
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(buckets.collect()),
        continuation_token,
        owner: Some(service.owner()),
        prefix,
    }))
}

pub(super) async fn location(
    service: &Buckets,
    request: S3Request<GetBucketLocationInput>,
) -> Answer<GetBucketLocationOutput> {
    let GetBucketLocationInput { bucket, expected_bucket_owner } = &request.input;
    let bucket = service.bucket(bucket, expected_bucket_owner.as_deref()).await?;
    // AWS: the first region is the empty location.
    let location_constraint = (bucket.region != HOME_REGION)
        .then(|| BucketLocationConstraint::from(bucket.region.clone()));
    Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
}

impl Buckets {
    /// Finds a bucket and checks that the caller knows whose it is.
    pub(super) async fn bucket(
        &self,
        name: &str,
        expected_owner: Option<&str>,
    ) -> S3Result<Bucket> {
        self.check_owner(expected_owner)?;
        self.objects.bucket(name).await.map_err(refusal::stored)
    }

    /// Refuses when the caller takes somebody else for the owner.
    pub(super) fn check_owner(&self, expected: Option<&str>) -> S3Result<()> {
        match expected {
            Some(expected) if expected != self.config.account_id => Err(refusal::access_denied()),
            _ => Ok(()),
        }
    }
}

/// A stored time as S3 shows it, in whole seconds.
pub(super) fn timestamp(ms: i64) -> Timestamp {
    let seconds = u64::try_from(ms.div_euclid(1000)).unwrap_or_default();
    Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// AWS: an endpoint of a region makes buckets in that region alone, and wants it said, except in
/// the first region, whose endpoint makes them anywhere.
fn region(signed: &str, constraint: Option<&str>) -> S3Result<String> {
    let is_region = |text: &str| {
        text.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
    };
    match constraint {
        None if signed == HOME_REGION => Ok(signed.to_owned()),
        None => Err(refusal::unspecified_location()),
        Some("EU") if matches!(signed, HOME_REGION | "eu-west-1") => Ok("eu-west-1".to_owned()),
        Some(wanted) if !is_region(wanted) || wanted == HOME_REGION => {
            Err(refusal::invalid_location())
        }
        Some(wanted) if wanted == signed || signed == HOME_REGION => Ok(wanted.to_owned()),
        Some(wanted) => Err(refusal::incompatible_location(wanted)),
    }
}
