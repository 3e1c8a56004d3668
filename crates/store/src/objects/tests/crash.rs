//! A process that puts objects is killed at any moment; what it left is opened again.

use super::super::ObjectStore;
use super::{bytes, files, put, store_with_bucket};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const FOLDER: &str = "OBJECTS_CRASH_FOLDER";

/// Body number `n`: its size goes up and down across the limit of small objects.
fn body(number: u64) -> Vec<u8> {
    let size = 8 + usize::try_from(number * 7919 % 200_000).unwrap();
    number.to_be_bytes().into_iter().cycle().take(size / 8 * 8).collect()
}

/// The process that is killed: this test, started by the next one. Alone it has nothing to do.
#[tokio::test]
async fn the_process_that_is_killed_puts_objects() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let store = ObjectStore::open(folder).unwrap();
    for number in 1.. {
        let (one, two) = (body(number), body(number + 1));
        let (one, two) = tokio::join!(put(&store, "one", &one), put(&store, "two", &two));
        one.unwrap();
        two.unwrap();
        println!("put {number}");
    }
}

#[tokio::test]
async fn a_killed_process_leaves_the_old_object_or_the_new_one() {
    let folder = TempDir::new().unwrap();
    drop(store_with_bucket(&folder).await);
    let mut last = 0;
    for round in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("objects::tests::crash::the_process_that_is_killed_puts_objects")
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut puts = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            // The harness may write its own words before the first.
            let Some((_, number)) = line.rsplit_once("put ") else { continue };
            last = number.parse().unwrap();
            puts += 1;
            if puts == 1 + round * 5 {
                break;
            }
        }
        assert!(puts > 0, "the child put nothing");
        child.kill().unwrap();
        child.wait().unwrap();

        let store = ObjectStore::open(folder.path()).unwrap();
        for (key, add) in [("one", 0), ("two", 1)] {
            let found = bytes(&store, key).await.unwrap();
            let number = u64::from_be_bytes(found[..8].try_into().unwrap());
            assert!(found == body(number), "{key} is half of one object or another");
            // The child may have put more than it could say; a new round begins at one again.
            assert!(number >= last + add, "{key} is {number}, but {last} was acknowledged");
        }
        drop(store);
        let (found, named) = files(folder.path());
        assert_eq!(found, named, "files and rows after round {round}");
    }
}
