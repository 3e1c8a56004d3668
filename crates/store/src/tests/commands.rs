//! The commands of builds.

use super::{REGION, insert, store};
use crate::{Change, Command};

fn put(id: &str, commands: &[(u64, &str)]) -> Change {
    let command = |(sequence, command): &(u64, &str)| Command {
        sequence: *sequence,
        command: (*command).to_owned(),
    };
    let (region, id) = (REGION.to_owned(), id.to_owned());
    Change::PutCommands { region, id, commands: commands.iter().map(command).collect() }
}

#[tokio::test]
async fn commands_are_kept_by_their_place_and_go_with_their_build() {
    let (_folder, store) = store();
    store.commit(vec![insert("p", 1, 1), insert("p", 2, 1)]).await.unwrap();
    store.commit(vec![put("p:1", &[(0, "a begins"), (1, "b begins")])]).await.unwrap();
    // What is read again after a restart, and what has become of it.
    store.commit(vec![put("p:1", &[(0, "a begins"), (1, "b ended"), (10, "c")])]).await.unwrap();
    store.commit(vec![put("p:2", &[(0, "another's")])]).await.unwrap();
    let kept = store.commands(REGION, "p:1").await.unwrap();
    let kept: Vec<_> = kept.iter().map(|kept| (kept.sequence, kept.command.as_str())).collect();
    assert_eq!(kept, [(0, "a begins"), (1, "b ended"), (10, "c")]);

    let delete = Change::DeleteBuild { region: REGION.to_owned(), id: "p:1".to_owned() };
    store.commit(vec![delete, put("p:1", &[(0, "too late")])]).await.unwrap();
    assert_eq!(store.commands(REGION, "p:1").await.unwrap(), []);
    assert_eq!(store.commands(REGION, "p:2").await.unwrap().len(), 1);
}
