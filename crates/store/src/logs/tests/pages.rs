//! Pages of one stream.

use super::{Random, append, event, from_head, group, messages, stream};
use crate::logs::{
    Direction, LogError, LogPage, LogStore, NewEvent, ReadRequest, StreamId, TimeRange, Token,
};

fn read(store: &LogStore, id: StreamId, request: &ReadRequest) -> LogPage {
    store.read(id, request).unwrap()
}

/// Goes on with a token as a client would carry it.
fn go_on(store: &LogStore, id: StreamId, token: Token, limit: usize) -> LogPage {
    let token = token.to_string().parse().unwrap();
    read(store, id, &ReadRequest { token: Some(token), ..from_head(limit) })
}

#[test]
fn a_reader_from_the_head_sees_all_and_then_the_same_token() {
    let (_folder, store, id) = stream();
    append(&store, id, &[event(1, "a"), event(2, "b"), event(2, "c")]);
    let first = read(&store, id, &from_head(2));
    assert_eq!(messages(&first.events), "a b");
    let second = go_on(&store, id, first.forward, 2);
    assert_eq!(messages(&second.events), "c");
    let end = go_on(&store, id, second.forward, 2);
    assert_eq!((end.events.len(), end.forward), (0, second.forward));
    append(&store, id, &[event(2, "d")]);
    let more = go_on(&store, id, end.forward, 2);
    assert_eq!(messages(&more.events), "d");
    let back = go_on(&store, id, more.backward, 2);
    assert_eq!(messages(&back.events), "b c");
    let back = go_on(&store, id, back.backward, 2);
    assert_eq!(messages(&back.events), "a");
    let start = go_on(&store, id, back.backward, 2);
    assert_eq!((start.events.len(), start.backward), (0, back.backward));
    assert_eq!(messages(&go_on(&store, id, start.forward, 9).events), "a b c d");
}

#[test]
fn without_a_direction_the_latest_page_comes_first() {
    let (_folder, store, id) = stream();
    append(&store, id, &[event(1, "a"), event(2, "b"), event(3, "c")]);
    let request = ReadRequest { direction: Direction::Backward, ..from_head(2) };
    let page = read(&store, id, &request);
    assert_eq!(messages(&page.events), "b c");
    assert_eq!(messages(&go_on(&store, id, page.backward, 2).events), "a");
}

#[test]
fn a_token_of_an_empty_stream_finds_what_comes_later() {
    for direction in [Direction::Forward, Direction::Backward] {
        let (_folder, store, id) = stream();
        let page = read(&store, id, &ReadRequest { direction, ..from_head(2) });
        assert!(page.events.is_empty());
        append(&store, id, &[event(5, "x")]);
        assert!(!go_on(&store, id, page.forward, 2).events.is_empty());
    }
}

#[test]
fn time_begins_inclusive_and_ends_exclusive() {
    let (_folder, store, id) = stream();
    append(&store, id, &[event(1, "a"), event(2, "b"), event(3, "c"), event(4, "d")]);
    let range = TimeRange { from: 2, until: 4 };
    for direction in [Direction::Forward, Direction::Backward] {
        let page = read(&store, id, &ReadRequest { range, direction, ..from_head(9) });
        assert_eq!(messages(&page.events), "b c");
    }
}

#[test]
fn late_events_are_read_in_the_order_of_time() {
    let (_folder, store, id) = stream();
    append(&store, id, &[event(10, "10"), event(30, "30")]);
    append(&store, id, &[event(20, "20"), event(30, "30'")]);
    append(&store, id, &[event(5, "5")]);
    assert_eq!(messages(&read(&store, id, &from_head(9)).events), "5 10 20 30 30'");
    let page = read(&store, id, &ReadRequest { direction: Direction::Backward, ..from_head(2) });
    assert_eq!(messages(&page.events), "30 30'");
    assert_eq!(messages(&go_on(&store, id, page.backward, 2).events), "10 20");
}

#[test]
fn a_page_has_at_most_a_mebibyte_and_at_least_one_event() {
    let (_folder, store, id) = stream();
    let long = "x".repeat(400_000);
    append(&store, id, &[event(1, &long), event(2, &long), event(3, &long), event(4, "y")]);
    assert_eq!(read(&store, id, &from_head(9)).events.len(), 2);
    let huge = "x".repeat(3_000_000);
    append(&store, id, &[event(5, &huge)]);
    let page = read(&store, id, &ReadRequest { direction: Direction::Backward, ..from_head(9) });
    assert_eq!(page.events.len(), 1);
    // What is small and farther away must not come before what did not fit.
    let page = go_on(&store, id, page.backward, 9);
    assert_eq!(page.events.iter().map(|event| event.timestamp).collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn tokens_of_other_streams_and_other_texts_are_refused() {
    let (_folder, store, id) = stream();
    append(&store, id, &[event(1, "a")]);
    let other = store.create_stream(group(&store, "other"), "s", 0).unwrap();
    let token = Some(read(&store, id, &from_head(1)).forward);
    let refused = store.read(other, &ReadRequest { token, ..from_head(1) });
    assert!(matches!(refused, Err(LogError::TokenInvalid)));
    for text in ["", "f/", "x/1/s", "f/12345/s", &format!("f/{}/s", "9".repeat(56))] {
        assert!(matches!(text.parse::<Token>(), Err(LogError::TokenInvalid)), "{text}");
    }
    // Into the middle of a frame.
    let forged = format!("f/{:020}{:016}{:020}/s", 1, 1, 11).parse().unwrap();
    let refused = store.read(id, &ReadRequest { token: Some(forged), ..from_head(1) });
    assert!(matches!(refused, Err(LogError::TokenInvalid)), "{refused:?}");
}

fn walk(store: &LogStore, id: StreamId, direction: Direction, limit: usize) -> Vec<String> {
    let mut pages = Vec::new();
    let mut page = read(store, id, &ReadRequest { direction, ..from_head(limit) });
    while !page.events.is_empty() {
        let token = match direction {
            Direction::Forward => page.forward,
            Direction::Backward => page.backward,
        };
        pages.push(page.events.into_iter().map(|event| event.message).collect::<Vec<_>>());
        page = go_on(store, id, token, limit);
    }
    if direction == Direction::Backward {
        pages.reverse();
    }
    pages.into_iter().flatten().collect()
}

#[test]
fn whatever_the_order_of_ingestion_every_event_is_read_once_in_order() {
    for disorder in [1, 50, 5_000] {
        let (folder, store, id) = stream();
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let mut expected: Vec<NewEvent> = Vec::new();
        for at in 0..600_i64 {
            let count = random.below(20) + 1;
            let filler = "x".repeat(usize::try_from(random.below(400)).unwrap());
            let time = at * 10 - i64::try_from(random.below(disorder)).unwrap() + 5_000;
            let batch: Vec<_> =
                (0..count).map(|n| event(time, &format!("{at}.{n}.{filler}"))).collect();
            append(&store, id, &batch);
            expected.extend(batch);
        }
        // Sorting is stable: equal timestamps keep the order of ingestion.
        expected.sort_by_key(|event| event.timestamp);
        let expected: Vec<_> = expected.into_iter().map(|event| event.message).collect();
        assert_eq!(walk(&store, id, Direction::Forward, 97), expected);
        assert_eq!(walk(&store, id, Direction::Backward, 97), expected);
        drop(store);
        // The same out of what the files say.
        let store = LogStore::open(folder.path()).unwrap();
        assert_eq!(walk(&store, id, Direction::Forward, 10_000), expected);
    }
}
