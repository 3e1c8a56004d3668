//! Sources, artifacts and caches: many files, packed and unpacked.

use super::{
    Race, Spec,
    table::{Figure, Role},
};
use crate::{bundles, report::Times};
use anyhow::Result;

/// How much the files have.
const MIB: u64 = 300;
const ROUNDS: usize = 7;

const SOURCE: Spec = Spec::new("source", "a source of 20,000 files, fetched and unpacked", "s")
    .goal("`aws s3 cp`, `unzip`", 2.0);
const ARTIFACT: Spec = Spec::new("artifact", "as many files, zipped and uploaded", "s")
    .goal("`zip -1`, `aws s3 cp`", 2.0);
const SAVE: Spec = Spec::new("cache-save", "as many files, saved in a cache", "s")
    .goal("`tar`, `zstd`, `aws s3 cp`", 2.0);
const RESTORE: Spec = Spec::new("cache-restore", "as many files, restored from a cache", "s")
    .goal("`aws s3 cp`, `zstd`, `tar`", 2.0);

/// The tools do it in the same builds, in turn with us.
pub(super) fn measure(race: &Race<'_>) -> Result<Vec<(Spec, Vec<Figure>)>> {
    let found = bundles::measure(race.program, ROUNDS, MIB)?;
    let copied = ("the files copied by `cp -r`", &found.copy);
    let read = ("the files read by `tar`", &found.read);
    Ok(vec![
        row(SOURCE, &found.source, &found.fetch_and_unzip, copied),
        row(ARTIFACT, &found.artifact, &found.zip_and_upload, read),
        row(SAVE, &found.save, &found.tool_save, read),
        row(RESTORE, &found.restore, &found.tool_restore, copied),
    ])
}

fn row(
    spec: Spec,
    ours: &Times,
    tools: &Times,
    (limit, least): (&str, &Times),
) -> (Spec, Vec<Figure>) {
    let against = spec.goal.map_or("the tools", |(against, _)| against);
    let figure = |who: &str, role, times: &Times| {
        Figure::of(who, role, times.0.iter().map(|time| time.as_secs_f64()).collect())
    };
    let figures = vec![
        figure("Buildyard", Role::Ours, ours),
        figure(against, Role::Peer, tools),
        figure(limit, Role::Limit, least),
    ];
    (spec, figures)
}
