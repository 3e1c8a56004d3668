//! Objects: put, get, head, delete.

use super::attributes::{self, attributes, show_encryption, show_headers};
use super::bucket::timestamp;
use super::checksum::{self, Claim, Claiming, given, show};
use super::conditions::{self, conditions};
use super::{Answer, Buckets, body, refusal, tagging};
use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::dto::{
    ChecksumMode, ChecksumType, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, DeletedObject, ETag, GetObjectInput, GetObjectOutput, HeadObjectInput,
    HeadObjectOutput, ObjectIdentifier, PostObjectInput, PutObjectInput, PutObjectOutput, Range,
    Timestamp,
};
use s3s::{S3Error, S3Request, S3Response, S3Result};
use std::ops;
use store::objects::{
    Algorithm, Body, Bucket, Condition, Deleted, NewObject, ObjectError, Target, Version,
    VersionId, Versioning,
};

const DELETIONS_MAX: usize = 1000;

pub(super) async fn put(
    service: &Buckets,
    mut request: S3Request<PutObjectInput>,
) -> Answer<PutObjectOutput> {
    let input = &mut request.input;
    let bucket = service.bucket(&input.bucket, input.expected_bucket_owner.as_deref()).await?;
    if input.write_offset_bytes.is_some() {
        return Err(refusal::not_implemented());
    }
    let attributes = attributes!(input, &request.headers);
    let storage_class = attributes::parse_storage_class(input.storage_class.as_ref())?;
    let tags = tagging::parse_header(input.tagging.as_deref())?;
    let condition = conditions::write(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    check_early(service, &input.bucket, &input.key, &condition).await?;
    let claim = Claim::read(
        Claiming {
            headers: &request.headers,
            trailers: request.trailing_headers.take(),
            given: given!(input),
            algorithm: input.checksum_algorithm.as_ref(),
            content_md5: input.content_md5.as_deref(),
        },
        Algorithm::Crc64Nvme,
    )?;
    let received =
        body::receive(service, input.body.take(), input.content_length, &[claim.algorithm]).await?;
    let sum = claim.verify(&received)?;
    let (_, version) = service
        .objects
        .put(NewObject {
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            body: Body::Received(received),
            checksum: Some(sum.clone()),
            storage_class,
            tags,
            attributes,
            condition,
        })
        .await
        .map_err(refusal::stored)?;
    let mut output = PutObjectOutput {
        e_tag: Some(conditions::etag(&version.etag)),
        version_id: shown_id(&bucket, &version),
        checksum_type: Some(checksum::kind(sum.kind)),
        ..PutObjectOutput::default()
    };
    show!(output, sum.algorithm, Some(sum.value));
    show_encryption!(output, version.attributes);
    Ok(S3Response::new(output))
}

/// Refuses a form that asks for what is not kept. `s3s` turns every other form into a put.
pub(super) fn check_form(input: &PostObjectInput) -> S3Result<()> {
    // `s3s` keeps the file's name to itself, so that it cannot stand in the key.
    if input.key.contains("${filename}") {
        return Err(refusal::not_implemented());
    }
    let grants = [&input.grant_full_control, &input.grant_read, &input.grant_read_acp];
    if grants.into_iter().any(Option::is_some) || input.grant_write_acp.is_some() {
        return Err(refusal::acl_unsupported());
    }
    if input.sse_customer_algorithm.is_some() {
        return Err(refusal::customer_keys_unsupported());
    }
    if input.object_lock_mode.is_some() || input.object_lock_legal_hold_status.is_some() {
        return Err(refusal::object_lock_missing());
    }
    Ok(())
}

pub(super) async fn get(
    service: &Buckets,
    request: S3Request<GetObjectInput>,
) -> Answer<GetObjectOutput> {
    let input = &request.input;
    service.check_owner(input.expected_bucket_owner.as_deref())?;
    attributes::check(None, &request.headers)?;
    let target = target(&input.bucket, &input.key, input.version_id.as_deref())?;
    let asked = target.version.is_some();
    let opened = service.objects.open_object(target).await.map_err(refusal::stored)?;
    let (bucket, version, content) = opened;
    refuse_marker(&bucket, &version, asked)?;
    conditions!(input).check_read(&version)?;
    let Selection { range, content_range, parts_count } =
        select(&version, input.range.as_ref(), input.part_number)?;
    let mut output = GetObjectOutput {
        accept_ranges: Some("bytes".into()),
        content_length: Some(size(range.end - range.start)),
        content_range,
        e_tag: Some(conditions::etag(&version.etag)),
        last_modified: Some(timestamp(version.modified_ms)),
        parts_count,
        tag_count: Some(version.tags.len()).filter(|it| *it > 0).and_then(|it| it.try_into().ok()),
        version_id: shown_id(&bucket, &version),
        ..GetObjectOutput::default()
    };
    show_headers!(output, &version);
    show_encryption!(output, version.attributes);
    let is_whole = range == (0..version.size);
    if let Some((sum, kind)) = shown_checksum(input.checksum_mode.as_ref(), &version, is_whole) {
        show!(output, sum, Some(kind.0));
        output.checksum_type = Some(kind.1);
    }
    let content = if is_whole { content } else { content.slice(range) };
    output.body = Some(body::send(content));
    Ok(S3Response::new(output))
}

pub(super) async fn head(
    service: &Buckets,
    request: S3Request<HeadObjectInput>,
) -> Answer<HeadObjectOutput> {
    let input = &request.input;
    service.check_owner(input.expected_bucket_owner.as_deref())?;
    attributes::check(None, &request.headers)?;
    let (bucket, version) =
        find(service, &input.bucket, &input.key, input.version_id.as_deref()).await?;
    conditions!(input).check_read(&version)?;
    let Selection { range, content_range, parts_count } =
        select(&version, input.range.as_ref(), input.part_number)?;
    let status = if content_range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut output = HeadObjectOutput {
        accept_ranges: Some("bytes".into()),
        content_length: Some(size(range.end - range.start)),
        content_range,
        e_tag: Some(conditions::etag(&version.etag)),
        last_modified: Some(timestamp(version.modified_ms)),
        parts_count,
        version_id: shown_id(&bucket, &version),
        ..HeadObjectOutput::default()
    };
    show_headers!(output, &version);
    show_encryption!(output, version.attributes);
    let is_whole = range == (0..version.size);
    if let Some((sum, kind)) = shown_checksum(input.checksum_mode.as_ref(), &version, is_whole) {
        show!(output, sum, Some(kind.0));
        output.checksum_type = Some(kind.1);
    }
    override_headers(&mut output, input);
    let mut response = S3Response::with_status(output, status);
    if let Ok(count) = HeaderValue::from_str(&version.tags.len().to_string())
        && !version.tags.is_empty()
    {
        response.headers.insert("x-amz-tagging-count", count);
    }
    Ok(response)
}

pub(super) async fn delete(
    service: &Buckets,
    request: S3Request<DeleteObjectInput>,
) -> Answer<DeleteObjectOutput> {
    let input = &request.input;
    service.check_owner(input.expected_bucket_owner.as_deref())?;
    let mut condition = conditions::write(input.if_match.as_ref(), None)?;
    condition.size = input.if_match_size.and_then(|size| size.try_into().ok());
    condition.modified_seconds = input.if_match_last_modified_time.as_ref().map(seconds);
    let target = target(&input.bucket, &input.key, input.version_id.as_deref())?;
    let deleted = service.objects.delete(target, condition).await;
    let (_, Deleted { is_marker, id }) = deleted.map_err(refusal::stored)?;
    Ok(S3Response::new(DeleteObjectOutput {
        delete_marker: is_marker.then_some(true),
        version_id: id.map(|id| id.to_string()),
        ..DeleteObjectOutput::default()
    }))
}

pub(super) async fn delete_several(
    service: &Buckets,
    request: S3Request<DeleteObjectsInput>,
) -> Answer<DeleteObjectsOutput> {
    let input = &request.input;
    service.check_owner(input.expected_bucket_owner.as_deref())?;
    let objects = &input.delete.objects;
    if objects.is_empty() || objects.len() > DELETIONS_MAX {
        return Err(refusal::malformed_xml());
    }
    let mut output = DeleteObjectsOutput::default();
    let mut errors = Vec::new();
    let mut meant = Vec::new();
    let mut targets = Vec::new();
    for object in objects {
        match target(&input.bucket, &object.key, object.version_id.as_deref()) {
            Ok(target) => {
                targets.push((target, deletion_condition(object)));
                meant.push(object);
            }
            Err(error) => errors.push(deletion_error(object, &error)),
        }
    }
    let outcomes = service.objects.delete_all(&input.bucket, targets).await;
    let mut deleted = Vec::new();
    for (object, outcome) in meant.into_iter().zip(outcomes.map_err(refusal::stored)?) {
        match outcome {
            Ok(outcome) => deleted.push(deleted_object(object, &outcome)),
            Err(error) => errors.push(deletion_error(object, &refusal::stored(error))),
        }
    }
    if input.delete.quiet != Some(true) {
        output.deleted = Some(deleted);
    }
    output.errors = Some(errors).filter(|errors| !errors.is_empty());
    Ok(S3Response::new(output))
}

/// Finds a version that is an object; a delete marker is refused as AWS refuses it.
pub(super) async fn find(
    service: &Buckets,
    bucket: &str,
    key: &str,
    version_id: Option<&str>,
) -> S3Result<(Bucket, Version)> {
    let target = target(bucket, key, version_id)?;
    let is_asked = target.version.is_some();
    let (bucket, version) = service.objects.find(target).await.map_err(refusal::stored)?;
    refuse_marker(&bucket, &version, is_asked)?;
    Ok((bucket, version))
}

/// Refuses a delete marker: as no object when it is the newest version, as no version to be read
/// when it was named.
pub(super) fn refuse_marker(bucket: &Bucket, version: &Version, is_asked: bool) -> S3Result<()> {
    if !version.is_marker {
        return Ok(());
    }
    let error = if is_asked { refusal::method_not_allowed() } else { refusal::no_such_key() };
    Err(conditions::with_marker(error, version, shown_id(bucket, version)))
}

/// Reads which object is meant.
pub(super) fn target(bucket: &str, key: &str, version_id: Option<&str>) -> S3Result<Target> {
    let version = version_id.map(str::parse::<VersionId>).transpose().map_err(refusal::stored)?;
    Ok(Target { bucket: bucket.to_owned(), key: key.to_owned(), version })
}

/// The version id as a caller sees it: none where versioning never was on.
pub(super) fn shown_id(bucket: &Bucket, version: &Version) -> Option<String> {
    (bucket.versioning != Versioning::Never).then(|| version.id.to_string())
}

/// A size as an answer has it.
pub(super) fn size(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The second of a time since 1970.
pub(super) fn seconds(time: &Timestamp) -> i64 {
    time::OffsetDateTime::from(time.clone()).unix_timestamp()
}

/// Checks a write's condition before its body is read; it is checked again when it is written.
pub(super) async fn check_early(
    service: &Buckets,
    bucket: &str,
    key: &str,
    condition: &Condition,
) -> S3Result<()> {
    let found = match condition.is_none() {
        true => return Ok(()),
        false => service.objects.find(Target::newest(bucket, key)).await,
    };
    let current = match found {
        Ok((_, version)) => Some(version),
        Err(ObjectError::NoSuchKey) => None,
        Err(error) => return Err(refusal::stored(error)),
    };
    condition.check(current.as_ref()).map_err(refusal::stored)
}

struct Selection {
    range: ops::Range<u64>,
    content_range: Option<String>,
    parts_count: Option<i32>,
}

fn select(
    version: &Version,
    range: Option<&Range>,
    part_number: Option<i32>,
) -> S3Result<Selection> {
    let whole = 0..version.size;
    let shown = |range: &ops::Range<u64>| {
        Some(format!("bytes {}-{}/{}", range.start, range.end - 1, version.size))
    };
    match (range, part_number) {
        (None, None) => Ok(Selection { range: whole, content_range: None, parts_count: None }),
        (Some(_), Some(_)) => Err(refusal::range_and_part()),
        (Some(range), None) => {
            let checked = range.check(version.size).ok().filter(|range| !range.is_empty());
            let range = checked.ok_or_else(|| unsatisfiable(version.size))?;
            let content_range = shown(&range);
            Ok(Selection { range, content_range, parts_count: None })
        }
        (None, Some(number)) => {
            let number = u32::try_from(number).ok().filter(|it| (1..=10_000).contains(it));
            let number = number.ok_or_else(refusal::part_number_out_of_range)?;
            let Some(parts) = &version.parts else {
                let content_range = shown(&whole).filter(|_| version.size > 0);
                let selection = Selection { range: whole, content_range, parts_count: None };
                return if number == 1 {
                    Ok(selection)
                } else {
                    Err(refusal::invalid_part_number())
                };
            };
            let at = parts.iter().position(|part| part.number == number);
            let at = at.ok_or_else(refusal::invalid_part_number)?;
            let start = parts.iter().take(at).map(|part| part.size).sum();
            let length = parts.get(at).map_or(0, |part| part.size);
            let range = start..start + length;
            let content_range = shown(&range).filter(|_| length > 0);
            let parts_count = i32::try_from(parts.len()).ok();
            Ok(Selection { range, content_range, parts_count })
        }
    }
}

fn unsatisfiable(size: u64) -> S3Error {
    let mut error = refusal::invalid_range();
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        headers.insert(http::header::CONTENT_RANGE, value);
    }
    error.set_headers(headers);
    error
}

/// The checksum to show: only when asked for, and only of the whole object.
fn shown_checksum(
    mode: Option<&ChecksumMode>,
    version: &Version,
    is_whole: bool,
) -> Option<(Algorithm, (String, ChecksumType))> {
    mode.filter(|mode| is_whole && mode.as_str() == ChecksumMode::ENABLED)?;
    let sum = version.checksum.as_ref()?;
    Some((sum.algorithm, (sum.value.clone(), checksum::kind(sum.kind))))
}

/// What a caller of `head` wants to see in place of what is kept, as `s3s` does for `get`.
fn override_headers(output: &mut HeadObjectOutput, input: &HeadObjectInput) {
    let overridden = |shown: &mut Option<String>, asked: &Option<String>| {
        if asked.is_some() {
            shown.clone_from(asked);
        }
    };
    overridden(&mut output.content_type, &input.response_content_type);
    overridden(&mut output.content_encoding, &input.response_content_encoding);
    overridden(&mut output.content_language, &input.response_content_language);
    overridden(&mut output.content_disposition, &input.response_content_disposition);
    overridden(&mut output.cache_control, &input.response_cache_control);
    if let Some(expires) = &input.response_expires {
        output.expires = Some(expires.clone());
    }
}

fn deletion_condition(object: &ObjectIdentifier) -> Condition {
    Condition {
        etag: object.e_tag.clone().map(ETag::into_value),
        size: object.size.and_then(|size| size.try_into().ok()),
        modified_seconds: object.last_modified_time.as_ref().map(seconds),
        ..Condition::default()
    }
}

fn deletion_error(object: &ObjectIdentifier, error: &S3Error) -> s3s::dto::Error {
    s3s::dto::Error {
        code: Some(error.code().as_str().to_owned()),
        key: Some(object.key.clone()),
        message: error.message().map(str::to_owned),
        version_id: object.version_id.clone(),
    }
}

fn deleted_object(object: &ObjectIdentifier, deleted: &Deleted) -> DeletedObject {
    let id = deleted.id.map(|id| id.to_string());
    DeletedObject {
        delete_marker: deleted.is_marker.then_some(true),
        delete_marker_version_id: id.filter(|_| deleted.is_marker),
        key: Some(object.key.clone()),
        version_id: object.version_id.clone(),
    }
}
