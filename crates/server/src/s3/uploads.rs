//! Listing multipart uploads and their parts.

use super::bucket::timestamp;
use super::checksum::{self, show};
use super::listing::Form;
use super::{Answer, Buckets, conditions, object, refusal};
use s3s::dto::{
    ChecksumAlgorithm, Initiator, ListMultipartUploadsInput, ListMultipartUploadsOutput,
    ListPartsInput, ListPartsOutput, MultipartUpload, Owner, Part, StorageClass,
};
use s3s::{S3Request, S3Response};
use store::objects::{After, ListingItem, Upload};

const PARTS_MAX: i32 = 1000;

pub(super) async fn list(
    service: &Buckets,
    request: S3Request<ListMultipartUploadsInput>,
) -> Answer<ListMultipartUploadsOutput> {
    let input = request.input;
    let form = Form::read(
        service,
        (input.expected_bucket_owner, input.encoding_type),
        (input.prefix, input.delimiter, input.max_uploads),
    )?;
    let key_marker = input.key_marker.filter(|it| !it.is_empty());
    let upload_id_marker = input.upload_id_marker.filter(|it| !it.is_empty());
    let after = key_marker.clone().map(|key| match &upload_id_marker {
        Some(id) => (After::Key(key), Some(id.clone())),
        None => (After::marker(key, &form.query), None),
    });
    let page = service.objects.list_uploads(&input.bucket, form.query.clone(), after).await;
    let page = form.ended(page.map_err(refusal::stored)?);
    let (next_key_marker, next_upload_id_marker) =
        match page.items.last().filter(|_| page.is_truncated) {
            None => (None, None),
            Some(ListingItem::Prefix(prefix)) => (Some(form.encode(prefix)), None),
            Some(ListingItem::Entry(upload)) => {
                (Some(form.encode(&upload.key)), Some(upload.id.clone()))
            }
        };
    let (uploads, common_prefixes) = form.split(page.items, |upload| shown(service, &form, upload));
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        common_prefixes,
        delimiter: form.delimiter(),
        encoding_type: form.encoding_type.clone(),
        is_truncated: Some(page.is_truncated),
        key_marker: Some(form.encode(key_marker.as_deref().unwrap_or_default())),
        max_uploads: Some(form.max_keys),
        next_key_marker,
        next_upload_id_marker,
        prefix: Some(form.encode(&form.query.prefix)),
        upload_id_marker: Some(upload_id_marker.unwrap_or_default()),
        uploads,
        ..ListMultipartUploadsOutput::default()
    }))
}

pub(super) async fn list_parts(
    service: &Buckets,
    request: S3Request<ListPartsInput>,
) -> Answer<ListPartsOutput> {
    let input = request.input;
    service.check_owner(input.expected_bucket_owner.as_deref())?;
    let max_parts = input.max_parts.unwrap_or(PARTS_MAX).min(PARTS_MAX);
    let limit = usize::try_from(max_parts).map_err(|_| {
        refusal::invalid_argument("Argument max-parts must be an integer between 0 and 2147483647")
    })?;
    let marker = input.part_number_marker.unwrap_or(0);
    let after = u32::try_from(marker).map_err(|_| {
        refusal::invalid_argument(
            "Argument part-number-marker must be an integer between 0 and 2147483647",
        )
    })?;
    let upload = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
    let page = service.objects.parts(upload, after, limit).await.map_err(refusal::stored)?;
    let upload = &page.upload;
    let parts: Vec<_> = page
        .parts
        .iter()
        .map(|part| {
            let mut shown = Part {
                e_tag: Some(conditions::etag(&part.etag)),
                last_modified: Some(timestamp(part.modified_ms)),
                part_number: i32::try_from(part.number).ok(),
                size: Some(object::size(part.size)),
                ..Part::default()
            };
            if upload.is_declared {
                show!(shown, upload.algorithm, part.checksum.clone());
            }
            shown
        })
        .collect();
    let next = parts.last().map_or(Some(0), |part| part.part_number);
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: algorithm(upload),
        checksum_type: upload.is_declared.then(|| checksum::kind(upload.kind)),
        initiator: Some(initiator(service.owner())),
        is_truncated: Some(page.is_truncated && limit > 0),
        key: Some(input.key),
        max_parts: Some(max_parts),
        next_part_number_marker: next,
        owner: Some(service.owner()),
        part_number_marker: Some(marker),
        parts: Some(parts),
        storage_class: Some(storage_class(upload)),
        upload_id: Some(input.upload_id),
        ..ListPartsOutput::default()
    }))
}

fn shown(service: &Buckets, form: &Form, upload: Upload) -> MultipartUpload {
    MultipartUpload {
        checksum_algorithm: algorithm(&upload),
        checksum_type: upload.is_declared.then(|| checksum::kind(upload.kind)),
        initiated: Some(timestamp(upload.initiated_ms)),
        initiator: Some(initiator(service.owner())),
        key: Some(form.encode(&upload.key)),
        owner: Some(service.owner()),
        storage_class: Some(storage_class(&upload)),
        upload_id: Some(upload.id),
    }
}

fn algorithm(upload: &Upload) -> Option<ChecksumAlgorithm> {
    let name = ChecksumAlgorithm::from_static(checksum::name(upload.algorithm));
    upload.is_declared.then_some(name)
}

fn storage_class(upload: &Upload) -> StorageClass {
    let class = upload.storage_class.clone();
    StorageClass::from(class.unwrap_or_else(|| StorageClass::STANDARD.to_owned()))
}

fn initiator(owner: Owner) -> Initiator {
    Initiator { display_name: owner.display_name, id: owner.id }
}
