//! What is suspicious, and above all what is not.

use super::blank::{FILLER, blanked};
use super::{
    Lost, Script, bashism, deploys, ecr_get_login, hidden_behind_pipe, hidden_status,
    is_powershell, is_secret, loses_its_zero, lost, names_set, reference,
};
use crate::model::Version;
use std::collections::HashSet;
use std::ops::Range;

/// Checks what a rule finds in each command.
fn check(rule: impl Fn(&Script<'_>) -> Option<Range<usize>>, table: &[(&str, Option<&str>)]) {
    for (command, expected) in table {
        let found = rule(&Script::new(command)).map(|bytes| &command[bytes]);
        assert_eq!(found, *expected, "{command}");
    }
}

#[test]
fn values_that_refer_to_variables() {
    let table = [
        ("$HOME/bin", Some("$HOME")),
        ("/usr/bin:${PATH}", Some("${PATH}")),
        ("a$b", Some("$b")),
        ("${PATH", None),
        ("${PATH:-x}", None),
        ("costs $5", None),
        ("$", None),
        ("$$", None),
        ("p4$$word", Some("$word")),
        ("plain", None),
    ];
    for (value, expected) in table {
        assert_eq!(reference(value), expected, "{value}");
    }
}

#[test]
fn versions_that_lose_their_zero() {
    for version in ["3.10", "1.20", "8.0"] {
        assert!(loses_its_zero(version), "{version}");
    }
    for version in ["3.11", "latest", "18", "3.x", "corretto17", "3.10.0", ".", "3."] {
        assert!(!loses_its_zero(version), "{version}");
    }
}

#[test]
fn values_that_are_secrets() {
    let secrets = [
        ("KEY", "AKIAIOSFODNN7EXAMPLE"),
        ("X", "ghp_0123456789abcdefghijABCDEFGHIJ012345"),
        ("DEPLOY_KEY", "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n"),
        ("NPM_TOKEN", "5f2b9c1e-7a64-4d0f-b3d8"),
        ("db_password", "kJ8fQ2pLmZ7xRtW4"),
    ];
    for (name, value) in secrets {
        assert!(is_secret(name, value), "{name}");
    }
    let others = [
        ("DB_PASSWORD", "postgres"),
        ("DB_PASSWORD", "$DB_PASSWORD"),
        ("TOKEN_URL", "https://example.com/oauth2/v1/token"),
        ("API_TOKEN", "https://example.com/oauth2/v1/token"),
        ("NPM_TOKEN", "/codebuild/npm/token1234567890"),
        ("SECRET", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"),
        ("PASSWORD", "correct horse battery 1"),
        ("COMMIT", "5f2b9c1e7a644d0fb3d8"),
        ("IMAGE", "AKIA"),
        ("GITHUB_TOKEN", "<your-token-here-1234>"),
    ];
    for (name, value) in others {
        assert!(!is_secret(name, value), "{name}={value}");
    }
}

#[test]
fn syntax_that_only_bash_knows() {
    check(
        bashism,
        &[
            ("if [[ -f x ]]; then y; fi", Some("[[")),
            ("[[ $A == b ]] && c", Some("[[")),
            ("a\nif x; then\n  [[ b ]]\nfi", Some("[[")),
            ("source .env", Some("source")),
            ("cd x && source venv/bin/activate", Some("source")),
            ("function f { a; }; f", Some("function")),
            ("pushd app; make; popd", Some("pushd")),
            ("cat <<< $X", Some("<<<")),
            ("make &> log", Some("&>")),
            ("a |& b", Some("|&")),
            ("files=(a b)", Some("files=(a b)")),
            ("set -euo pipefail", Some("pipefail")),
            ("set -e -o pipefail; make | tee log", Some("pipefail")),
            ("if [ $A == b ]; then c; fi", Some("==")),
            ("[ \"$A\" == \"b\" ] && c", Some("==")),
            ("test $A == b", Some("==")),
            ("TAG=${SHA:0:7}", Some("${SHA:0:7}")),
            ("echo \"${SHA: -7}\"", Some("${SHA: -7}")),
            ("X=${A//-/_}; Y=${B^^}", Some("${A//-/_}")),
            ("echo ${!NAME} ${LIST[0]}", Some("${!NAME}")),
            ("echo ${LIST[@]}", Some("${LIST[@]}")),
            ("diff <(a) <(b)", Some("<(")),
            ("make > >(tee log)", Some(">(")),
            ("readarray -t lines < f", Some("readarray")),
            ("echo '[[ x ]]'", None),
            ("echo \"source it\"", None),
            ("bash -c '[[ x ]]'", None),
            ("[ x ]", None),
            (". .env", None),
            ("grep [[:alpha:]] f", None),
            ("# [[ x ]]", None),
            ("echo hi # source x", None),
            ("echo source code", None),
            ("aws s3 cp source target", None),
            ("python - <<'EOF'\n[[1, 2], [3]]\nsource = 1\nEOF", None),
            ("cat <<EOF > f\n[[ $X ]]\nEOF\nmake", None),
            ("bash <<-'END'\n\t[[ x ]]\n\tEND\n", None),
            ("make > log 2>&1", None),
            ("x=$(declare)", None),
            ("#!/bin/bash\n[[ x ]]", None),
            ("f() { a; }", None),
            ("set -e; set +x", None),
            ("echo pipefail", None),
            ("[ $A = b ] || [ $A != == ]", None),
            ("echo a == b", None),
            ("awk '{ if ($1 == \"x\") print ${A:0:1} }' f", None),
            ("echo ${A:-0} ${B:=b} ${C:?c} ${D:+d} ${E#*/} ${F%%.*} ${#G}", None),
            ("echo '${A:0:7}' \\${A:0:7}", None),
            ("echo ${1:-x} ${@} ${?}", None),
            ("cat <<EOF\n${A:0:7}\nEOF", None),
            ("(cd x && make) < in > out", None),
        ],
    );
}

#[test]
fn chains_that_hide_a_status() {
    check(
        hidden_status,
        &[
            ("make; make test", Some("make")),
            ("cd app; make", Some("cd app")),
            ("echo a; make; echo b", Some("make")),
            ("cd a && make; echo done", Some("cd a && make")),
            ("make | grep x; echo", Some("make | grep x")),
            ("make > log 2>&1; echo done", Some("make > log 2>&1")),
            ("echo start; make", None),
            ("A=1; B=2; make", None),
            ("make", None),
            ("make;", None),
            ("make && make test", None),
            ("set -e; make; make test", None),
            ("set -euo pipefail; make; make test", None),
            ("set -o errexit; make; make test", None),
            ("if [ -f x ]; then make; fi", None),
            ("for f in *; do gzip $f; done", None),
            ("for f in *; do\n  gzip $f\ndone", None),
            ("case $X in a) make; make;; b|c) make;; esac", None),
            ("while read -r l; do a; b; done < f", None),
            ("test -f x || { echo no; exit 1; }; make", None),
            ("(cd a; make)", None),
            ("f() { a; b; }; f", None),
            ("echo 'a; b'", None),
            ("sh -c \"a; b\"", None),
            ("x=$(a; b)", None),
            ("x=`a; b`", None),
            ("echo ${x:-a;b}", None),
            ("find . -exec rm {} \\;", None),
            ("find . -name '*.x' -exec rm {} \\; -print", None),
            ("make || true; echo done", None),
            ("make || exit 1; make test", None),
            ("server & sleep 1; make", None),
            ("make; if [ $? -ne 0 ]; then exit 1; fi", None),
            ("make; exit $?", None),
            ("[ -n \"$X\" ]; make", None),
            ("mkdir -p out; make", None),
            ("jq '.a; .b' f", None),
            ("awk '{ a; b }' f", None),
            ("if x; then", None),
            ("a (", None),
            ("", None),
        ],
    );
}

#[test]
fn lines_that_hide_a_status() {
    check(
        hidden_status,
        &[
            ("npm ci\nnpm test\n", Some("npm ci")),
            ("echo start\n./build.sh --all\necho done\n", Some("./build.sh --all")),
            ("CI=1 npm ci\nnpm test", Some("CI=1 npm ci")),
            ("sudo make install\nls", Some("sudo make install")),
            ("apt-get update\napt-get install -y jq", None),
            ("! make\nls", None),
            ("node_modules/.bin/cdk synth\necho", Some("node_modules/.bin/cdk synth")),
            (
                "docker build \\\n  -t a \\\n  .\ndocker push a",
                Some("docker build \\\n  -t a \\\n  ."),
            ),
            ("set -e\nnpm ci\nnpm test\n", None),
            ("npm ci &&\nnpm test", None),
            ("npm ci && \\\n  npm test", None),
            ("npm ci ||\nexit 1", None),
            ("npm test", None),
            ("\n# first\nnpm test\n\n", None),
            ("VERSION=$(node -p 1)\nexport VERSION\necho $VERSION", None),
            ("if make; then\n  make test\n  make install\nfi\n", None),
            ("make\nstatus=$?\necho $status", None),
            ("cat > f <<EOF\nnpm ci\nnpm test\nEOF\nnpm test", None),
            ("cat > f <<'EOF'\nit's\nEOF\nnpm test", None),
            ("some-tool a\nother-tool b", None),
            ("f() {\n  npm ci\n  npm test\n}\nf", None),
            ("f()\n{\n  npm ci\n  npm test\n}\nf", None),
            ("python - <<EOF\nimport os; os.x(); os.y()\nEOF", None),
        ],
    );
}

#[test]
fn pipes_that_hide_a_status() {
    check(
        hidden_behind_pipe,
        &[
            ("make test | tee log", Some("make test")),
            ("cd x && make test 2>&1 | tee -a log", Some("make test 2>&1")),
            ("set -o pipefail; make | tee log", None),
            ("echo x | tee f", None),
            ("make | grep x", None),
            ("echo 'make | tee log'", None),
            ("cat <<EOF | tee f\nmake | tee log\nEOF", None),
        ],
    );
}

#[test]
fn what_does_not_carry_over() {
    let table = [
        ("set -e", Some(Lost::Options)),
        ("set -euo pipefail; shopt -s globstar", Some(Lost::Options)),
        ("alias k=kubectl", Some(Lost::Aliases)),
        ("trap 'rm x' EXIT", Some(Lost::Traps)),
        ("f() { make; }", Some(Lost::Functions)),
        ("function f { make; }", Some(Lost::Functions)),
        ("nvm use 18", Some(Lost::Nvm)),
        (". ~/.nvm/nvm.sh && nvm use 18", None),
        ("set -e; make", None),
        ("set -e\nmake", None),
        ("f() { make; }; f", None),
        ("cd app", None),
        ("export A=b", None),
        ("A=b", None),
        ("make", None),
        ("", None),
        ("# set -e", None),
    ];
    for (command, expected) in table {
        assert_eq!(lost(&Script::new(command), Version::V0_2), expected, "{command}");
    }
    let old = [
        ("cd app", Some(Lost::Folder)),
        ("export A=b", Some(Lost::Variables)),
        ("A=b B=c", Some(Lost::Variables)),
        ("cd app && make", None),
        ("A=b make", None),
    ];
    for (command, expected) in old {
        assert_eq!(lost(&Script::new(command), Version::V0_1), expected, "{command}");
    }
}

#[test]
fn commands_that_deploy() {
    let table = [
        ("docker push $REPO:latest", Some("docker push")),
        ("cd x && docker  push a", Some("docker push")),
        ("if x; then docker push a; fi", Some("docker push")),
        ("aws s3 sync dist s3://bucket", Some("aws s3 sync")),
        ("npx cdk deploy --all", Some("cdk deploy")),
        ("./node_modules/.bin/cdk deploy", Some("cdk deploy")),
        ("./gradlew publish", Some("gradlew publish")),
        ("echo \"docker push comes next\"", None),
        ("echo docker push comes next", None),
        ("docker pushx", None),
        ("docker build .", None),
        ("# docker push a", None),
        ("cat <<EOF\ndocker push a\nEOF", None),
    ];
    for (command, expected) in table {
        assert_eq!(deploys(&Script::new(command)).map(|found| found.0), expected, "{command}");
    }
}

#[test]
fn logins_of_the_old_cli() {
    let login = Some("aws ecr get-login");
    check(
        ecr_get_login,
        &[
            ("$(aws ecr get-login --no-include-email --region $R)", login),
            ("eval $(aws ecr get-login)", login),
            ("`aws ecr get-login`", login),
            ("aws ecr get-login | sh", login),
            ("aws ecr get-login-password | docker login", None),
            ("echo aws ecr get-login", None),
            ("echo \"aws ecr get-login is gone\"", None),
            ("# aws ecr get-login", None),
        ],
    );
}

#[test]
fn commands_for_powershell() {
    for command in
        ["$env:PATH = 'x'", "Write-Host a", "if (Test-Path x) { y }", "ls | Select-String a"]
    {
        assert!(is_powershell(command), "{command}");
    }
    for command in ["make", "docker-compose up", "apt-get install X-Y", "echo Get-it", "env A=b c"]
    {
        assert!(!is_powershell(command), "{command}");
    }
}

#[test]
fn names_that_commands_set() {
    let mut names = HashSet::new();
    let all =
        names_set("A=1; export B; C+=x && read -r D\nfor E in x; do y; done; F=\"$G\"", &mut names);
    assert!(all);
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable();
    assert_eq!(names, ["A", "B", "C", "D", "E", "F"]);
    for command in [". ./env.sh", "source x", "eval $(x)", "$(aws ecr get-login)"] {
        assert!(!names_set(command, &mut HashSet::new()), "{command}");
    }
}

#[test]
fn blanks_take_as_many_bytes() {
    let texts = [
        "'é' ü",
        "a \\é b",
        "# ö\nx",
        "$(ä)",
        "\"\\\"ß\"",
        "cat <<é\nü\né\nx",
        "<<",
        "<<-",
        "<<'a",
        "\\",
        "${",
        "$'\\''",
        "a=(",
        "<<<",
        "<<E <<F\n1\nE\n2\nF\n",
    ];
    for text in texts {
        assert_eq!(blanked(text).plain.len(), text.len(), "{text}");
    }
    assert_eq!(blanked("a 'b' # c\nd").plain, format!("a {FILLER}{FILLER}{FILLER}    \nd"));
}
