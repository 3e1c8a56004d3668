//! Tags of objects and buckets.

use super::{Answer, Buckets, object, refusal};
use s3s::dto::{
    DeleteBucketTaggingInput, DeleteBucketTaggingOutput, DeleteObjectTaggingInput,
    DeleteObjectTaggingOutput, GetBucketTaggingInput, GetBucketTaggingOutput,
    GetObjectTaggingInput, GetObjectTaggingOutput, PutBucketTaggingInput, PutBucketTaggingOutput,
    PutObjectTaggingInput, PutObjectTaggingOutput, Tag,
};
use s3s::{S3Request, S3Response, S3Result};

const OBJECT_TAGS_MAX: usize = 10;
const BUCKET_TAGS_MAX: usize = 50;
const KEY_MAX: usize = 128;
const VALUE_MAX: usize = 256;

pub(super) async fn get_object(
    service: &Buckets,
    request: S3Request<GetObjectTaggingInput>,
) -> Answer<GetObjectTaggingOutput> {
    let input = &request.input;
    service.check_owner(input.expected_bucket_owner.as_deref())?;
    let (bucket, version) =
        object::find(service, &input.bucket, &input.key, input.version_id.as_deref()).await?;
    let version_id = object::shown_id(&bucket, &version);
    Ok(S3Response::new(GetObjectTaggingOutput { tag_set: shown(version.tags), version_id }))
}

pub(super) async fn put_object(
    service: &Buckets,
    request: S3Request<PutObjectTaggingInput>,
) -> Answer<PutObjectTaggingOutput> {
    let input = request.input;
    service.check_owner(input.expected_bucket_owner.as_deref())?;
    let tags = parse(input.tagging.tag_set, OBJECT_TAGS_MAX)?;
    let id =
        replace(service, (&input.bucket, &input.key, input.version_id.as_deref()), tags).await?;
    Ok(S3Response::new(PutObjectTaggingOutput { version_id: id }))
}

pub(super) async fn delete_object(
    service: &Buckets,
    request: S3Request<DeleteObjectTaggingInput>,
) -> Answer<DeleteObjectTaggingOutput> {
    let input = request.input;
    service.check_owner(input.expected_bucket_owner.as_deref())?;
    let object = (input.bucket.as_str(), input.key.as_str(), input.version_id.as_deref());
    let version_id = replace(service, object, Vec::new()).await?;
    Ok(S3Response::new(DeleteObjectTaggingOutput { version_id }))
}

pub(super) async fn get_bucket(
    service: &Buckets,
    request: S3Request<GetBucketTaggingInput>,
) -> Answer<GetBucketTaggingOutput> {
    let GetBucketTaggingInput { bucket, expected_bucket_owner } = &request.input;
    let bucket = service.bucket(bucket, expected_bucket_owner.as_deref()).await?;
    if bucket.tags.is_empty() {
        return Err(refusal::no_such_tag_set());
    }
    Ok(S3Response::new(GetBucketTaggingOutput { tag_set: shown(bucket.tags) }))
}

pub(super) async fn put_bucket(
    service: &Buckets,
    request: S3Request<PutBucketTaggingInput>,
) -> Answer<PutBucketTaggingOutput> {
    let PutBucketTaggingInput { bucket, expected_bucket_owner, tagging, .. } = request.input;
    service.check_owner(expected_bucket_owner.as_deref())?;
    let tags = parse(tagging.tag_set, BUCKET_TAGS_MAX)?;
    service.objects.set_bucket_tags(&bucket, tags).await.map_err(refusal::stored)?;
    let status = http::StatusCode::NO_CONTENT;
    Ok(S3Response::with_status(PutBucketTaggingOutput {}, status))
}

pub(super) async fn delete_bucket(
    service: &Buckets,
    request: S3Request<DeleteBucketTaggingInput>,
) -> Answer<DeleteBucketTaggingOutput> {
    let DeleteBucketTaggingInput { bucket, expected_bucket_owner } = &request.input;
    service.check_owner(expected_bucket_owner.as_deref())?;
    service.objects.set_bucket_tags(bucket, Vec::new()).await.map_err(refusal::stored)?;
    Ok(S3Response::new(DeleteBucketTaggingOutput {}))
}

/// Reads the tags that a put or a copy brings in a header, in the form of a query.
pub(super) fn parse_header(header: Option<&str>) -> S3Result<Vec<(String, String)>> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        let decoded = percent_encoding::percent_decode_str(&text).decode_utf8();
        decoded.map(|it| it.into_owned()).map_err(|_| invalid_header())
    };
    let mut tags = Vec::new();
    for pair in header.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        tags.push((decode(key)?, decode(value)?));
    }
    check(&tags, OBJECT_TAGS_MAX)?;
    Ok(tags)
}

fn invalid_header() -> s3s::S3Error {
    refusal::invalid_argument(
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters \
         without tag name duplicates.",
    )
}

async fn replace(
    service: &Buckets,
    (bucket, key, version_id): (&str, &str, Option<&str>),
    tags: Vec<(String, String)>,
) -> S3Result<Option<String>> {
    let target = object::target(bucket, key, version_id)?;
    let is_asked = target.version.is_some();
    let set = service.objects.set_tags(target, tags).await;
    let (bucket, version) = set.map_err(refusal::stored)?;
    object::refuse_marker(&bucket, &version, is_asked)?;
    Ok(object::shown_id(&bucket, &version))
}

fn parse(tags: Vec<Tag>, limit: usize) -> S3Result<Vec<(String, String)>> {
    let read = |tag: Tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
    let tags: Vec<_> = tags.into_iter().map(read).collect();
    check(&tags, limit)?;
    Ok(tags)
}

fn check(tags: &[(String, String)], limit: usize) -> S3Result<()> {
    if tags.len() > limit {
        return Err(refusal::too_many_tags(limit));
    }
    let mut keys = std::collections::HashSet::new();
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > KEY_MAX {
            return Err(refusal::invalid_tag("The TagKey you have provided is invalid"));
        }
        if value.chars().count() > VALUE_MAX {
            return Err(refusal::invalid_tag("The TagValue you have provided is invalid"));
        }
        if key.starts_with("aws:") {
            return Err(refusal::invalid_tag("System tags cannot be added/updated by requester"));
        }
        if !keys.insert(key) {
            return Err(refusal::invalid_tag("Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(())
}

fn shown(tags: Vec<(String, String)>) -> Vec<Tag> {
    tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect()
}
