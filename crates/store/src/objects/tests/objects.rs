//! Bytes in and out: sizes, sharing, deletion while reading, what is left on the disk.

use super::super::{
    Algorithm, Attributes, Body, ChecksumKind, Completion, Condition, Fault, NamedPart, NewObject,
    NewUpload, ObjectError, ObjectStore, Target, composite, joined,
};
use super::{bytes, files, folder, put, store_with_bucket};
use bytes::Bytes;
use expect_test::expect;
use futures::StreamExt as _;
use std::io::Cursor;

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

#[tokio::test]
async fn bytes_come_back_whatever_their_number() {
    let folder = folder();
    let store = store_with_bucket(&folder).await;
    for size in [0, 1, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 512 * 1024, 1_500_001] {
        let body = pattern(size);
        put(&store, "k", &body).await.unwrap();
        assert!(bytes(&store, "k").await.unwrap() == body, "{size}");
        let (_, _, content) = store.open_object(Target::newest("b", "k")).await.unwrap();
        let (from, to) = (size as u64 / 3, size as u64 / 2);
        let mut stream = content.slice(from..to).stream();
        let mut streamed = Vec::new();
        while let Some(chunk) = stream.next().await {
            streamed.extend_from_slice(&chunk.unwrap());
        }
        assert!(streamed == body[size / 3..size / 2], "{size}");
        assert_eq!(stream.left(), 0);
    }
}

#[tokio::test]
async fn streams_of_any_chunks_are_received_whole() {
    let folder = folder();
    let store = store_with_bucket(&folder).await;
    for (size, chunk) in
        [(0, 1), (10, 3), (20_000, 999), (3_000_000, 70_001), (2_000_000, 2_000_000)]
    {
        let body = pattern(size);
        let chunks: Vec<Result<Bytes, Fault>> =
            body.chunks(chunk).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let received = store.receive(futures::stream::iter(chunks), &[]).await.unwrap();
        assert_eq!(received.size, size as u64);
        let mut digests = super::super::Digests::new(&[]);
        digests.update(&body);
        assert_eq!(received.md5, digests.finish().0);
    }
    drop(store);
    assert_eq!(files(folder.path()).0, Vec::<String>::new(), "received bytes that nobody named");
}

#[tokio::test]
async fn a_source_that_breaks_leaves_nothing() {
    let folder = folder();
    let store = store_with_bucket(&folder).await;
    let chunks = vec![Ok(Bytes::from(pattern(900_000))), Err("torn")];
    assert!(store.receive(futures::stream::iter(chunks), &[]).await.is_err());
    drop(store);
    assert_eq!(files(folder.path()).0, Vec::<String>::new());
}

