//! Every sentence with which S3 refuses, each behind one named constructor.

use s3s::{S3Error, S3ErrorCode, s3_error};
use std::borrow::Cow;
use store::objects::{Algorithm, Fault, ObjectError};

pub(super) fn access_denied() -> S3Error {
    s3_error!(AccessDenied, "Access Denied")
}

pub(super) fn unsupported_signature() -> S3Error {
    s3_error!(
        InvalidRequest,
        "The authorization mechanism you have provided is not supported. Please use \
         AWS4-HMAC-SHA256."
    )
}

pub(super) fn invalid_access_key() -> S3Error {
    s3_error!(
        InvalidAccessKeyId,
        "The AWS Access Key Id you provided does not exist in our records."
    )
}

pub(super) fn invalid_token() -> S3Error {
    s3_error!(InvalidToken, "The provided token is malformed or otherwise invalid.")
}

pub(super) fn expired_token() -> S3Error {
    s3_error!(ExpiredToken, "The provided token has expired.")
}

pub(super) fn no_such_bucket() -> S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist")
}

pub(super) fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}

pub(super) fn no_such_version() -> S3Error {
    s3_error!(NoSuchVersion, "The specified version does not exist.")
}

pub(super) fn no_such_upload() -> S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may \
         have been aborted or completed."
    )
}

pub(super) fn method_not_allowed() -> S3Error {
    s3_error!(MethodNotAllowed, "The specified method is not allowed against this resource.")
}

pub(super) fn bucket_already_owned_by_you() -> S3Error {
    s3_error!(
        BucketAlreadyOwnedByYou,
        "Your previous request to create the named bucket succeeded and you already own it."
    )
}

pub(super) fn unspecified_location() -> S3Error {
    s3_error!(
        IllegalLocationConstraintException,
        "The unspecified location constraint is incompatible for the region specific endpoint \
         this request was sent to."
    )
}

pub(super) fn incompatible_location(location: &str) -> S3Error {
    s3_error!(
        IllegalLocationConstraintException,
        "The {location} location constraint is incompatible for the region specific endpoint \
         this request was sent to."
    )
}

pub(super) fn invalid_location() -> S3Error {
    s3_error!(InvalidLocationConstraint, "The specified location-constraint is not valid")
}

pub(super) fn precondition_failed(condition: &str) -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold: {condition}"
    )
}

pub(super) fn not_modified() -> S3Error {
    s3_error!(NotModified, "Not Modified")
}

pub(super) fn invalid_range() -> S3Error {
    s3_error!(InvalidRange, "The requested range is not satisfiable")
}

pub(super) fn invalid_part_number() -> S3Error {
    let mut error = S3Error::with_message(
        S3ErrorCode::Custom("InvalidPartNumber".into()),
        "The requested partnumber is not satisfiable",
    );
    error.set_status_code(http::StatusCode::RANGE_NOT_SATISFIABLE);
    error
}

pub(super) fn range_and_part() -> S3Error {
    s3_error!(InvalidRequest, "Cannot specify both Range header and partNumber query parameter")
}

pub(super) fn part_number_out_of_range() -> S3Error {
    invalid_argument("Part number must be an integer between 1 and 10000, inclusive")
}

pub(super) fn invalid_argument(message: &str) -> S3Error {
    s3_error!(InvalidArgument, "{message}")
}

pub(super) fn invalid_continuation_token() -> S3Error {
    invalid_argument("The continuation token provided is incorrect")
}

pub(super) fn incomplete_body() -> S3Error {
    s3_error!(
        IncompleteBody,
        "You did not provide the number of bytes specified by the Content-Length HTTP header"
    )
}

pub(super) fn missing_content_length() -> S3Error {
    s3_error!(MissingContentLength, "You must provide the Content-Length HTTP header.")
}

