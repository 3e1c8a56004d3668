//! Masking against a slow and simple masking, however the text is cut.

use super::Mask;
use proptest::collection::vec;
use proptest::prelude::*;

fn mask(values: &[&str]) -> Mask {
    let mut mask = Mask::default();
    mask.hide(values.iter().copied());
    mask
}

fn masked(values: &[&str], text: &str) -> String {
    mask(values).whole(text)
}

/// What comes out when `text` goes in in these pieces.
fn in_pieces(values: &[&str], pieces: &[&[u8]]) -> Vec<u8> {
    let (mut mask, mut out) = (mask(values), Vec::new());
    for piece in pieces {
        mask.push(piece, &mut out);
    }
    mask.settle(&mut out);
    out
}

/// The same by looking at every place for every value, and access keys by hand.
fn naive(values: &[String], text: &[u8]) -> Vec<u8> {
    let mut hidden = vec![false; text.len()];
    let mut starts = vec![true; text.len()];
    for value in values.iter().map(|value| value.trim().as_bytes()).filter(|v| v.len() >= 4) {
        for at in 0..text.len() {
            if text[at..].starts_with(value) {
                hidden[at..at + value.len()].fill(true);
                starts[at + 1..at + value.len()].fill(false);
            }
        }
    }
    let mut shown = Vec::new();
    for (at, byte) in text.iter().enumerate() {
        match (hidden[at], starts[at]) {
            (false, _) => shown.push(*byte),
            (true, true) => shown.extend_from_slice(b"***"),
            (true, false) => {}
        }
    }
    shown
}

#[test]
fn values_are_hidden_wherever_they_stand() {
    assert_eq!(
        masked(&["hunter2"], "the password is hunter2, hunter2!\n"),
        "the password is ***, ***!\n"
    );
    assert_eq!(masked(&["hunter2"], "hunter2hunter2"), "******");
    assert_eq!(masked(&["hunter2"], "hunter\n2 Hunter2 hunte"), "hunter\n2 Hunter2 hunte");
    assert_eq!(masked(&[], "nothing is hidden"), "nothing is hidden");
}

#[test]
fn values_that_overlap_leave_nothing_between_them() {
    assert_eq!(masked(&["abcdef", "defghi"], "-abcdefghi-"), "-***-");
    assert_eq!(masked(&["abcd", "bcde", "abcdefgh"], "abcdef abcdefgh"), "***f ***");
    assert_eq!(masked(&["aaaa"], "aaaaaaaaaaaaaaaaaaaaaab"), "***b");
    assert_eq!(masked(&["secret", "secretive"], "secret secretive secreti"), "*** *** ***i");
}

#[test]
fn each_line_of_a_value_is_hidden_by_itself() {
    let key = "-----BEGIN KEY-----\nMIIBVgIBADANBg\n-----END KEY-----\n";
    assert_eq!(
        masked(&[key], &format!("key:\n  {}", key.replace('\n', "\n  "))),
        "key:\n  ***\n  ***\n  ***\n  "
    );
    assert_eq!(masked(&[key], "  echo MIIBVgIBADANBg"), "  echo ***");
}

#[test]
fn the_texts_of_a_json_value_are_hidden_too() {
    let secret = r#"{"username":"admin","password":"correct horse"}"#;
    assert_eq!(masked(&[secret], &format!("{secret} admin correct horse")), "*** admin ***");
}

#[test]
fn access_keys_are_hidden_without_being_told() {
    let (long, short) = ("AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE");
    assert_eq!(masked(&[], &format!("id={long}\n{short}")), "id=***\n***");
    assert_eq!(masked(&[], &format!("a{long}b \"{short}\"")), "a***b \"***\"");
    for text in [
        "AKIAIOSFODNN7EXAMPL",
        "AKIAIOSFODNN7EXAMPLES",
        "XAKIAIOSFODNN7EXAMPLE",
        "AKIAaOSFODNN7EXAMPLE",
        "AAKIA",
        "AS",
        "AKIASIA AK",
    ] {
        assert_eq!(masked(&[], text), text);
    }
    assert_eq!(
        masked(&["user:AKIAIOSFODNN7EXAMPLE:pass"], "user:AKIAIOSFODNN7EXAMPLE:pass"),
        "***"
    );
}

