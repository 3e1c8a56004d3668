//! Versioning: turning it on and off, and listing what it keeps.

use super::bucket::timestamp;
use super::listing::Form;
use super::{Answer, Buckets, checksum, conditions, object, refusal};
use s3s::dto::{
    BucketVersioningStatus, ChecksumAlgorithm, DeleteMarkerEntry, GetBucketVersioningInput,
    GetBucketVersioningOutput, ListObjectVersionsInput, ListObjectVersionsOutput, MFADelete,
    ObjectVersion, ObjectVersionStorageClass, PutBucketVersioningInput, PutBucketVersioningOutput,
};
use s3s::{S3Request, S3Response, S3Result};
use store::objects::{After, Listed, ListingItem, VersionAfter, VersionId, Versioning};

pub(super) async fn get_versioning(
    service: &Buckets,
    request: S3Request<GetBucketVersioningInput>,
) -> Answer<GetBucketVersioningOutput> {
    let GetBucketVersioningInput { bucket, expected_bucket_owner } = &request.input;
    let bucket = service.bucket(bucket, expected_bucket_owner.as_deref()).await?;
    let status = match bucket.versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
    };
    Ok(S3Response::new(GetBucketVersioningOutput {
        mfa_delete: None,
        status: status.map(BucketVersioningStatus::from_static),
    }))
}

pub(super) async fn put_versioning(
    service: &Buckets,
    request: S3Request<PutBucketVersioningInput>,
) -> Answer<PutBucketVersioningOutput> {
    let PutBucketVersioningInput {
        bucket, expected_bucket_owner, versioning_configuration, ..
    } = request.input;
    service.check_owner(expected_bucket_owner.as_deref())?;
    let asks_mfa =
        versioning_configuration.mfa_delete.is_some_and(|it| it.as_str() == MFADelete::ENABLED);
    if asks_mfa {
        return Err(refusal::mfa_unsupported());
    }
    let versioning =
        match versioning_configuration.status.as_ref().map(BucketVersioningStatus::as_str) {
            Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
            Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
            _ => return Err(refusal::malformed_xml()),
        };
    service.objects.set_versioning(&bucket, versioning).await.map_err(refusal::stored)?;
    Ok(S3Response::new(PutBucketVersioningOutput {}))
}

pub(super) async fn list(
    service: &Buckets,
    request: S3Request<ListObjectVersionsInput>,
) -> Answer<ListObjectVersionsOutput> {
    let input = request.input;
    let form = Form::read(
        service,
        (input.expected_bucket_owner, input.encoding_type),
        (input.prefix, input.delimiter, input.max_keys),
    )?;
    let key_marker = input.key_marker.filter(|it| !it.is_empty());
    let version_id_marker = input.version_id_marker.filter(|it| !it.is_empty());
    let after = after(&form, key_marker.clone(), version_id_marker.as_deref())?;
    let page = service.objects.list_versions(&input.bucket, form.query.clone(), after).await;
    let page = form.ended(page.map_err(refusal::stored)?);
    let (next_key_marker, next_version_id_marker) =
        match page.items.last().filter(|_| page.is_truncated) {
            None => (None, None),
            Some(ListingItem::Prefix(prefix)) => (Some(form.encode(prefix)), None),
            Some(ListingItem::Entry(listed)) => {
                (Some(form.encode(&listed.key)), Some(listed.id.to_string()))
            }
        };
    let mut delete_markers = Vec::new();
    let (versions, common_prefixes) = form.split(page.items, |listed| {
        if listed.is_marker {
            delete_markers.push(marker(service, &form, &listed));
            return None;
        }
        Some(version(service, &form, listed))
    });
    Ok(S3Response::new(ListObjectVersionsOutput {
        common_prefixes,
        delete_markers: Some(delete_markers),
        delimiter: form.delimiter(),
        encoding_type: form.encoding_type.clone(),
        is_truncated: Some(page.is_truncated),
        key_marker: Some(form.encode(key_marker.as_deref().unwrap_or_default())),
        max_keys: Some(form.max_keys),
        name: Some(input.bucket),
        next_key_marker,
        next_version_id_marker,
        prefix: Some(form.encode(&form.query.prefix)),
        version_id_marker: Some(version_id_marker.unwrap_or_default()),
        versions: versions.map(|versions| versions.into_iter().flatten().collect()),
        ..ListObjectVersionsOutput::default()
    }))
}

fn after(form: &Form, key: Option<String>, id: Option<&str>) -> S3Result<Option<VersionAfter>> {
    let id = id.map(str::parse::<VersionId>).transpose().map_err(refusal::stored)?;
    match (key, id) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(refusal::invalid_argument(
            "A version-id marker cannot be specified without a key marker.",
        )),
        (Some(key), Some(id)) => Ok(Some(VersionAfter::Version(key, id))),
        (Some(key), None) => Ok(Some(VersionAfter::Key(After::marker(key, &form.query)))),
    }
}

fn version(service: &Buckets, form: &Form, listed: Listed) -> ObjectVersion {
    let class = listed.storage_class.unwrap_or_else(|| "STANDARD".into());
    ObjectVersion {
        checksum_algorithm: listed
            .checksum
            .as_ref()
            .map(|it| vec![ChecksumAlgorithm::from_static(checksum::name(it.algorithm))]),
        checksum_type: listed.checksum.as_ref().map(|it| checksum::kind(it.kind)),
        e_tag: Some(conditions::etag(&listed.etag)),
        is_latest: Some(listed.is_latest),
        key: Some(form.encode(&listed.key)),
        last_modified: Some(timestamp(listed.modified_ms)),
        owner: Some(service.owner()),
        restore_status: None,
        size: Some(object::size(listed.size)),
        storage_class: Some(ObjectVersionStorageClass::from(class)),
        version_id: Some(listed.id.to_string()),
    }
}

fn marker(service: &Buckets, form: &Form, listed: &Listed) -> DeleteMarkerEntry {
    DeleteMarkerEntry {
        is_latest: Some(listed.is_latest),
        key: Some(form.encode(&listed.key)),
        last_modified: Some(timestamp(listed.modified_ms)),
        owner: Some(service.owner()),
        version_id: Some(listed.id.to_string()),
    }
}
