//! Listings of objects, and what all listings have in common.

use super::bucket::timestamp;
use super::{Answer, Buckets, checksum, conditions, object, refusal};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    ChecksumAlgorithm, CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput,
    ListObjectsV2Input, ListObjectsV2Output, Object, ObjectStorageClass, Owner,
};
use s3s::{S3Request, S3Response, S3Result};
use store::objects::{After, Listed, Listing, ListingItem, ListingQuery};

const PAGE_MAX: i32 = 1000;

/// What stays as it is in a listing with `encoding-type=url`.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/').remove(b'*');

pub(super) async fn objects(
    service: &Buckets,
    request: S3Request<ListObjectsInput>,
) -> Answer<ListObjectsOutput> {
    let input = request.input;
    let form = Form::read(
        service,
        (input.expected_bucket_owner, input.encoding_type),
        (input.prefix, input.delimiter, input.max_keys),
    )?;
    let marker = input.marker.filter(|it| !it.is_empty());
    let after = marker.clone().map(|marker| After::marker(marker, &form.query));
    let page = form.page(service, &input.bucket, after).await?;
    // AWS: without a delimiter there is no next marker, the last key is one.
    let next_marker = (page.is_truncated && form.query.delimiter.is_some())
        .then(|| page.items.last().map(|item| form.encode(key(item))))
        .flatten();
    let (contents, common_prefixes) =
        form.split(page.items, |listed| form.object(listed, Some(service.owner())));
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(form.encode(&form.query.prefix)),
        marker: Some(form.encode(marker.as_deref().unwrap_or_default())),
        max_keys: Some(form.max_keys),
        is_truncated: Some(page.is_truncated),
        contents,
        common_prefixes,
        delimiter: form.delimiter(),
        next_marker,
        encoding_type: form.encoding_type,
        ..ListObjectsOutput::default()
    }))
}

pub(super) async fn objects_v2(
    service: &Buckets,
    request: S3Request<ListObjectsV2Input>,
) -> Answer<ListObjectsV2Output> {
    let input = request.input;
    let form = Form::read(
        service,
        (input.expected_bucket_owner, input.encoding_type),
        (input.prefix, input.delimiter, input.max_keys),
    )?;
    let start_after = input.start_after.filter(|it| !it.is_empty());
    let after = match &input.continuation_token {
        Some(token) => Some(parse_token(token)?),
        None => start_after.clone().map(|marker| After::marker(marker, &form.query)),
    };
    let page = form.page(service, &input.bucket, after).await?;
    let owner = (input.fetch_owner == Some(true)).then(|| service.owner());
    let next = page.is_truncated.then(|| page.items.last().map(token)).flatten();
    let key_count = i32::try_from(page.items.len()).ok();
    let (contents, common_prefixes) =
        form.split(page.items, |listed| form.object(listed, owner.clone()));
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(form.encode(&form.query.prefix)),
        max_keys: Some(form.max_keys),
        key_count,
        continuation_token: input.continuation_token,
        is_truncated: Some(page.is_truncated),
        next_continuation_token: next,
        contents,
        common_prefixes,
        delimiter: form.delimiter(),
        start_after: start_after.map(|start_after| form.encode(&start_after)),
        encoding_type: form.encoding_type,
        ..ListObjectsV2Output::default()
    }))
}

/// What every listing is asked and how it is answered.
pub(super) struct Form {
    /// What the store is asked.
    pub(super) query: ListingQuery,
    /// How keys are written.
    pub(super) encoding_type: Option<EncodingType>,
    /// The size of a page as the answer says it.
    pub(super) max_keys: i32,
}

