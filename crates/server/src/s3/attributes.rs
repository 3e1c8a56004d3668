//! What is kept beside an object's bytes: headers, metadata, storage class, encryption as asked.

use super::{Answer, Buckets, acl, bucket::timestamp, checksum, conditions, object, refusal};
use s3s::dto::{
    self, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts, Metadata,
    ObjectAttributes, ObjectPart, ServerSideEncryption, StorageClass, Timestamp, TimestampFormat,
};
use s3s::{S3Request, S3Response, S3Result};
use std::collections::BTreeMap;
use store::objects::{Attributes, StoredPart, Version};

const METADATA_MAX: usize = 2048;

pub(super) const CONTENT_TYPE: &str = "content-type";
pub(super) const CONTENT_ENCODING: &str = "content-encoding";
pub(super) const CONTENT_LANGUAGE: &str = "content-language";
pub(super) const CONTENT_DISPOSITION: &str = "content-disposition";
pub(super) const CACHE_CONTROL: &str = "cache-control";
pub(super) const EXPIRES: &str = "expires";
pub(super) const WEBSITE_REDIRECT: &str = "x-amz-website-redirect-location";
pub(super) const ENCRYPTION: &str = "x-amz-server-side-encryption";
pub(super) const ENCRYPTION_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";

const STORAGE_CLASSES: [&str; 7] = [
    StorageClass::STANDARD,
    StorageClass::REDUCED_REDUNDANCY,
    StorageClass::STANDARD_IA,
    StorageClass::ONEZONE_IA,
    StorageClass::INTELLIGENT_TIERING,
    StorageClass::GLACIER_IR,
    StorageClass::EXPRESS_ONEZONE,
];

/// Collects the attributes of an input that makes an object, and refuses what is not kept.
macro_rules! attributes {
    ($input:expr, $headers:expr) => {{
        use $crate::s3::attributes as names;
        let input = &$input;
        names::check(input.acl.as_ref().map(|acl| acl.as_str()), $headers)?;
        let text = |value: &Option<String>| value.clone();
        names::collect(
            [
                (names::CONTENT_TYPE, text(&input.content_type)),
                (names::CONTENT_ENCODING, names::encoding(input.content_encoding.as_deref())),
                (names::CONTENT_LANGUAGE, text(&input.content_language)),
                (names::CONTENT_DISPOSITION, text(&input.content_disposition)),
                (names::CACHE_CONTROL, text(&input.cache_control)),
                (names::EXPIRES, input.expires.as_ref().map($crate::s3::conditions::http_date)),
                (names::WEBSITE_REDIRECT, text(&input.website_redirect_location)),
                (
                    names::ENCRYPTION,
                    input.server_side_encryption.as_ref().map(|it| it.as_str().to_owned()),
                ),
                (names::ENCRYPTION_KEY, text(&input.ssekms_key_id)),
            ],
            input.metadata.as_ref(),
        )?
    }};
}
pub(super) use attributes;

/// Shows the kept headers in an output; the names are those of the outputs of `get` and `head`.
macro_rules! show_headers {
    ($output:expr, $version:expr) => {{
        use $crate::s3::attributes as names;
        let kept = |name: &str| $version.attributes.headers.get(name).cloned();
        $output.content_type =
            Some(kept(names::CONTENT_TYPE).unwrap_or_else(|| "binary/octet-stream".into()));
        $output.content_encoding = kept(names::CONTENT_ENCODING);
        $output.content_language = kept(names::CONTENT_LANGUAGE);
        $output.content_disposition = kept(names::CONTENT_DISPOSITION);
        $output.cache_control = kept(names::CACHE_CONTROL);
        $output.expires = kept(names::EXPIRES).and_then(|it| names::time(&it));
        $output.website_redirect_location = kept(names::WEBSITE_REDIRECT);
        $output.metadata = names::metadata($version);
        $output.storage_class = names::storage_class($version.storage_class.as_deref());
    }};
}
pub(super) use show_headers;

/// Shows the encryption that was asked for.
macro_rules! show_encryption {
    ($output:expr, $attributes:expr) => {{
        use $crate::s3::attributes as names;
        let kept = |name: &str| $attributes.headers.get(name).cloned();
        $output.server_side_encryption =
            kept(names::ENCRYPTION).map(s3s::dto::ServerSideEncryption::from);
        $output.ssekms_key_id = kept(names::ENCRYPTION_KEY);
    }};
}
pub(super) use show_encryption;

