//! Copies: the bytes are shared, never copied.

use super::attributes::{self, attributes, show_encryption};
use super::bucket::timestamp;
use super::checksum::{self, show};
use super::conditions::{self, Conditions};
use super::{Answer, Buckets, body, multipart, object, refusal, tagging};
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource,
    MetadataDirective, Range, TaggingDirective, UploadPartCopyInput, UploadPartCopyOutput,
};
use s3s::{S3Request, S3Response, S3Result};
use store::objects::{
    Algorithm, Attributes, Body, Bucket, Checksum, ChecksumKind, Condition, Content, NewObject,
    Version,
};

/// Collects the conditions on the source of a copy.
macro_rules! source_conditions {
    ($input:expr) => {
        Conditions {
            if_match: $input.copy_source_if_match.as_ref(),
            if_none_match: $input.copy_source_if_none_match.as_ref(),
            if_modified_since: $input.copy_source_if_modified_since.as_ref(),
            if_unmodified_since: $input.copy_source_if_unmodified_since.as_ref(),
        }
    };
}

pub(super) async fn object(
    service: &Buckets,
    request: S3Request<CopyObjectInput>,
) -> Answer<CopyObjectOutput> {
    let input = &request.input;
    service.check_owner(input.expected_bucket_owner.as_deref())?;
    service.check_owner(input.expected_source_bucket_owner.as_deref())?;
    let given = attributes!(input, &request.headers);
    let source = open(service, &input.copy_source).await?;
    source_conditions!(input).check_copy(&source.version)?;
    let replaces = is_replace(input.metadata_directive.as_ref().map(MetadataDirective::as_str))?;
    refuse_idle(input, &source, replaces)?;
    if source.version.size > body::PUT_MAX {
        return Err(refusal::entity_too_large());
    }
    let algorithm = multipart::parse_algorithm(input.checksum_algorithm.as_ref())?;
    let (etag, sum) = digests(service, &source, algorithm).await?;
    let replaces_tags = is_replace(input.tagging_directive.as_ref().map(TaggingDirective::as_str))?;
    let tags = if replaces_tags {
        tagging::parse_header(input.tagging.as_deref())?
    } else {
        source.version.tags.clone()
    };
    let attributes = if replaces { given } else { kept(&source.version, &given) };
    let new = NewObject {
        bucket: input.bucket.clone(),
        key: input.key.clone(),
        body: Body::Shared {
            extents: source.content.extents().to_vec(),
            size: source.version.size,
            etag,
        },
        checksum: Some(sum.clone()),
        storage_class: attributes::parse_storage_class(input.storage_class.as_ref())?,
        tags,
        attributes,
        condition: Condition::default(),
    };
    let (bucket, version) = service.objects.put(new).await.map_err(refusal::stored)?;
    let mut result = CopyObjectResult {
        checksum_type: Some(checksum::kind(sum.kind)),
        e_tag: Some(conditions::etag(&version.etag)),
        last_modified: Some(timestamp(version.modified_ms)),
        ..CopyObjectResult::default()
    };
    show!(result, sum.algorithm, Some(sum.value));
    let mut output = CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: object::shown_id(&source.bucket, &source.version),
        version_id: object::shown_id(&bucket, &version),
        ..CopyObjectOutput::default()
    };
    show_encryption!(output, version.attributes);
    Ok(S3Response::new(output))
}

pub(super) async fn part(
    service: &Buckets,
    request: S3Request<UploadPartCopyInput>,
) -> Answer<UploadPartCopyOutput> {
    let input = &request.input;
    service.check_owner(input.expected_bucket_owner.as_deref())?;
    service.check_owner(input.expected_source_bucket_owner.as_deref())?;
    attributes::check(None, &request.headers)?;
    let number = multipart::part_number(input.part_number)?;
    let upload = multipart::find(service, &input.bucket, &input.key, &input.upload_id).await?;
    let source = open(service, &input.copy_source).await?;
    source_conditions!(input).check_copy(&source.version)?;
    let content = match input.copy_source_range.as_deref() {
        None => source.content.clone(),
        Some(range) => source.content.slice(parse_range(range, source.version.size)?),
    };
    let size = content.size();
    if size > body::PUT_MAX {
        return Err(refusal::entity_too_large());
    }
    let digested = service.objects.digest(content.clone(), vec![upload.algorithm]).await;
    let (etag, sums) = digested.map_err(|fault| refusal::fault(&fault))?;
    let value = sums.into_iter().next().map(|sum| sum.value);
    let body = Body::Shared { extents: content.extents().to_vec(), size, etag };
    let part = service.objects.put_part(&upload.id, number, body, value.clone()).await;
    let part = part.map_err(refusal::stored)?;
    let mut result = CopyPartResult {
        e_tag: Some(conditions::etag(&part.etag)),
        last_modified: Some(timestamp(part.modified_ms)),
        ..CopyPartResult::default()
    };
    if upload.is_declared {
        show!(result, upload.algorithm, value);
    }
    let mut output = UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: object::shown_id(&source.bucket, &source.version),
        ..UploadPartCopyOutput::default()
    };
    show_encryption!(output, upload.attributes);
    Ok(S3Response::new(output))
}

