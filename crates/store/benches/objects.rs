//! What objects cost: small and large puts, gets, and pages of a large listing. One line each: the
//! median of many runs, the fastest and the slowest.

#![expect(clippy::print_stdout, reason = "the lines are the result")]

use futures::StreamExt as _;
use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};
use store::objects::{
    After, Algorithm, Attributes, Body, Condition, Fault, ListingItem, ListingQuery, NewBucket,
    NewObject, ObjectStore, Target,
};

const MIB: usize = 1 << 20;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = ObjectStore::open(folder.path()).expect("a store");
    let region = "us-east-1".to_owned();
    for name in ["b", "many"] {
        let new =
            NewBucket { name: name.into(), region: region.clone(), settings: BTreeMap::new() };
        store.create_bucket(new).await.expect("a bucket");
    }

    let floor = folder.path().join("floor");
    measure("machine: write 1 KiB and fdatasync a new file", 100, |number| {
        let path = floor.with_extension(number.to_string());
        async move {
            use std::io::Write as _;
            let mut file = std::fs::File::create(path).expect("a file");
            file.write_all(&[0; 1024]).and_then(|()| file.sync_data()).expect("a write");
        }
    })
    .await;
    for (name, size, runs) in [
        ("put 1 KiB", 1024, 200),
        ("put 16 KiB (in the database)", 16 * 1024, 200),
        ("put 17 KiB (in a file)", 17 * 1024, 200),
        ("put 1 MiB", MIB, 40),
        ("put 10 MiB", 10 * MIB, 20),
    ] {
        let body = bytes::Bytes::from(vec![7; size]);
        measure(name, runs, |_| put(&store, "b", name.to_owned(), body.clone())).await;
    }
    measure("32 puts of 1 KiB at once", 40, |_| {
        let body = bytes::Bytes::from_static(&[7; 1024]);
        let puts = (0..32).map(|at| put(&store, "b", format!("at once {at}"), body.clone()));
        futures::future::join_all(puts)
    })
    .await;
    for (name, runs) in [("put 1 KiB", 500), ("put 17 KiB (in a file)", 500), ("put 10 MiB", 40)] {
        measure(&name.replace("put", "get"), runs, |_| get(&store, name)).await;
    }
    measure("find 1 KiB (head)", 500, |_| store.find(Target::newest("b", "put 1 KiB"))).await;
    listings(&store).await;
}

async fn listings(store: &ObjectStore) {
    let keys: Vec<_> = (0..100_000).map(|at| format!("folder-{:03}/{at:06}", at % 500)).collect();
    for keys in keys.chunks(2000) {
        let puts = keys.iter().map(|key| put(store, "many", key.clone(), bytes::Bytes::new()));
        futures::future::join_all(puts).await;
    }
    let query = ListingQuery { limit: 1000, ..ListingQuery::default() };
    let middle = After::Key("folder-250/".into());
    measure("list 1,000 of 100,000 keys from the middle", 100, |_| {
        store.list("many", query.clone(), Some(middle.clone()))
    })
    .await;
    let query = ListingQuery { delimiter: Some("/".into()), limit: 1000, ..query };
    measure("list the 500 common prefixes of 100,000 keys", 100, |_| {
        store.list("many", query.clone(), None)
    })
    .await;
    let query = ListingQuery { limit: 1000, ..ListingQuery::default() };
    let started = Instant::now();
    let (mut after, mut pages) = (None, 0);
    loop {
        let page = store.list("many", query.clone(), after).await.expect("a page");
        pages += 1;
        after = page.items.last().map(|item| match item {
            ListingItem::Entry(listed) => After::Key(listed.key.clone()),
            ListingItem::Prefix(prefix) => After::Prefix(prefix.clone()),
        });
        if !page.is_truncated {
            break;
        }
    }
    let each = started.elapsed() / pages;
    println!("{:<52} {:>10} a page", format!("all {pages} pages of 100,000 keys"), show(each));
}

async fn put(store: &ObjectStore, bucket: &str, key: String, body: bytes::Bytes) {
    let chunks = futures::stream::iter(
        (0..body.len())
            .step_by(64 * 1024)
            .map(|at| Ok::<_, Fault>(body.slice(at..(at + 64 * 1024).min(body.len())))),
    );
    let received = store.receive(chunks, &[Algorithm::Crc64Nvme]).await;
    let received = received.unwrap_or_else(|_| panic!("cannot receive"));
    let new = NewObject {
        bucket: bucket.to_owned(),
        key,
        checksum: received.checksums.first().cloned(),
        body: Body::Received(received),
        storage_class: None,
        tags: Vec::new(),
        attributes: Attributes::default(),
        condition: Condition::default(),
    };
    store.put(new).await.expect("a put");
}

async fn get(store: &ObjectStore, key: &str) -> u64 {
    let (_, _, content) = store.open_object(Target::newest("b", key)).await.expect("an object");
    let mut stream = content.stream();
    let mut size = 0;
    while let Some(chunk) = stream.next().await {
        size += chunk.expect("a chunk").len() as u64;
    }
    size
}

async fn measure<F: Future>(name: &str, runs: usize, mut run: impl FnMut(usize) -> F) {
    let mut times = Vec::with_capacity(runs);
    for number in 0..runs {
        let started = Instant::now();
        run(number).await;
        times.push(started.elapsed());
    }
    times.sort();
    let at = |share: usize| times.get((runs - 1) * share / 100).copied().unwrap_or_default();
    let (least, median, most) = (show(at(0)), show(at(50)), show(at(99)));
    println!("{name:<52} {median:>10} ({least} to {most})");
}

fn show(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1000.0)
}