#[test]
fn only_what_may_be_the_beginning_of_a_value_is_held_back() {
    let (mut mask, mut out) = (mask(&["hunter2"]), Vec::new());
    mask.push(b"say hun", &mut out);
    assert_eq!((out.as_slice(), mask.holds_back()), (&b"say "[..], true));
    mask.push(b"ger", &mut out);
    assert_eq!((out.as_slice(), mask.holds_back()), (&b"say hunger"[..], false));
    mask.push(b" hunter2 hu\nnter2 A\n", &mut out);
    assert_eq!((out.as_slice(), mask.holds_back()), (&b"say hunger *** hu\nnter2 A\n"[..], false));
}

#[test]
fn what_goes_on_after_it_was_not_held_back_any_longer_is_hidden_from_there() {
    let (mut mask, mut out) = (mask(&["correct-horse"]), Vec::new());
    mask.push(b"it is correct-", &mut out);
    mask.settle(&mut out);
    assert!(!mask.holds_back());
    mask.push(b"horse and AKIAIOSF", &mut out);
    mask.settle(&mut out);
    mask.push(b"ODNN7EXAMPLE.", &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "it is correct-*** and AKIAIOSF***.");
}

#[test]
fn what_was_shown_between_two_ends_of_a_value_does_not_make_one() {
    let (mut mask, mut out) = (mask(&["baba"]), Vec::new());
    mask.push(b"babab", &mut out);
    mask.settle(&mut out);
    mask.push(b"aaba\n", &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "***b***aba\n");
}

#[test]
fn many_and_long_values_are_hidden_as_well() {
    let long: Vec<String> = (0..40).map(|n| format!("{n}-{}", "xy".repeat(500 + n))).collect();
    let values: Vec<&str> = long.iter().map(String::as_str).collect();
    let text = format!("a {} b {}x c", long[3], long[39]);
    assert_eq!(masked(&values, &text), "a *** b ***x c");
    let half = long[39].split_at(700);
    let pieces = [b"a ".as_slice(), half.0.as_bytes(), half.1.as_bytes(), b" b"];
    assert_eq!(in_pieces(&values, &pieces), b"a *** b");
}

/// Texts of few letters, so that values are found, overlap, and nearly are there.
fn letters(length: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    vec(prop::sample::select(vec!['a', 'b', '\n']), length)
        .prop_map(|letters| letters.into_iter().collect())
}

fn word() -> impl Strategy<Value = String> {
    vec(prop::sample::select(vec!['a', 'b']), 1..9)
        .prop_map(|letters| letters.into_iter().collect())
}

/// Pieces of what access keys are made of.
fn keys() -> impl Strategy<Value = String> {
    let part =
        prop::sample::select(vec!["A", "K", "I", "AKIA", "ASIA", "IOSFODNN7EXAMPLE", "-", "a"]);
    vec(part, 0..20).prop_map(|parts| parts.concat())
}

fn cut<'a>(text: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
    cuts.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in cuts {
        pieces.push(&text[from..cut]);
        from = cut;
    }
    pieces.push(&text[from..]);
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_text_is_masked_the_same_however_it_is_cut(
        values in vec(word(), 0..6),
        text in letters(0..60),
        cuts in vec(any::<usize>(), 0..20),
    ) {
        let refs: Vec<&str> = values.iter().map(String::as_str).collect();
        let whole = naive(&values, text.as_bytes());
        prop_assert_eq!(&in_pieces(&refs, &cut(text.as_bytes(), &cuts)), &whole);
    }

    #[test]
    fn access_keys_are_masked_the_same_however_they_are_cut(
        text in keys(),
        cuts in vec(any::<usize>(), 0..20),
    ) {
        let whole = in_pieces(&[], &[text.as_bytes()]);
        prop_assert_eq!(in_pieces(&[], &cut(text.as_bytes(), &cuts)), whole);
    }

    #[test]
    fn no_value_is_whole_in_what_is_shown_whenever_it_is_settled(
        values in vec(word(), 1..6),
        text in letters(0..60),
        cuts in vec(any::<usize>(), 0..20),
    ) {
        let refs: Vec<&str> = values.iter().map(String::as_str).collect();
        let (mut mask, mut out) = (mask(&refs), Vec::new());
        for piece in cut(text.as_bytes(), &cuts) {
            mask.push(piece, &mut out);
            mask.settle(&mut out);
            prop_assert!(!mask.holds_back());
        }
        let shown = String::from_utf8(out).unwrap();
        for value in values.iter().filter(|value| value.len() >= 4) {
            prop_assert!(!shown.contains(value), "{shown:?} shows {value:?}");
        }
    }
}
