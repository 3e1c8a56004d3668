//! The language of filter patterns.

use crate::logs::{Pattern, PatternError};

#[track_caller]
fn check(pattern: &str, yes: &[&str], no: &[&str]) {
    let parsed: Pattern = pattern.parse().unwrap();
    for message in yes {
        assert!(parsed.matches(message), "{pattern} should match {message}");
    }
    for message in no {
        assert!(!parsed.matches(message), "{pattern} should not match {message}");
    }
}

#[test]
fn terms() {
    check("", &["", "anything"], &[]);
    check("ERROR", &["[ERROR] x", "ERRORS"], &["error", ""]);
    check("a b", &["b a"], &["a", "b"]);
    check("?a ?b", &["a", "b"], &["c"]);
    check("a -b", &["a"], &["a b", "c"]);
    check("-b", &["a", ""], &["b"]);
    check("\"a b\"", &["x a b y"], &["b a"]);
    check("-\"a b\" c", &["c a"], &["c a b"]);
    check("\"say \\\"hi\\\"\"", &["say \"hi\"!"], &["say hi"]);
    check("%[0-9]{3}%", &["code 404"], &["code 40"]);
    check("a %x+y% -b", &["a xxy"], &["a y", "a xy b"]);
    check("?a ?b c", &["c"], &["a", "b"]);
    check("Größe_1", &["die Größe_1 ist"], &["Größe"]);
}

#[test]
fn json() {
    let event = r#"{"level":"ERROR","code":404,"ok":true,"none":null,
                    "at":{"host":"web-1","ports":[80,443]},"a b":"c"}"#;
    check("{ $.level = ERROR }", &[event], &["level ERROR", "{", "[]"]);
    check("{ $.level = \"ERR*\" }", &[event], &[]);
    check("{ $.level != \"INFO\" }", &[event], &["{}", r#"{"level":"INFO"}"#]);
    check("{ $.code = 404 && $.code >= 404 && $.code < 405 }", &[event], &["{\"code\":40}"]);
    check("{ $.code = 4* }", &[event], &["{\"code\":500}"]);
    check("{ $.code > 500 || $.at.host = web-* }", &[event], &["{\"code\":500}"]);
    check("{ ($.code > 500 || $.ok IS TRUE) && $.none IS NULL }", &[event], &["{\"code\":501}"]);
    check("{ $.at.ports[1] = 443 }", &[event], &["{\"at\":{\"ports\":[443]}}"]);
    check("{ $['a b'] = c }", &[event], &["{}"]);
    check("{ $.missing NOT EXISTS }", &[event], &["{\"missing\":1}"]);
    check("{ $.level = %^ERR% }", &[event], &["{\"level\":\"an ERR\"}"]);
    check("{$.a=1}", &["{\"a\":1.0}", " {\"a\":\"1\"}\n"], &["{\"a\":true}"]);
    check("{ $.a = \"*x*y*\" }", &["{\"a\":\"xy\"}", "{\"a\":\"1x2y3\"}"], &["{\"a\":\"yx\"}"]);
    check("{ $.a = \"a*a\" }", &["{\"a\":\"aa\"}"], &["{\"a\":\"a\"}"]);
}

#[test]
fn what_is_no_pattern_is_refused() {
    let refused = [
        "a-b",
        "a \"b",
        "%[%",
        "%a",
        "?",
        "-",
        "[w1, w2]",
        "{",
        "{}",
        "{ $ = 1 }",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a < \"x\" }",
        "{ $.a = 1 } x",
        "{ $.a = 1 && }",
        "{ ($.a = 1 }",
        "{ $.a IS 5 }",
        "{ $.a[x] = 1 }",
        "{ $.a. = 1 }",
        "{ a = 1 }",
    ];
    for text in refused {
        assert!(text.parse::<Pattern>().is_err(), "{text}");
    }
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(deep.parse::<Pattern>().is_err());
    let term = "foo.bar".parse::<Pattern>().unwrap_err();
    assert_eq!(term, PatternError::Term("foo.bar".to_owned()));
}
