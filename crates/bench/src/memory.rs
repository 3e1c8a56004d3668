//! How much memory builds take while they run.

use super::{
    builds,
    report::Report,
    service::{Service, memory_of},
};
use anyhow::Result;
use serde_json::json;
use std::{path::Path, thread, time::Duration};

const BUILDS: usize = 20;

/// Holds some builds in `sleep`, and divides what they cost: what the service grew by, and what the
/// agents have for themselves. The commands' own memory is the build's business.
pub(crate) fn running(program: &Path, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let configuration = format!("[builds]\nat_once_max = {BUILDS}\nmemory_percent = 100000\n");
    let service = Service::start(program, folder.path(), &configuration)?;
    let mut client = service.client()?;
    builds::make_projects(&mut client)?;
    for _ in 0..3 {
        builds::to_success(&service, &mut client, builds::NO_OP)?;
    }
    let before = service.memory()?;
    let ids = (0..BUILDS)
        .map(|_| builds::start(&mut client, builds::SLEEP))
        .collect::<Result<Vec<_>>>()?;
    while !all_in_command(&service)? {
        thread::sleep(Duration::from_millis(20));
    }
    let grown = service.memory()?.saturating_sub(before);
    let mut agents = 0;
    for agent in service.agents()? {
        agents += memory_of(agent, "Pss:")?;
    }
    for id in &ids {
        client.codebuild("StopBuild", &json!({ "id": id }))?;
    }
    service.settle()?;
    report.size("memory of a running build", (grown + agents) / BUILDS as u64);
    report.size("  of it the service's", grown / BUILDS as u64);
    report.size("  of it the agent's", agents / BUILDS as u64);
    Ok(())
}

/// Whether every build's command runs: its agent has a child.
fn all_in_command(service: &Service) -> Result<bool> {
    let agents = service.agents()?;
    let has_child = |agent: &u32| {
        let threads = std::fs::read_dir(format!("/proc/{agent}/task")).into_iter().flatten();
        threads.flatten().any(|thread| {
            std::fs::read_to_string(thread.path().join("children"))
                .is_ok_and(|children| !children.trim().is_empty())
        })
    };
    Ok(agents.len() == BUILDS && agents.iter().all(has_child))
}
