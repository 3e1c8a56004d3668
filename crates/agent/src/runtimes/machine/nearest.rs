//! The version that stands for one that the machine does not have, where the operator allows that.

use super::{compare, echo};
use buildspec::{Runtime, RuntimeVersion, Runtimes};
use std::cmp::Ordering;

/// Adds the versions that were asked for and are not there, each made of the nearest that is: the
/// next greater one, or else the greatest. The log tells.
pub(super) fn offer(runtimes: &mut Runtimes, asked: &[(String, String)]) {
    for (name, text) in asked {
        let Some(runtime) = runtimes.0.iter_mut().find(|runtime| runtime.name == *name) else {
            continue;
        };
        // `16.x` is asked of a version that is called 16.
        let version = text.strip_suffix(".x").unwrap_or(text);
        if has(runtime, text) || !version.contains(|letter: char| letter.is_ascii_digit()) {
            continue;
        }
        let Some(nearest) = nearest(runtime, version) else { continue };
        let told = format!(
            "This machine has no {name} {version}: the nearest that it has is {}",
            nearest.name
        );
        let commands = [echo(&told)].into_iter().chain(nearest.commands.iter().cloned()).collect();
        let name = version.to_owned();
        runtime.versions.push(RuntimeVersion { name, commands, ..RuntimeVersion::default() });
    }
}

/// Whether a text selects a version that is there.
fn has(runtime: &Runtime, text: &str) -> bool {
    let asked = [(runtime.name.clone(), text.to_owned())];
    Runtimes(vec![runtime.clone()]).select(&asked).result.is_ok()
}

fn nearest<'r>(runtime: &'r Runtime, version: &str) -> Option<&'r RuntimeVersion> {
    let greater = |other: &&RuntimeVersion| compare(&other.name, version) == Ordering::Greater;
    let all = runtime.versions.iter();
    let next = all.clone().filter(greater).min_by(|a, b| compare(&a.name, &b.name));
    next.or_else(|| all.max_by(|a, b| compare(&a.name, &b.name)))
}
