//! Multipart uploads: beginning, uploading parts, completing, aborting.

use super::attributes::{self, attributes, show_encryption};
use super::checksum::{self, Claim, Claiming, given, show};
use super::{Answer, Buckets, body, conditions, object, refusal, tagging};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3Request, S3Response, S3Result};
use store::objects::{
    Algorithm, Body, ChecksumKind, Completion, NamedPart, NewUpload, ObjectError, Upload,
};

const PART_MIN: u64 = 5 << 20;

pub(super) async fn create(
    service: &Buckets,
    request: S3Request<CreateMultipartUploadInput>,
) -> Answer<CreateMultipartUploadOutput> {
    let input = request.input;
    service.check_owner(input.expected_bucket_owner.as_deref())?;
    let attributes = attributes!(input, &request.headers);
    let algorithm = parse_algorithm(input.checksum_algorithm.as_ref())?;
    let kind = kind(algorithm, input.checksum_type.as_ref())?;
    let new = NewUpload {
        bucket: input.bucket.clone(),
        key: input.key.clone(),
        storage_class: attributes::parse_storage_class(input.storage_class.as_ref())?,
        algorithm: algorithm.unwrap_or(Algorithm::Crc64Nvme),
        kind,
        is_declared: algorithm.is_some(),
        tags: tagging::parse_header(input.tagging.as_deref())?,
        attributes: attributes.clone(),
    };
    let id = service.objects.create_upload(new).await.map_err(refusal::stored)?;
    let mut output = CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: algorithm.map(|_| checksum::kind(kind)),
        key: Some(input.key),
        upload_id: Some(id),
        ..CreateMultipartUploadOutput::default()
    };
    show_encryption!(output, attributes);
    Ok(S3Response::new(output))
}

pub(super) async fn upload_part(
    service: &Buckets,
    mut request: S3Request<UploadPartInput>,
) -> Answer<UploadPartOutput> {
    let input = &mut request.input;
    service.check_owner(input.expected_bucket_owner.as_deref())?;
    attributes::check(None, &request.headers)?;
    let number = part_number(input.part_number)?;
    let upload = find(service, &input.bucket, &input.key, &input.upload_id).await?;
    let claim = Claim::read(
        Claiming {
            headers: &request.headers,
            trailers: request.trailing_headers.take(),
            given: given!(input),
            algorithm: input.checksum_algorithm.as_ref(),
            content_md5: input.content_md5.as_deref(),
        },
        upload.algorithm,
    )?;
    let (algorithm, is_chosen) = (claim.algorithm, claim.is_chosen);
    if is_chosen && upload.is_declared && algorithm != upload.algorithm {
        return Err(refusal::checksum_type_mismatch(algorithm, upload.algorithm));
    }
    let wanted = if algorithm == upload.algorithm { None } else { Some(upload.algorithm) };
    let received = body::receive(
        service,
        input.body.take(),
        input.content_length,
        &[Some(algorithm), wanted].into_iter().flatten().collect::<Vec<_>>(),
    )
    .await?;
    let kept = received.checksums.last().map(|sum| sum.value.clone());
    let sum = claim.verify(&received)?;
    let part = service
        .objects
        .put_part(&upload.id, number, Body::Received(received), kept)
        .await
        .map_err(refusal::stored)?;
    let mut output = UploadPartOutput {
        e_tag: Some(conditions::etag(&part.etag)),
        ..UploadPartOutput::default()
    };
    if is_chosen || upload.is_declared {
        show!(output, sum.algorithm, Some(sum.value));
    }
    show_encryption!(output, upload.attributes);
    Ok(S3Response::new(output))
}

