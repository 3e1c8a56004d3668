//! Fills a store with ended builds: copies of one that has ended in it, under other ids and numbers.
//!
//! `fill STATE.DB COUNT`. What it writes is written by the store itself, so that it cannot drift from
//! what a service writes. Only tests of load want this.

use std::{
    env,
    error::Error,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use store::{Build, Change, Durability, Event, Order, Store};

/// How many builds are written at once.
const TOGETHER: u64 = 500;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [file, count] = &words[..] else { return Err("usage: fill STATE.DB COUNT".into()) };
    let count: u64 = count.parse()?;
    let store = Store::open(Path::new(file))?;
    let region = env::var("FILL_REGION").unwrap_or_else(|_| "eu-central-1".to_owned());
    let listed = store.build_ids(&region, Order::Ascending, None, 1).await?;
    let first = listed.first().ok_or("no build to copy")?;
    let build = store.build(&region, &first.id).await?.ok_or("the build is gone")?;
    if build.live {
        return Err("the build to copy has not ended".into());
    }
    let events = store.events(&region, &first.id).await?;
    let model = Arc::new(Model { build, events });
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    for start in (1..=count).step_by(usize::try_from(TOGETHER)?) {
        let numbers = start..(start + TOGETHER).min(count + 1);
        let changes =
            numbers.flat_map(|n| model.copy(n, now - i64::try_from(count - n).unwrap_or(0)));
        store.commit_durably(changes.collect(), Durability::Process).await?;
    }
    store.commit(Vec::new()).await?;
    Ok(())
}

/// The build that all others are copies of.
struct Model {
    build: Build,
    events: Vec<Event>,
}

impl Model {
    /// The changes that a copy is written by, as the service writes a build: begun, then ended.
    fn copy(&self, number: u64, at: i64) -> [Change; 2] {
        let (project, uuid) = self.build.id.split_once(':').unwrap_or_default();
        let other = format!(
            "{:08x}-0000-4000-8000-{number:012x}",
            number.wrapping_mul(2_654_435_761) & 0xffff_ffff
        );
        let renamed = |text: &str| text.replace(uuid, &other);
        let region = self.build.region.clone();
        let id = format!("{project}:{other}");
        let state = renamed(&self.build.state);
        let events: Vec<_> =
            self.events.iter().map(|event| (event.at, renamed(&event.event))).collect();
        let first_sequence = events.len() as u64;
        let insert = Change::InsertBuild {
            region: region.clone(),
            id: id.clone(),
            project: self.build.project.clone(),
            number: self.build.number + number,
            submitted_at: at,
            request: renamed(&self.build.request),
            events,
            state: state.clone(),
            live: true,
        };
        let end = Change::AppendEvents {
            region,
            id,
            first_sequence,
            events: Vec::new(),
            state,
            journal_offset: self.build.journal_offset,
            live: false,
        };
        [insert, end]
    }
}
