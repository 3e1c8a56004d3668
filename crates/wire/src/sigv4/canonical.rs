//! The canonical form of a request, over which signatures are made.

use super::{ALGORITHM, TERMINATOR, key};
use http::header::HOST;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// What RFC 3986 does not let stand as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// The query parameter that holds a presigned request's signature, and is not signed itself.
const SIGNATURE_PARAMETER: &str = "X-Amz-Signature";

/// The scope of a credential.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) date: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

/// What is signed for a request.
pub(super) fn string_to_sign(
    parts: &Parts,
    signed_headers: &[String],
    payload: &str,
    timestamp: &str,
    scope: Scope<'_>,
) -> String {
    let request = canonical_request(parts, signed_headers, payload, scope.service == "s3");
    let digest = hex::encode(key::sha256(&request));
    let Scope { date, region, service } = scope;
    format!("{ALGORITHM}\n{timestamp}\n{date}/{region}/{service}/{TERMINATOR}\n{digest}")
}

/// Bytes and not text, because a header's value may be any bytes.
fn canonical_request(parts: &Parts, signed: &[String], payload: &str, is_s3: bool) -> Vec<u8> {
    let mut request = Vec::new();
    let mut line = |text: &str| {
        request.extend_from_slice(text.as_bytes());
        request.push(b'\n');
    };
    line(parts.method.as_str());
    line(&path(parts.uri.path(), is_s3));
    line(&query(parts.uri.query().unwrap_or_default()));
    for name in signed {
        request.extend_from_slice(name.as_bytes());
        request.push(b':');
        request.extend_from_slice(&header(parts, name));
        request.push(b'\n');
    }
    request.push(b'\n');
    request.extend_from_slice(signed.join(";").as_bytes());
    request.push(b'\n');
    request.extend_from_slice(payload.as_bytes());
    request
}

/// S3 signs the path as it travels; everybody else makes it plain and encodes it once more.
fn path(path: &str, is_s3: bool) -> String {
    if is_s3 {
        return if path.is_empty() { "/".to_owned() } else { path.to_owned() };
    }
    percent_encode(plain(path).as_bytes(), RESERVED_IN_PATH).to_string()
}

/// The path without `.`, `..` and empty segments.
fn plain(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut plain = format!("/{}", segments.join("/"));
    let names_a_folder = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    if names_a_folder && plain.len() > 1 {
        plain.push('/');
    }
    plain
}

/// Every parameter, decoded and encoded again, sorted by name and value.
fn query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (recode(name), recode(value)))
        .filter(|(name, _)| name != SIGNATURE_PARAMETER)
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn recode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    let bytes: Vec<u8> = percent_decode(spaced.as_bytes()).collect();
    percent_encode(&bytes, RESERVED).to_string()
}

/// All values of that name, each with its spaces folded, with commas between them.
fn header(parts: &Parts, name: &str) -> Vec<u8> {
    let mut values: Vec<Vec<u8>> =
        parts.headers.get_all(name).iter().map(|value| folded(value.as_bytes())).collect();
    if values.is_empty()
        && name == HOST.as_str()
        && let Some(authority) = parts.uri.authority()
    {
        values.push(authority.as_str().as_bytes().to_vec());
    }
    values.join(&b","[..])
}

/// The value without spaces around it, and with one where there are several.
fn folded(value: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(value.len());
    for byte in value.trim_ascii() {
        if *byte != b' ' || folded.last() != Some(&b' ') {
            folded.push(*byte);
        }
    }
    folded
}
