//! The pages' style and scripts, under names that change with what they hold.

use super::compress::is_taken;
use axum::{
    extract::Path,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY},
    },
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use std::{io::Write, sync::LazyLock};

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

static ASSETS: [Asset; 5] = [
    Asset {
        name: "console.css",
        kind: "text/css; charset=utf-8",
        bytes: include_bytes!("assets/console.css"),
    },
    Asset {
        name: "console.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/console.js"),
    },
    Asset {
        name: "layout.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/layout.js"),
    },
    Asset {
        name: "log.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/log.js"),
    },
    Asset { name: "mark.svg", kind: "image/svg+xml", bytes: include_bytes!("assets/mark.svg") },
];

/// One version for all of them: the beginning of their common hash.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for asset in &ASSETS {
        hash.update(asset.bytes);
    }
    hex::encode(&hash.finalize()[..6])
});

static COMPRESSED: LazyLock<[Vec<u8>; 5]> = LazyLock::new(|| {
    std::array::from_fn(|at| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(ASSETS[at].bytes)
            .and_then(|()| gzip.finish())
            .expect("memory can be written to")
    })
});

/// Where an asset is.
pub(super) fn path(name: &str) -> String {
    format!("/console/assets/{}/{name}", *VERSION)
}

pub(super) async fn asset(
    Path((version, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(at) = ASSETS.iter().position(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // A page of another version of the service asks for what is no longer there.
    let lasting = version == *VERSION;
    let cache = if lasting { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = if is_taken(&headers) {
        let encoded = [(CONTENT_ENCODING, HeaderValue::from_static("gzip"))];
        (encoded, COMPRESSED[at].as_slice()).into_response()
    } else {
        ASSETS[at].bytes.into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(ASSETS[at].kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    response
}