#[tokio::test]
async fn a_copy_shares_bytes_until_the_last_use_is_gone() {
    let folder = folder();
    let store = store_with_bucket(&folder).await;
    let body = pattern(100_000);
    put(&store, "from", &body).await.unwrap();
    let (_, version, content) = store.open_object(Target::newest("b", "from")).await.unwrap();
    let copy = NewObject {
        bucket: "b".into(),
        key: "to".into(),
        body: Body::Shared {
            extents: content.extents().to_vec(),
            size: version.size,
            etag: version.etag,
        },
        checksum: None,
        storage_class: None,
        tags: Vec::new(),
        attributes: Attributes::default(),
        condition: Condition::default(),
    };
    store.put(copy).await.unwrap();
    drop(content);
    store.delete(Target::newest("b", "from"), Condition::default()).await.unwrap();
    assert!(bytes(&store, "to").await.unwrap() == body);
    assert_eq!(files(folder.path()).1.len(), 1);
    store.delete(Target::newest("b", "to"), Condition::default()).await.unwrap();
    drop(store);
    assert_eq!(files(folder.path()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn what_is_being_read_outlives_its_deletion() {
    let folder = folder();
    let store = store_with_bucket(&folder).await;
    let body = pattern(2_000_000);
    put(&store, "k", &body).await.unwrap();
    let (_, _, content) = store.open_object(Target::newest("b", "k")).await.unwrap();
    store.delete(Target::newest("b", "k"), Condition::default()).await.unwrap();
    put(&store, "other", b"so that the deletion is done").await.unwrap();
    let mut read = Vec::new();
    content.copy_to(&mut read).unwrap();
    assert!(read == body);
    drop(content);
    drop(store);
    assert_eq!(files(folder.path()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn parts_become_an_object_without_a_copy() {
    let folder = folder();
    let store = store_with_bucket(&folder).await;
    let new = NewUpload {
        bucket: "b".into(),
        key: "k".into(),
        storage_class: None,
        algorithm: Algorithm::Crc32,
        kind: ChecksumKind::FullObject,
        is_declared: true,
        tags: Vec::new(),
        attributes: Attributes::default(),
    };
    let id = store.create_upload(new).await.unwrap();
    let parts = [pattern(40_000), pattern(10), pattern(90_000)];
    let mut named = Vec::new();
    for (number, part) in (1..).zip(&parts) {
        let mut receiving = store.receiving(&[Algorithm::Crc32]);
        receiving.write(part).unwrap();
        let received = receiving.finish().unwrap();
        let sum = received.checksums[0].value.clone();
        let body = Body::Received(received);
        let part = store.put_part(&id, number, body, Some(sum)).await.unwrap();
        named.push(NamedPart { number, etag: part.etag, checksum: None });
    }
    let before = files(folder.path()).1;
    let completion = Completion {
        bucket: "b".into(),
        key: "k".into(),
        upload: id,
        parts: named,
        part_size_min: 0,
        checksum: None,
        size: Some(130_010),
        condition: Condition::default(),
    };
    let (_, version) = store.complete(completion.clone()).await.unwrap();
    assert_eq!(files(folder.path()).1, before);
    let whole = parts.concat();
    assert!(bytes(&store, "k").await.unwrap() == whole);
    let mut digests = super::super::Digests::new(&[Algorithm::Crc32]);
    digests.update(&whole);
    assert_eq!(version.checksum, digests.finish().1.first().cloned());
    assert!(version.etag.ends_with("-3"));
    let again = store.complete(completion).await;
    assert!(matches!(again, Err(ObjectError::NoSuchUpload)));
    let deleted = store.delete(Target::newest("b", "k"), Condition::default()).await;
    assert!(deleted.is_ok());
    drop(store);
    assert_eq!(files(folder.path()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_refused_put_changes_nothing() {
    let folder = folder();
    let store = store_with_bucket(&folder).await;
    put(&store, "k", b"old").await.unwrap();
    let mut receiving = store.receiving(&[]);
    receiving.write(&pattern(50_000)).unwrap();
    let refused = store
        .put(NewObject {
            bucket: "b".into(),
            key: "k".into(),
            body: Body::Received(receiving.finish().unwrap()),
            checksum: None,
            storage_class: None,
            tags: Vec::new(),
            attributes: Attributes::default(),
            condition: Condition { is_absent: true, ..Condition::default() },
        })
        .await;
    assert!(matches!(refused, Err(ObjectError::PreconditionFailed("If-None-Match"))));
    assert_eq!(bytes(&store, "k").await.unwrap(), b"old");
    drop(store);
    assert_eq!(files(folder.path()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn readers_and_writers_that_are_no_clients_work_too() {
    let folder = folder();
    let store = store_with_bucket(&folder).await;
    let body = pattern(300_000);
    let target = Target::newest("b", "../../any/key");
    let reader = Cursor::new(body.clone());
    store.put_reader(target.clone(), reader, Attributes::default()).await.unwrap();
    let out = folder.path().join("out");
    store.copy_to(target, std::fs::File::create(&out).unwrap()).await.unwrap();
    assert!(std::fs::read(&out).unwrap() == body);
    let copied = store.put_path(Target::newest("b", "file"), &out, Attributes::default()).await;
    assert_eq!(copied.unwrap().1.size, 300_000);
    let missing = store.put_path(Target::newest("none", "k"), &out, Attributes::default()).await;
    assert!(matches!(missing, Err(ObjectError::NoSuchBucket)));
}

#[tokio::test]
async fn one_process_has_a_folder_open_at_a_time() {
    let folder = folder();
    let store = store_with_bucket(&folder).await;
    put(&store, "k", b"kept").await.unwrap();
    assert!(matches!(ObjectStore::open(folder.path()), Err(Fault::InUse(_))));
    drop(store);
    let store = ObjectStore::open(folder.path()).unwrap();
    assert_eq!(bytes(&store, "k").await.unwrap(), b"kept");
}

#[test]
fn checksums_have_their_known_values() {
    let algorithms = [
        Algorithm::Crc32,
        Algorithm::Crc32c,
        Algorithm::Crc64Nvme,
        Algorithm::Sha1,
        Algorithm::Sha256,
    ];
    let mut digests = super::super::Digests::new(&algorithms);
    digests.update(b"1234");
    digests.update(b"56789");
    let (md5, sums) = digests.finish();
    let mut shown = format!("{md5}\n");
    for sum in &sums {
        shown += &format!("{:?} {}\n", sum.algorithm, sum.value);
    }
    expect![[r#"
        25f9e794323b453885f5181f1b624d0b
        Crc32 y/Q5Jg==
        Crc32c 4waSgw==
        Crc64Nvme rosUhgp5mIg=
        Sha1 98O8HYCOBHMq32eZZczDTKeuNEE=
        Sha256 FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=
    "#]]
    .assert_eq(&shown);
}

#[test]
fn the_checksum_of_the_whole_follows_from_the_parts() {
    let parts = [pattern(1000), pattern(1), Vec::new(), pattern(77)];
    let sum = |algorithm, bytes: &[u8]| {
        let mut digests = super::super::Digests::new(&[algorithm]);
        digests.update(bytes);
        digests.finish().1.remove(0)
    };
    for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
        let sums: Vec<_> =
            parts.iter().map(|part| (sum(algorithm, part).value, part.len() as u64)).collect();
        assert_eq!(joined(algorithm, &sums), Some(sum(algorithm, &parts.concat())));
    }
    assert_eq!(joined(Algorithm::Sha1, &[]), None);
    assert!(composite(Algorithm::Sha1, &["AAAA".into()]).unwrap().value.ends_with("-1"));
}
