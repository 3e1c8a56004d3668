//! The two halves of caching: before the first command, and after the artifacts.

use super::bucket::S3Caching;
use super::{layers, lines, local};
use crate::log;
use crate::run::Build;
use crate::shell::{Shell, Succeeding};
use agent_protocol::{CacheOrder, LocalMode};
use buildspec::{Buildspec, Cache};

/// What is to be done with the build's cache at its end.
pub(crate) enum Caching {
    /// Nothing.
    Done,
    /// It may have to be saved to its bucket.
    S3(Box<S3Caching>),
}

/// Restores what there is, and tells the log. A build without a cache is told so, too.
pub(crate) fn restore(build: &Build, buildspec: &Buildspec, shell: &Shell) -> Caching {
    let wanted = buildspec.cache.clone().unwrap_or_default();
    if buildspec.cache.is_none() {
        build.journal.line_soon(log::NO_CACHE);
    }
    match &build.orders.cache {
        CacheOrder::NoCache => {
            if wanted.paths.is_empty() {
                build.journal.line_soon(log::CACHE_SKIPPED);
            }
            Caching::Done
        }
        CacheOrder::DockerLayers => {
            build.journal.line(lines::NO_DOCKER_LAYERS);
            Caching::Done
        }
        CacheOrder::Local(cache) => {
            if cache.docker_layers == LocalMode::On {
                layers::mount(build, cache);
            }
            match cache.custom {
                LocalMode::On if !wanted.paths.is_empty() => {
                    let paths = evaluated_paths(build, &wanted, shell);
                    local::link(build, cache, &home(shell), &paths);
                }
                LocalMode::On | LocalMode::Off => build.journal.line(log::CACHE_SKIPPED),
            }
            Caching::Done
        }
        CacheOrder::S3(order) => {
            let paths = evaluated_paths(build, &wanted, shell);
            match S3Caching::begin(build, order, (&wanted, paths), shell) {
                Ok(mut caching) => {
                    caching.restore(build, &wanted, shell);
                    Caching::S3(Box::new(caching))
                }
                Err(reason) => {
                    build.journal.line(&lines::not_begun(reason));
                    Caching::Done
                }
            }
        }
    }
}

/// The home folder that `~` means.
pub(super) fn home(shell: &Shell) -> String {
    shell.variable("HOME").unwrap_or_else(|| "/root".to_owned())
}

/// The paths as the shell sees them: its variables count.
fn evaluated_paths(build: &Build, wanted: &Cache, shell: &Shell) -> Vec<String> {
    let evaluate = |text: &String| {
        shell.evaluate(text).unwrap_or_else(|error| {
            build.journal.line(&lines::not_begun(error));
            text.clone()
        })
    };
    wanted.paths.iter().map(evaluate).collect()
}

impl Caching {
    /// Saves what a build has made that succeeded, and tells the log.
    pub(crate) fn save(&self, build: &Build, succeeding: Succeeding) {
        match (self, succeeding) {
            (Self::Done, _) => {}
            (Self::S3(caching), Succeeding::Yes) => caching.save(build),
            // AWS: whether a failed build saves is not documented. A key is saved once, so that
            // what is half-made would stay.
            (Self::S3(_), Succeeding::No) => build.journal.line(lines::FAILED),
        }
    }
}
