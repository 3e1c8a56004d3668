//! Certificate authorities of a company's own, which its Git hosts are trusted by.
//!
//! They are added to those of the image: a submodule may be on another host.

use crate::fault::Doing;
use crate::object_store::StoreError;
use crate::outcome::Stop;
use crate::run::Build;
use agent_protocol::{S3Location, Variable};
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::PathBuf;
use zip::ZipArchive;

/// Where images keep the authorities that they trust.
const IMAGES_OWN: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// A certificate is not larger.
const BYTES_MAX: u64 = 1024 * 1024;

/// Fetches the certificate and makes a file of all authorities.
pub(super) fn fetch(build: &Build, from: &S3Location) -> Result<PathBuf, Stop> {
    let mut file =
        build.layout.nameless_file().doing(|| "make a file for the certificate".to_owned())?;
    build.store().download(from, &file).map_err(|error| unavailable(&error))?;
    file.rewind().doing(|| "read the certificate".to_owned())?;
    let certificate = read(&file)?;
    let named = |name: &str| {
        let found = build.orders.base_variables.iter().find(|variable| variable.name == name);
        found.map(|Variable { value, .. }| value.clone())
    };
    let places = named("SSL_CERT_FILE").into_iter().chain(IMAGES_OWN.map(str::to_owned));
    let mut all = places.filter_map(|place| fs::read(place).ok()).next().unwrap_or_default();
    all.push(b'\n');
    all.extend(certificate);
    let path = build.layout.authorities();
    fs::write(&path, all).doing(|| "write the file of certificate authorities".to_owned())?;
    Ok(path)
}

/// AWS: what the store said is shortened to its code.
fn unavailable(error: &StoreError) -> Stop {
    let prefix = "Unable to download certificate from S3. ";
    match error {
        StoreError::Refused { code, status, .. } if *status < 500 => {
            Stop::client(format!("{prefix}{code}"))
        }
        StoreError::Refused { .. } | StoreError::Unreachable(_) | StoreError::Local(_) => {
            error.stop(prefix)
        }
    }
}

/// The certificate's text, which may be the only file of a ZIP.
fn read(file: &File) -> Result<Vec<u8>, Stop> {
    let bad = |why: &str| Stop::client(format!("The certificate of the environment {why}"));
    let mut bytes = Vec::new();
    match ZipArchive::new(file) {
        Ok(mut archive) => {
            let mut entry = archive.by_index(0).map_err(|_| bad("is an empty ZIP"))?;
            let read = entry.by_ref().take(BYTES_MAX).read_to_end(&mut bytes);
            read.map_err(|error| bad(&format!("cannot be unpacked: {error}")))?;
        }
        Err(_) => {
            let mut file = file;
            file.rewind().doing(|| "read the certificate".to_owned())?;
            file.take(BYTES_MAX)
                .read_to_end(&mut bytes)
                .doing(|| "read the certificate".to_owned())?;
        }
    }
    let mark = b"-----BEGIN CERTIFICATE-----";
    if bytes.windows(mark.len()).any(|window| window == mark) {
        Ok(bytes)
    } else {
        Err(bad("is not in the PEM format"))
    }
}