pub(super) async fn get(
    service: &Buckets,
    request: S3Request<GetObjectAttributesInput>,
) -> Answer<GetObjectAttributesOutput> {
    let input = &request.input;
    service.check_owner(input.expected_bucket_owner.as_deref())?;
    let (bucket, version) =
        object::find(service, &input.bucket, &input.key, input.version_id.as_deref()).await?;
    // One header may name several, which `s3s` leaves as they are.
    let asked = input.object_attributes.iter().flat_map(|it| it.as_str().split(','));
    let asked: Vec<_> = asked.map(str::trim).collect();
    let asks = |name: &str| asked.contains(&name);
    let mut output = GetObjectAttributesOutput {
        last_modified: Some(timestamp(version.modified_ms)),
        version_id: object::shown_id(&bucket, &version),
        ..GetObjectAttributesOutput::default()
    };
    if asks(ObjectAttributes::ETAG) {
        output.e_tag = Some(conditions::etag(&version.etag));
    }
    if asks(ObjectAttributes::OBJECT_SIZE) {
        output.object_size = Some(object::size(version.size));
    }
    if asks(ObjectAttributes::STORAGE_CLASS) {
        let class = version.storage_class.clone();
        let class = class.unwrap_or_else(|| StorageClass::STANDARD.to_owned());
        output.storage_class = Some(StorageClass::from(class));
    }
    if asks(ObjectAttributes::CHECKSUM)
        && let Some(sum) = &version.checksum
    {
        let mut shown = dto::Checksum::default();
        // AWS: here a composite checksum stands without the number of parts.
        let bare = sum.value.split_once('-').map_or(sum.value.as_str(), |(bare, _)| bare);
        checksum::show!(shown, sum.algorithm, Some(bare.to_owned()));
        shown.checksum_type = Some(checksum::kind(sum.kind));
        output.checksum = Some(shown);
    }
    if asks(ObjectAttributes::OBJECT_PARTS)
        && let Some(parts) = &version.parts
    {
        output.object_parts = Some(shown_parts(input, &version, parts));
    }
    Ok(S3Response::new(output))
}

fn shown_parts(
    input: &GetObjectAttributesInput,
    version: &Version,
    parts: &[StoredPart],
) -> GetObjectAttributesParts {
    let marker = input.part_number_marker.unwrap_or(0);
    let limit = input.max_parts.unwrap_or(1000).clamp(0, 1000);
    let after = u32::try_from(marker).unwrap_or(0);
    let rest: Vec<_> = parts.iter().filter(|part| part.number > after).collect();
    let shown = rest.iter().take(usize::try_from(limit).unwrap_or(0));
    let algorithm = version.checksum.as_ref().map(|sum| sum.algorithm);
    let list: Vec<_> = shown
        .map(|part| {
            let mut shown = ObjectPart {
                part_number: i32::try_from(part.number).ok(),
                size: Some(object::size(part.size)),
                ..ObjectPart::default()
            };
            if let (Some(algorithm), Some(value)) = (algorithm, &part.checksum) {
                checksum::show!(shown, algorithm, Some(value.clone()));
            }
            shown
        })
        .collect();
    GetObjectAttributesParts {
        is_truncated: Some(list.len() < rest.len()),
        max_parts: Some(limit),
        next_part_number_marker: list.last().map_or(Some(0), |part| part.part_number),
        part_number_marker: Some(marker),
        total_parts_count: i32::try_from(parts.len()).ok(),
        // AWS: single parts are listed only when the object has a checksum.
        parts: Some(list),
    }
}

/// Refuses what would have to be kept and is not.
pub(super) fn check(acl: Option<&str>, headers: &http::HeaderMap) -> S3Result<()> {
    acl::check_canned(acl)?;
    acl::check_grants(headers)?;
    for name in headers.keys().map(http::HeaderName::as_str) {
        if name.starts_with("x-amz-object-lock-") {
            return Err(refusal::object_lock_missing());
        }
        if name.contains("server-side-encryption-customer-") {
            return Err(refusal::customer_keys_unsupported());
        }
    }
    Ok(())
}

/// Makes attributes of named headers and the user's metadata.
pub(super) fn collect<const N: usize>(
    headers: [(&str, Option<String>); N],
    metadata: Option<&Metadata>,
) -> S3Result<Attributes> {
    let headers = headers
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect::<BTreeMap<_, _>>();
    match headers.get(ENCRYPTION).map(String::as_str) {
        None
        | Some(
            ServerSideEncryption::AES256
            | ServerSideEncryption::AWS_KMS
            | ServerSideEncryption::AWS_KMS_DSSE,
        ) => {}
        Some(_) => {
            return Err(refusal::invalid_argument(
                "The encryption method specified is not supported",
            ));
        }
    }
    let metadata: BTreeMap<_, _> =
        metadata.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
    if metadata.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > METADATA_MAX {
        return Err(refusal::metadata_too_large());
    }
    Ok(Attributes { headers, metadata })
}

/// The content encoding without `aws-chunked`, which was the transfer's and is not the object's.
pub(super) fn encoding(header: Option<&str>) -> Option<String> {
    let kept: Vec<_> = header?
        .split(',')
        .map(str::trim)
        .filter(|it| *it != "aws-chunked" && !it.is_empty())
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// The metadata of a version as an output has it.
pub(super) fn metadata(version: &Version) -> Option<Metadata> {
    Some(version.attributes.metadata.clone().into_iter().collect())
}

/// A kept date.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    Timestamp::parse(TimestampFormat::HttpDate, text).ok()
}

/// Refuses unknown storage classes; the usual one is not written down.
pub(super) fn parse_storage_class(class: Option<&StorageClass>) -> S3Result<Option<String>> {
    match class.map(StorageClass::as_str) {
        None | Some("" | StorageClass::STANDARD) => Ok(None),
        Some(class) if STORAGE_CLASSES.contains(&class) => Ok(Some(class.to_owned())),
        Some(StorageClass::GLACIER | StorageClass::DEEP_ARCHIVE) => Err(refusal::not_implemented()),
        Some(_) => Err(refusal::invalid_storage_class()),
    }
}

/// AWS: the usual storage class is not shown by `get` and `head`.
pub(super) fn storage_class(class: Option<&str>) -> Option<StorageClass> {
    class.map(|class| StorageClass::from(class.to_owned()))
}