pub(super) fn entity_too_large() -> S3Error {
    s3_error!(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size")
}

pub(super) fn chunk_signature_mismatch() -> S3Error {
    s3_error!(
        SignatureDoesNotMatch,
        "The request signature we calculated does not match the signature you provided. Check \
         your key and signing method."
    )
}

pub(super) fn payload_hash_mismatch() -> S3Error {
    malformed(
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )
}

pub(super) fn malformed_trailer() -> S3Error {
    malformed(
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our \
         published schema.",
    )
}

pub(super) fn invalid_md5() -> S3Error {
    s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid.")
}

pub(super) fn md5_mismatch() -> S3Error {
    s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received.")
}

pub(super) fn checksum_mismatch(algorithm: Algorithm) -> S3Error {
    let name = super::checksum::name(algorithm);
    s3_error!(BadDigest, "The {name} you specified did not match the calculated checksum.")
}

pub(super) fn several_checksums() -> S3Error {
    s3_error!(
        InvalidRequest,
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
    )
}

pub(super) fn invalid_checksum(algorithm: Algorithm) -> S3Error {
    let name = super::checksum::name(algorithm).to_ascii_lowercase();
    s3_error!(InvalidRequest, "Value for x-amz-checksum-{name} header is invalid.")
}

pub(super) fn checksum_missing() -> S3Error {
    s3_error!(
        InvalidRequest,
        "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or \
         x-amz-trailer headers were found."
    )
}

pub(super) fn unknown_checksum_algorithm() -> S3Error {
    s3_error!(
        InvalidRequest,
        "Checksum algorithm provided is unsupported. Please try again with any of the valid \
         types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"
    )
}

pub(super) fn checksum_type_unsupported(kind: &str, algorithm: Algorithm) -> S3Error {
    let name = super::checksum::name(algorithm).to_ascii_lowercase();
    s3_error!(
        InvalidRequest,
        "The {kind} checksum type cannot be used with the {name} checksum algorithm."
    )
}

pub(super) fn checksum_type_mismatch(given: Algorithm, expected: Algorithm) -> S3Error {
    let (given, expected) = (super::checksum::name(given), super::checksum::name(expected));
    s3_error!(
        InvalidRequest,
        "Checksum Type mismatch occurred, expected checksum Type: {expected}, actual checksum \
         Type: {given}"
    )
}

pub(super) fn invalid_part(number: u32) -> S3Error {
    s3_error!(
        InvalidPart,
        "One or more of the specified parts could not be found. The part may not have been \
         uploaded, or the specified entity tag may not match the part's entity tag. (part {number})"
    )
}

pub(super) fn too_many_tags(limit: usize) -> S3Error {
    let what = if limit == 10 { "Object" } else { "Bucket" };
    malformed("BadRequest", format!("{what} tags cannot be greater than {limit}"))
}

pub(super) fn invalid_tag(message: &'static str) -> S3Error {
    s3_error!(InvalidTag, "{message}")
}

pub(super) fn no_such_tag_set() -> S3Error {
    s3_error!(NoSuchTagSet, "The TagSet does not exist")
}

pub(super) fn metadata_too_large() -> S3Error {
    s3_error!(MetadataTooLarge, "Your metadata headers exceed the maximum allowed metadata size")
}

pub(super) fn customer_keys_unsupported() -> S3Error {
    not_implemented()
}

pub(super) fn not_implemented() -> S3Error {
    s3_error!(NotImplemented, "A header you provided implies functionality that is not implemented")
}

pub(super) fn object_lock_missing() -> S3Error {
    s3_error!(InvalidRequest, "Bucket is missing Object Lock Configuration")
}

pub(super) fn acl_unsupported() -> S3Error {
    s3_error!(AccessControlListNotSupported, "The bucket does not allow ACLs")
}

pub(super) fn invalid_storage_class() -> S3Error {
    s3_error!(InvalidStorageClass, "The storage class you specified is not valid")
}

pub(super) fn copy_to_itself() -> S3Error {
    s3_error!(
        InvalidRequest,
        "This copy request is illegal because it is trying to copy an object to itself without \
         changing the object's metadata, storage class, website redirect location or encryption \
         attributes."
    )
}

pub(super) fn copy_source_is_marker() -> S3Error {
    s3_error!(
        InvalidRequest,
        "The source of a copy request may not specifically refer to a delete marker by version id."
    )
}

pub(super) fn invalid_copy_range() -> S3Error {
    invalid_argument(
        "The x-amz-copy-source-range value must be of the form bytes=first-last where first and \
         last are the zero-based offsets of the first and last bytes to copy",
    )
}

pub(super) fn copy_range_beyond(size: u64) -> S3Error {
    s3_error!(InvalidArgument, "Range specified is not valid for source object of size: {size}")
}

pub(super) fn malformed_xml() -> S3Error {
    s3_error!(
        MalformedXML,
        "The XML you provided was not well-formed or did not validate against our published schema"
    )
}

pub(super) fn mfa_unsupported() -> S3Error {
    not_implemented()
}

/// The answer when a bucket lacks a configuration that a client asked for.
pub(super) fn unconfigured(code: S3ErrorCode, message: &'static str) -> S3Error {
    S3Error::with_message(code, message)
}

/// An access block that is not there; `s3s` does not know its code.
pub(super) fn no_public_access_block() -> S3Error {
    let mut error = S3Error::with_message(
        S3ErrorCode::Custom("NoSuchPublicAccessBlockConfiguration".into()),
        "The public access block configuration was not found",
    );
    error.set_status_code(http::StatusCode::NOT_FOUND);
    error
}

/// Our fault: the log gets the whole of it, the caller only that it happened.
pub(super) fn fault(fault: &Fault) -> S3Error {
    let mut chain = fault.to_string();
    let mut source = std::error::Error::source(fault);
    while let Some(error) = source {
        chain = format!("{chain}: {error}");
        source = error.source();
    }
    tracing::error!(fault = chain, "S3 request failed");
    s3_error!(InternalError, "We encountered an internal error. Please try again.")
}

/// A refusal of the store in S3's words.
pub(super) fn stored(error: ObjectError) -> S3Error {
    match error {
        ObjectError::NoSuchBucket => no_such_bucket(),
        ObjectError::NoSuchKey => no_such_key(),
        ObjectError::NoSuchVersion => no_such_version(),
        ObjectError::InvalidVersionId => invalid_argument("Invalid version id specified"),
        ObjectError::NoSuchUpload => no_such_upload(),
        ObjectError::BucketExists(_) => bucket_already_owned_by_you(),
        ObjectError::BucketNotEmpty => {
            s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty")
        }
        ObjectError::PreconditionFailed(condition) => precondition_failed(condition),
        ObjectError::InvalidPart(number) => invalid_part(number),
        ObjectError::InvalidPartOrder => s3_error!(
            InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number."
        ),
        ObjectError::PartTooSmall { .. } => s3_error!(
            EntityTooSmall,
            "Your proposed upload is smaller than the minimum allowed size"
        ),
        ObjectError::ChecksumMismatch => s3_error!(
            BadDigest,
            "The checksum you specified did not match the calculated checksum."
        ),
        ObjectError::SizeMismatch => s3_error!(
            InvalidRequest,
            "The provided 'x-amz-mp-object-size' header does not match what was computed"
        ),
        ObjectError::Fault(error) => fault(&error),
    }
}

/// The sentence for a code that `s3s` leaves without one.
pub(super) fn usual_message(code: &str) -> Option<&'static str> {
    Some(match code {
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check \
             your key and signing method."
        }
        "InvalidBucketName" => "The specified bucket is not valid.",
        "KeyTooLongError" => "Your key is too long",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "NotImplemented" => "A header you provided implies functionality that is not implemented",
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published \
             schema"
        }
        "InternalError" => "We encountered an internal error. Please try again.",
        "AccessDenied" => "Access Denied",
        "RequestTimeTooSkewed" => {
            "The difference between the request time and the current time is too large."
        }
        "MaxMessageLengthExceeded" => "Your request was too big.",
        "IncompleteBody" => {
            "You did not provide the number of bytes specified by the Content-Length HTTP header"
        }
        _ => return None,
    })
}

/// A refusal with a code that `s3s` does not know.
fn malformed(code: &'static str, message: impl Into<Cow<'static, str>>) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(http::StatusCode::BAD_REQUEST);
    error
}