/// What is copied.
struct Source {
    bucket: Bucket,
    version: Version,
    content: Content,
}

async fn open(service: &Buckets, source: &CopySource) -> S3Result<Source> {
    let CopySource::Bucket { bucket, key, version_id } = source else {
        return Err(refusal::not_implemented());
    };
    let target = object::target(bucket, key, version_id.as_deref())?;
    let is_asked = target.version.is_some();
    let opened = service.objects.open_object(target).await;
    let (bucket, version, content) = opened.map_err(refusal::stored)?;
    match (version.is_marker, is_asked) {
        (true, true) => Err(refusal::copy_source_is_marker()),
        (true, false) => Err(refusal::no_such_key()),
        (false, _) => Ok(Source { bucket, version, content }),
    }
}

/// AWS: a copy onto itself has to change something.
fn refuse_idle(input: &CopyObjectInput, source: &Source, replaces: bool) -> S3Result<()> {
    let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
        return Ok(());
    };
    let is_itself = **bucket == *input.bucket && **key == *input.key && version_id.is_none();
    let class = attributes::parse_storage_class(input.storage_class.as_ref())?;
    let changes = replaces
        || input.storage_class.is_some() && class != source.version.storage_class
        || input.website_redirect_location.is_some()
        || input.server_side_encryption.is_some()
        || input.checksum_algorithm.is_some();
    if is_itself && !changes { Err(refusal::copy_to_itself()) } else { Ok(()) }
}

/// The ETag and checksum of the copy. An object that was put in one piece has both already, unless
/// another checksum is wanted; the others are read once, as a copy is an object of one piece.
async fn digests(
    service: &Buckets,
    source: &Source,
    algorithm: Option<Algorithm>,
) -> S3Result<(String, Checksum)> {
    let known = source.version.checksum.as_ref().filter(|sum| {
        source.version.parts.is_none()
            && sum.kind == ChecksumKind::FullObject
            && algorithm.is_none_or(|algorithm| algorithm == sum.algorithm)
    });
    if let Some(sum) = known {
        return Ok((source.version.etag.clone(), sum.clone()));
    }
    let kept = source.version.checksum.as_ref().map(|sum| sum.algorithm);
    let algorithm = algorithm.or(kept).unwrap_or(Algorithm::Crc64Nvme);
    let digested = service.objects.digest(source.content.clone(), vec![algorithm]).await;
    let (etag, sums) = digested.map_err(|fault| refusal::fault(&fault))?;
    let sum = sums.into_iter().next().expect("one checksum was asked for");
    Ok((etag, sum))
}

/// The source's attributes, but the encryption and redirection that the copy asks for.
fn kept(source: &Version, given: &Attributes) -> Attributes {
    let mut attributes = source.attributes.clone();
    for name in [attributes::ENCRYPTION, attributes::ENCRYPTION_KEY, attributes::WEBSITE_REDIRECT] {
        attributes.headers.remove(name);
        if let Some(value) = given.headers.get(name) {
            attributes.headers.insert(name.to_owned(), value.clone());
        }
    }
    attributes
}

fn is_replace(directive: Option<&str>) -> S3Result<bool> {
    match directive {
        None | Some(MetadataDirective::COPY) => Ok(false),
        Some(MetadataDirective::REPLACE) => Ok(true),
        Some(_) => Err(refusal::invalid_argument("Unknown metadata directive.")),
    }
}

fn parse_range(text: &str, size: u64) -> S3Result<std::ops::Range<u64>> {
    match Range::parse(text) {
        Ok(Range::Int { first, last: Some(last) }) if last < size => Ok(first..last + 1),
        Ok(Range::Int { last: Some(_), .. }) => Err(refusal::copy_range_beyond(size)),
        Ok(Range::Int { last: None, .. } | Range::Suffix { .. }) | Err(_) => {
            Err(refusal::invalid_copy_range())
        }
    }
}
