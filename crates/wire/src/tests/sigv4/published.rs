//! AWS's published vectors, where the dev-dependency that carries them is unpacked.

use super::{NOW, SECRET, request};
use crate::sigv4::{Payload, Signature};
use http::request::Parts;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Vectors of other dialects: paths that are signed as they are, session tokens that join the
/// query unsigned, and headers that no HTTP parser would hand on.
fn is_beside_the_point(name: &str) -> bool {
    name.contains("-unnormalized/")
        || name == "post-sts-header-after/query-signed-request.txt"
        || name.starts_with("get-header-value-multiline/")
}

fn suite() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))?;
    let registries = fs::read_dir(home.join("registry/src")).ok()?;
    let crates = registries.flatten().filter_map(|registry| fs::read_dir(registry.path()).ok());
    crates
        .flat_map(Iterator::flatten)
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("aws-sigv4-"))
        })
        .map(|path| path.join("aws-signing-test-suite/v4"))
        .find(|path| path.is_dir())
}

/// Reads a request as it stands in a vector; none when it is not there, or not one that HTTP
/// allows.
fn read(path: &Path) -> Option<(Parts, String)> {
    let text = fs::read_to_string(path).ok()?;
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    let mut lines = head.lines();
    let line = lines.next()?.strip_suffix(" HTTP/1.1")?;
    let (method, uri) = line.split_once(' ')?;
    uri.parse::<http::Uri>().ok()?;
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    Some((request(method, uri, &headers), body.to_owned()))
}

#[test]
fn the_published_vectors_verify() {
    let Some(suite) = suite() else {
        println!("skipped: the sources of the crate aws-sigv4 are not in cargo's home");
        return;
    };
    let mut verified = 0;
    // A folder without a context is a note about one encoding, and not signed as it says.
    let vectors = fs::read_dir(suite).unwrap().flatten();
    for vector in vectors.filter(|vector| vector.path().join("context.json").is_file()) {
        let name = vector.file_name().to_string_lossy().into_owned();
        for file in ["header-signed-request.txt", "query-signed-request.txt"] {
            let name = format!("{name}/{file}");
            let request = read(&vector.path().join(file));
            let Some((parts, body)) = request.filter(|_| !is_beside_the_point(&name)) else {
                continue;
            };
            let signature = Signature::parse(&parts).unwrap().unwrap();
            let payload = Payload::of(body.as_bytes());
            let result = signature.verify(SECRET, &parts, payload, NOW);
            assert_eq!(result, Ok(()), "{name}");
            verified += 1;
        }
    }
    assert!(verified > 40, "only {verified}");
}
