//! Tests of the object store, and what they share.

mod crash;
mod listing;
mod objects;
mod versions;

use super::{
    Algorithm, Attributes, Body, Condition, NewBucket, NewObject, ObjectStore, Result, Target,
    Version,
};
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

/// A folder in memory where the machine has one: these tests are about order, not about disks.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

async fn store_with_bucket(folder: &TempDir) -> ObjectStore {
    let store = ObjectStore::open(folder.path()).unwrap();
    let region = "us-east-1".to_owned();
    let new = NewBucket { name: "b".into(), region, settings: BTreeMap::new() };
    store.create_bucket(new).await.unwrap();
    store
}

async fn put(store: &ObjectStore, key: &str, bytes: &[u8]) -> Result<Version> {
    let mut receiving = store.receiving(&[Algorithm::Crc64Nvme]);
    receiving.write(bytes)?;
    let received = receiving.finish()?;
    let new = NewObject {
        bucket: "b".into(),
        key: key.into(),
        checksum: received.checksums.first().cloned(),
        body: Body::Received(received),
        storage_class: None,
        tags: Vec::new(),
        attributes: Attributes::default(),
        condition: Condition::default(),
    };
    store.put(new).await.map(|(_, version)| version)
}

async fn bytes(store: &ObjectStore, key: &str) -> Result<Vec<u8>> {
    let (_, _, content) = store.open_object(Target::newest("b", key)).await?;
    let mut bytes = Vec::new();
    content.copy_to(&mut bytes).unwrap();
    Ok(bytes)
}

/// The names of all blobs' files on the disk, and of all that rows name.
fn files(folder: &Path) -> (Vec<String>, Vec<String>) {
    let mut found = Vec::new();
    let mut folders = vec![folder.join("incoming"), folder.join("data")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.file_name().into_string().unwrap());
            }
        }
    }
    let database = rusqlite::Connection::open(folder.join("objects.db")).unwrap();
    let mut statement = database.prepare("SELECT file FROM blob WHERE file IS NOT NULL").unwrap();
    let named = statement.query_map([], |row| row.get(0)).unwrap();
    let mut named: Vec<String> = named.map(|name| name.unwrap()).collect();
    found.sort();
    named.sort();
    (found, named)
}
