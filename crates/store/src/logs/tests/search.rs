//! Searching groups.

use super::{NOW, Random, append, event, group, messages, store};
use crate::logs::{FilterRequest, GroupId, LogStore, Pattern, StreamChoice, TimeRange};

fn request(pattern: &str) -> FilterRequest {
    FilterRequest {
        streams: StreamChoice::Prefix(String::new()),
        range: TimeRange::ALL,
        pattern: pattern.parse().unwrap(),
        token: None,
        limit: 10_000,
    }
}

fn found(store: &LogStore, group: GroupId, request: &FilterRequest) -> String {
    messages(&store.filter(group, request).unwrap().events)
}

#[test]
fn streams_are_searched_together_in_the_order_of_time() {
    let (_folder, store) = store();
    let id = group(&store, "g");
    let a = store.create_stream(id, "a/1", NOW).unwrap();
    let b = store.create_stream(id, "a/2", NOW).unwrap();
    let c = store.create_stream(id, "c", NOW).unwrap();
    append(&store, a, &[event(1, "a1"), event(4, "a4")]);
    append(&store, b, &[event(2, "b2"), event(4, "b4")]);
    append(&store, c, &[event(3, "c3")]);
    append(&store, a, &[event(2, "a2")]);
    assert_eq!(found(&store, id, &request("")), "a1 a2 b2 c3 a4 b4");
    let prefix = StreamChoice::Prefix("a/".to_owned());
    assert_eq!(
        found(&store, id, &FilterRequest { streams: prefix, ..request("") }),
        "a1 a2 b2 a4 b4"
    );
    let names = StreamChoice::Names(vec!["c".to_owned(), "a/2".to_owned(), "none".to_owned()]);
    assert_eq!(found(&store, id, &FilterRequest { streams: names, ..request("") }), "b2 c3 b4");
    let range = TimeRange { from: 2, until: 4 };
    assert_eq!(found(&store, id, &FilterRequest { range, ..request("") }), "a2 b2 c3");
    assert_eq!(found(&store, id, &request("?a4 ?c3")), "c3 a4");
    let page = store.filter(id, &request("c3")).unwrap();
    assert_eq!(page.stream_names[&page.events[0].stream()], "c");
    assert_eq!(page.events[0].id().len(), 56);
}

#[test]
fn pages_of_a_search_give_every_match_once() {
    let (_folder, store) = store();
    let id = group(&store, "g");
    let mut random = Random(42);
    let mut expected = Vec::new();
    for stream in 0..7 {
        let stream = store.create_stream(id, &format!("{stream}"), NOW).unwrap();
        for at in 0..200_i64 {
            let time = at * 50 + i64::try_from(random.below(2_000)).unwrap();
            let word = if random.below(5) == 0 { "hit" } else { "miss" };
            let filler = "x".repeat(usize::try_from(random.below(3_000)).unwrap());
            let entry = event(time, &format!("{word} {}/{at} {filler}", stream.0));
            append(&store, stream, std::slice::from_ref(&entry));
            if word == "hit" {
                expected.push((time, stream, at, entry.message));
            }
        }
    }
    expected.sort();
    let expected: Vec<_> = expected.into_iter().map(|(.., message)| message).collect();
    for limit in [1, 13, 10_000] {
        let mut request = FilterRequest { limit, ..request("hit") };
        let mut all = Vec::new();
        loop {
            let page = store.filter(id, &request).unwrap();
            assert!(page.events.len() <= limit);
            all.extend(page.events.into_iter().map(|event| event.message));
            let Some(next) = page.next else { break };
            request.token = Some(next.to_string().parse().unwrap());
        }
        assert_eq!(all, expected, "limit {limit}");
    }
}

#[test]
fn a_long_search_gives_up_in_between_and_goes_on() {
    let (_folder, store) = store();
    let id = group(&store, "g");
    let stream = store.create_stream(id, "s", NOW).unwrap();
    let line = "x".repeat(250_000);
    for at in 0..100 {
        let lines: Vec<_> = (0..4).map(|n| event(at * 4 + n, &line)).collect();
        append(&store, stream, &lines);
    }
    append(&store, stream, &[event(1_000, "needle")]);
    let mut request = FilterRequest { pattern: Pattern::any(), ..request("") };
    request.pattern = "needle".parse().unwrap();
    let first = store.filter(id, &request).unwrap();
    assert!(first.events.is_empty());
    request.token = first.next;
    assert!(request.token.is_some());
    let second = store.filter(id, &request).unwrap();
    assert_eq!(messages(&second.events), "needle");
    assert_eq!(second.next, None);
}
