//! Patterns against a tree that has a bit of everything.

use super::{BaseDirectory, FilePatterns};

fn patterns(texts: &[&str]) -> FilePatterns {
    FilePatterns::new(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
}

/// Every path that the pattern means, of a tree that has a bit of everything.
fn check(pattern: &str, expected: &[&str]) {
    const TREE: &[&str] = &[
        ".env",
        "a.jar",
        "build",
        "buildspec.yml",
        "dist/.hidden/x.js",
        "dist/app.js",
        "dist/img/logo.png",
        "dist/img/big/logo.png",
        "pages/[id].js",
        "target/a.jar",
        "target/sub/b.jar",
        "target-old/a.jar",
    ];
    let patterns = patterns(&[pattern]);
    let found: Vec<_> = TREE.iter().filter(|path| patterns.matches(path)).copied().collect();
    assert_eq!(found, expected, "{pattern}");
    for path in found {
        for (slash, _) in path.match_indices('/') {
            assert!(patterns.may_match_in(&path[..slash]), "{pattern} in {}", &path[..slash]);
        }
    }
}

#[test]
fn a_star_stays_in_its_folder() {
    check("*", &[".env", "a.jar", "build", "buildspec.yml"]);
    check("*.jar", &["a.jar"]);
    check("target/*", &["target/a.jar"]);
    check("*/*.jar", &["target/a.jar", "target-old/a.jar"]);
    check("target*/a.jar", &["target/a.jar", "target-old/a.jar"]);
    check("a.ja?", &["a.jar"]);
    check("target/a.{jar,war}", &["target/a.jar"]);
}

#[test]
fn two_stars_cross_folders() {
    check("**/*.jar", &["a.jar", "target/a.jar", "target/sub/b.jar", "target-old/a.jar"]);
    check("target/**/*", &["target/a.jar", "target/sub/b.jar"]);
    check("target/**", &["target/a.jar", "target/sub/b.jar"]);
    check("**/logo.png", &["dist/img/logo.png", "dist/img/big/logo.png"]);
    check("dist/**/logo.png", &["dist/img/logo.png", "dist/img/big/logo.png"]);
    check("**/img/*", &["dist/img/logo.png"]);
    check("**.jar", &["a.jar"]);
}

#[test]
fn hidden_files_match() {
    check(
        "dist/**/*",
        &["dist/.hidden/x.js", "dist/app.js", "dist/img/logo.png", "dist/img/big/logo.png"],
    );
    check(".*", &[".env"]);
}

#[test]
fn every_way_to_say_everything() {
    for everything in ["**/*", "**", "./**/*", ".", "./", "**/**"] {
        let patterns = patterns(&[everything]);
        assert!(patterns.matches("a") && patterns.matches(".a/b"), "{everything}");
        assert!(patterns.may_match_in("any/where"), "{everything}");
    }
}

#[test]
fn a_plain_name_is_a_file_or_a_whole_folder() {
    check("build", &["build"]);
    check("target", &["target/a.jar", "target/sub/b.jar"]);
    check("target/", &["target/a.jar", "target/sub/b.jar"]);
    check("./target/sub/", &["target/sub/b.jar"]);
    check("dist/app.js", &["dist/app.js"]);
    check("./dist//app.js", &["dist/app.js"]);
    check("target*/", &["target/a.jar", "target/sub/b.jar", "target-old/a.jar"]);
}

#[test]
fn what_is_malformed_is_a_name() {
    check("pages/[id", &[]);
    check("pages/\\[id\\].js", &["pages/[id].js"]);
    assert!(patterns(&["a[b"]).matches("a[b"));
}

#[test]
fn nothing_leaves_the_base() {
    for outside in ["/etc/passwd", "../x", "a/../../x", "dist/../a.jar"] {
        check(outside, &[]);
        assert!(
            !patterns(&[outside]).may_match_in("etc") && !patterns(&[outside]).may_match_in("")
        );
    }
}

#[test]
fn a_pattern_that_matched_nothing_can_be_named() {
    let patterns = patterns(&["*.jar", "missing", "**/*"]);
    assert_eq!(patterns.matching("a.jar").collect::<Vec<_>>(), [0, 2]);
    assert!(!patterns.is_empty());
}

#[test]
fn folders_that_cannot_matter_are_left_alone() {
    let patterns = patterns(&["target/*.jar", "dist/img/**/*", "one/two"]);
    for folder in ["", "target", "dist", "dist/img", "dist/img/deep/er", "one", "one/two/three"] {
        assert!(patterns.may_match_in(folder), "{folder}");
    }
    for folder in ["node_modules", "tar", "dist/css", "target-old", "one/three"] {
        assert!(!patterns.may_match_in(folder), "{folder}");
    }
}

#[test]
fn a_base_directory_may_have_wildcards() {
    let base = BaseDirectory::new("my-build*");
    assert!(base.matches("my-build-1") && base.matches("my-build"));
    assert!(!base.matches("my-build-1/sub") && !base.matches("other"));
    assert_eq!(base.literal(), None);
    assert_eq!(BaseDirectory::new("./target/").literal(), Some("target"));
    assert_eq!(BaseDirectory::new(".").literal(), Some(""));
    assert_eq!(BaseDirectory::new("/codebuild/x").literal(), Some("/codebuild/x"));
    assert!(BaseDirectory::new("a/b").matches("a/b"));
}
