//! What puts something out into the world.

use super::shell::{Script, Simple};
use std::ops::Range;

/// Programs and first words that deploy.
const DEPLOYS: &[&str] = &[
    "aws cloudformation deploy",
    "aws cloudformation create-stack",
    "aws cloudformation update-stack",
    "aws cloudfront create-invalidation",
    "aws deploy create-deployment",
    "aws ecs update-service",
    "aws elasticbeanstalk update-environment",
    "aws lambda update-function-code",
    "aws s3 sync",
    "cargo publish",
    "cdk deploy",
    "docker push",
    "dotnet nuget push",
    "eb deploy",
    "firebase deploy",
    "gem push",
    "gradle publish",
    "gradlew publish",
    "helm install",
    "helm upgrade",
    "kubectl apply",
    "kubectl rollout restart",
    "kubectl set image",
    "mvn deploy",
    "npm publish",
    "podman push",
    "poetry publish",
    "sam deploy",
    "serverless deploy",
    "sls deploy",
    "terraform apply",
    "twine upload",
    "yarn publish",
];

/// What a command deploys with, and where that stands.
pub(crate) fn deploys(script: &Script<'_>) -> Option<(&'static str, Range<usize>)> {
    script.commands.iter().find_map(|simple| deploys_with(script, simple))
}

fn deploys_with(script: &Script<'_>, simple: &Simple) -> Option<(&'static str, Range<usize>)> {
    let words: Vec<_> = script.words(simple).collect();
    if matches!(words.first(), Some(&"echo" | &"printf")) {
        return None;
    }
    (0..words.len()).find_map(|at| {
        let name = words[at].rsplit('/').next().unwrap_or_default();
        let deploy = DEPLOYS.iter().copied().find(|deploy| {
            let mut wanted = deploy.split(' ');
            wanted.next() == Some(name)
                && wanted.clone().eq(words[at + 1..].iter().copied().take(wanted.clone().count()))
        })?;
        let last = at + deploy.split(' ').count() - 1;
        Some((deploy, simple.words[at].start..simple.words[last].end))
    })
}

/// Whether a command asks if the build went well so far.
pub(crate) fn asks_for_success(command: &str) -> bool {
    command.contains("CODEBUILD_BUILD_SUCCEEDING")
}

/// Where a command logs in as version 1 of the AWS CLI did.
pub(crate) fn ecr_get_login(script: &Script<'_>) -> Option<Range<usize>> {
    const LOGIN: &str = "aws ecr get-login";
    let mut found = script.text.match_indices(LOGIN).map(|(at, _)| at..at + LOGIN.len());
    found.find(|bytes| {
        let behind = script.text[bytes.end..].chars().next();
        let ends = behind.is_none_or(|char| matches!(char, ' ' | '\t' | '\n' | ')' | '`' | '|'));
        // In a comment or a here-document it is blank, and `echo` only speaks of it.
        let is_run = !script.plain[bytes.clone()].trim().is_empty();
        ends && is_run && !is_spoken_of(script, bytes)
    })
}

fn is_spoken_of(script: &Script<'_>, bytes: &Range<usize>) -> bool {
    let begins_before =
        |simple: &Simple| simple.words.first().is_some_and(|first| first.start <= bytes.start);
    let later = script.commands.partition_point(begins_before);
    let around = later.checked_sub(1).map(|last| &script.commands[last]);
    let around =
        around.filter(|simple| simple.words.last().is_some_and(|last| bytes.start < last.end));
    let quoted = !script.text[..bytes.start].ends_with(['(', '`', ' ', '\t', '\n', ';', '&'])
        && bytes.start > 0;
    let speaks = |simple: &Simple| {
        matches!(script.words(simple).next(), Some("echo" | "printf"))
            && !script.text[..bytes.start].ends_with("$(")
    };
    quoted || around.is_some_and(speaks)
}