impl Form {
    /// Reads what listings have in common: owner and encoding; prefix, delimiter and page size.
    pub(super) fn read(
        service: &Buckets,
        (owner, encoding_type): (Option<String>, Option<EncodingType>),
        (prefix, delimiter, max_keys): (Option<String>, Option<String>, Option<i32>),
    ) -> S3Result<Self> {
        service.check_owner(owner.as_deref())?;
        if encoding_type.as_ref().is_some_and(|it| it.as_str() != EncodingType::URL) {
            return Err(refusal::invalid_argument("Invalid Encoding Method specified in Request"));
        }
        let max_keys = max_keys.unwrap_or(PAGE_MAX).min(PAGE_MAX);
        let limit = usize::try_from(max_keys).map_err(|_| {
            refusal::invalid_argument(
                "Argument maxKeys must be an integer between 0 and 2147483647",
            )
        })?;
        let query = ListingQuery {
            prefix: prefix.unwrap_or_default(),
            delimiter: delimiter.filter(|it| !it.is_empty()),
            limit,
        };
        Ok(Self { query, encoding_type, max_keys })
    }

    /// Asks the store for a page of objects. A page of nothing is never the beginning of more.
    async fn page(
        &self,
        service: &Buckets,
        bucket: &str,
        after: Option<After>,
    ) -> S3Result<Listing<Listed>> {
        let page = service.objects.list(bucket, self.query.clone(), after).await;
        page.map(|page| self.ended(page)).map_err(refusal::stored)
    }

    /// AWS: a page of size nothing is not truncated.
    pub(super) fn ended<T>(&self, mut page: Listing<T>) -> Listing<T> {
        page.is_truncated &= self.query.limit > 0;
        page
    }

    /// Writes a key as the caller wants it.
    pub(super) fn encode(&self, key: &str) -> String {
        match self.encoding_type {
            Some(_) => utf8_percent_encode(key, ENCODED).to_string(),
            None => key.to_owned(),
        }
    }

    /// The delimiter as the answer says it.
    pub(super) fn delimiter(&self) -> Option<String> {
        self.query.delimiter.as_deref().map(|delimiter| self.encode(delimiter))
    }

    /// Tells entries from common prefixes.
    pub(super) fn split<T, U>(
        &self,
        items: Vec<ListingItem<T>>,
        mut show: impl FnMut(T) -> U,
    ) -> (Option<Vec<U>>, Option<Vec<CommonPrefix>>) {
        let (mut entries, mut prefixes) = (Vec::new(), Vec::new());
        for item in items {
            match item {
                ListingItem::Entry(entry) => entries.push(show(entry)),
                ListingItem::Prefix(prefix) => {
                    prefixes.push(CommonPrefix { prefix: Some(self.encode(&prefix)) });
                }
            }
        }
        (Some(entries), Some(prefixes))
    }

    fn object(&self, listed: Listed, owner: Option<Owner>) -> Object {
        let class = listed.storage_class.unwrap_or_else(|| "STANDARD".into());
        Object {
            checksum_algorithm: listed
                .checksum
                .as_ref()
                .map(|it| vec![ChecksumAlgorithm::from_static(checksum::name(it.algorithm))]),
            checksum_type: listed.checksum.as_ref().map(|it| checksum::kind(it.kind)),
            e_tag: Some(conditions::etag(&listed.etag)),
            key: Some(self.encode(&listed.key)),
            last_modified: Some(timestamp(listed.modified_ms)),
            owner,
            restore_status: None,
            size: Some(object::size(listed.size)),
            storage_class: Some(ObjectStorageClass::from(class)),
        }
    }
}

fn key(item: &ListingItem<Listed>) -> &str {
    match item {
        ListingItem::Entry(listed) => &listed.key,
        ListingItem::Prefix(prefix) => prefix,
    }
}

fn token(item: &ListingItem<Listed>) -> String {
    let text = match item {
        ListingItem::Entry(listed) => format!("k{}", listed.key),
        ListingItem::Prefix(prefix) => format!("p{prefix}"),
    };
    URL_SAFE_NO_PAD.encode(text)
}

fn parse_token(token: &str) -> S3Result<After> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    if let Some(key) = text.strip_prefix('k') {
        return Ok(After::Key(key.to_owned()));
    }
    let prefix = text.strip_prefix('p').ok_or_else(refusal::invalid_continuation_token)?;
    Ok(After::Prefix(prefix.to_owned()))
}