pub(super) async fn complete(
    service: &Buckets,
    request: S3Request<CompleteMultipartUploadInput>,
) -> Answer<CompleteMultipartUploadOutput> {
    let input = request.input;
    service.check_owner(input.expected_bucket_owner.as_deref())?;
    let upload = find(service, &input.bucket, &input.key, &input.upload_id).await?;
    if let Some(given) = &input.checksum_type
        && upload.is_declared
        && given.as_str() != checksum::kind(upload.kind).as_str()
    {
        return Err(refusal::checksum_type_unsupported(given.as_str(), upload.algorithm));
    }
    let checksum = match checksum::only(given!(input))? {
        None => None,
        Some((given, _)) if given != upload.algorithm => {
            return Err(refusal::checksum_type_mismatch(given, upload.algorithm));
        }
        Some((_, value)) => Some(value),
    };
    let parts = input.multipart_upload.and_then(|it| it.parts).unwrap_or_default();
    if parts.is_empty() {
        return Err(refusal::malformed_xml());
    }
    let completion = Completion {
        bucket: input.bucket.clone(),
        key: input.key.clone(),
        upload: input.upload_id,
        parts: parts.into_iter().map(|part| named(part, &upload)).collect::<S3Result<_>>()?,
        part_size_min: PART_MIN,
        checksum,
        size: input.mpu_object_size.and_then(|size| size.try_into().ok()),
        condition: conditions::write(input.if_match.as_ref(), input.if_none_match.as_ref())?,
    };
    let completed = service.objects.complete(completion).await;
    let (bucket, version) = completed.map_err(|error| match error {
        ObjectError::ChecksumMismatch => refusal::checksum_mismatch(upload.algorithm),
        error => refusal::stored(error),
    })?;
    let location = format!("/{}/{}", input.bucket, input.key);
    let mut output = CompleteMultipartUploadOutput {
        bucket: Some(input.bucket),
        e_tag: Some(conditions::etag(&version.etag)),
        key: Some(input.key),
        location: Some(location),
        version_id: object::shown_id(&bucket, &version),
        ..CompleteMultipartUploadOutput::default()
    };
    if let Some(sum) = &version.checksum {
        show!(output, sum.algorithm, Some(sum.value.clone()));
        output.checksum_type = Some(checksum::kind(sum.kind));
    }
    show_encryption!(output, version.attributes);
    Ok(S3Response::new(output))
}

pub(super) async fn abort(
    service: &Buckets,
    request: S3Request<AbortMultipartUploadInput>,
) -> Answer<AbortMultipartUploadOutput> {
    let AbortMultipartUploadInput { bucket, expected_bucket_owner, key, upload_id, .. } =
        &request.input;
    service.check_owner(expected_bucket_owner.as_deref())?;
    service.objects.abort(bucket, key, upload_id).await.map_err(refusal::stored)?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

/// Finds an upload of a key.
pub(super) async fn find(service: &Buckets, bucket: &str, key: &str, id: &str) -> S3Result<Upload> {
    let found = service.objects.upload(bucket, key, id).await;
    found.map(|(_, upload)| upload).map_err(refusal::stored)
}

/// Reads a part's number.
pub(super) fn part_number(number: i32) -> S3Result<u32> {
    let number = u32::try_from(number).ok().filter(|number| (1..=10_000).contains(number));
    number.ok_or_else(refusal::part_number_out_of_range)
}

/// Reads the algorithm that a caller wants.
pub(super) fn parse_algorithm(name: Option<&ChecksumAlgorithm>) -> S3Result<Option<Algorithm>> {
    let parse = |name: &ChecksumAlgorithm| {
        checksum::parse(name.as_str()).ok_or_else(refusal::unknown_checksum_algorithm)
    };
    name.map(parse).transpose()
}

/// What the object's checksum is taken over. AWS: CRC64NVME only over the whole, SHA only over the
/// parts' checksums, and that is also the default of the other CRCs.
fn kind(algorithm: Option<Algorithm>, asked: Option<&ChecksumType>) -> S3Result<ChecksumKind> {
    let algorithm = algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let (default, other) = match algorithm {
        Algorithm::Crc64Nvme => (ChecksumKind::FullObject, None),
        Algorithm::Sha1 | Algorithm::Sha256 => (ChecksumKind::Composite, None),
        Algorithm::Crc32 | Algorithm::Crc32c => {
            (ChecksumKind::Composite, Some(ChecksumKind::FullObject))
        }
    };
    let Some(asked) = asked.map(ChecksumType::as_str) else { return Ok(default) };
    let mut allowed = [Some(default), other].into_iter().flatten();
    allowed
        .find(|kind| checksum::kind(*kind).as_str() == asked)
        .ok_or_else(|| refusal::checksum_type_unsupported(asked, algorithm))
}

fn named(part: CompletedPart, upload: &Upload) -> S3Result<NamedPart> {
    let number = part.part_number.ok_or_else(refusal::malformed_xml)?;
    let number = u32::try_from(number).map_err(|_| refusal::malformed_xml())?;
    let checksum = match checksum::only(given!(part))? {
        Some((given, value)) if given == upload.algorithm => Some(value),
        // The part was checked with it when it came; the object keeps the upload's own.
        Some(_) | None => None,
    };
    let etag = part.e_tag.map(ETag::into_value).ok_or_else(refusal::malformed_xml)?;
    Ok(NamedPart { number, etag, checksum })
}
