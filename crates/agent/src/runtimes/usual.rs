//! What CodeBuild's images have without being asked, under the names that they have it.

use crate::fault::{Doing, Fault};
use crate::layout::Layout;
use crate::shell::{Shell, find_program};
use buildspec::Buildspec;
use std::fs;
use std::os::unix::fs::symlink;

/// Lets commands that call `python` find the `python3` of a machine that has it under this name
/// alone.
pub(super) fn offer(
    layout: &Layout,
    buildspec: &Buildspec,
    shell: &mut Shell,
) -> Result<(), Fault> {
    const NAME: &str = "python";
    if !calls(buildspec, NAME) {
        return Ok(());
    }
    let path = shell.variable("PATH").unwrap_or_default();
    if find_program(NAME, &path).is_some() {
        return Ok(());
    }
    let Some(program) = find_program("python3", &path) else { return Ok(()) };
    let folder = layout.programs();
    let made = fs::create_dir_all(&folder).and_then(|()| symlink(program, folder.join(NAME)));
    made.doing(|| format!("link {NAME}"))?;
    shell.replace("PATH", Some(format!("{}:{path}", folder.display()).into()));
    Ok(())
}

/// Whether the commands of a buildspec have a program's name among their words.
fn calls(buildspec: &Buildspec, name: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "._-/".contains(letter);
    buildspec.phases.iter().any(|(_, phase)| {
        let mut commands = phase.commands.iter().chain(&phase.finally);
        commands.any(|text| text.split(|letter| !is_part(letter)).any(|word| word == name))
    })
}
