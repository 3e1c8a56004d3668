//! Readings before and after, and the difference between them.

use super::group::{CpuTime, Group};
use super::network::{Network, Traffic};
use super::sampler::Sampler;
use crate::fault::{Doing, Fault};
use crate::layout::Layout;
use agent_protocol::{BuildUsed, Used};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use std::sync::Arc;

/// Bytes of one block in the kernel's accounts of processes.
const BLOCK_BYTES: u64 = 512;

/// Reads what the container has used.
#[derive(Debug)]
pub(crate) struct Meter {
    group: Arc<Group>,
    network: Network,
    sampler: Arc<Sampler>,
    began: Reading,
}

/// What the container has used until a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    cpu: CpuTime,
    traffic: Traffic,
    blocks_read: u64,
    blocks_written: u64,
    memory_kills: u64,
}

impl Meter {
    /// A meter of this container. Nothing of it is inherited by commands.
    pub(crate) fn start(layout: &Layout) -> Result<Self, Fault> {
        let group = Arc::new(Group::open(&layout.control_group()));
        let network = Network::open();
        let began = read(&group, &network);
        let sampler = Sampler::start(Arc::clone(&group));
        let sampler = sampler.doing(|| "start the sampler's thread".to_owned())?;
        Ok(Self { group, network, sampler, began })
    }

    /// A command is about to begin. A reading of this moment, if there is one, is taken for it.
    pub(crate) fn begin(&self, reading: Option<Reading>) -> Reading {
        self.sampler.begin();
        reading.unwrap_or_else(|| read(&self.group, &self.network))
    }

    /// What was used since the command began, and how many processes were ended for memory; the
    /// reading of this moment is left in `reading`. The largest process that ended with the command
    /// had `largest_bytes`.
    pub(crate) fn end(
        &self,
        began: &Reading,
        largest_bytes: u64,
        reading: &mut Option<Reading>,
    ) -> (Used, u64) {
        let now = *reading.insert(read(&self.group, &self.network));
        let memory = self.sampler.end().max(largest_bytes);
        self.sampler.memory_of_build(memory);
        (now.since(began, memory), now.memory_kills - began.memory_kills)
    }

    /// What the whole build has used.
    pub(crate) fn whole(&self) -> BuildUsed {
        let memory = self.sampler.memory_of_build(self.group.memory().unwrap_or_default());
        BuildUsed {
            used: read(&self.group, &self.network).since(&self.began, memory),
            processors_peak_millis: self.sampler.processors_millis(),
        }
    }
}

impl Reading {
    fn since(&self, earlier: &Self, memory_peak_bytes: u64) -> Used {
        Used {
            cpu_user_micros: self.cpu.user.saturating_sub(earlier.cpu.user),
            cpu_system_micros: self.cpu.system.saturating_sub(earlier.cpu.system),
            memory_peak_bytes,
            disk_read_bytes: (self.blocks_read - earlier.blocks_read) * BLOCK_BYTES,
            disk_written_bytes: (self.blocks_written - earlier.blocks_written) * BLOCK_BYTES,
            network_received_bytes: self.traffic.received.saturating_sub(earlier.traffic.received),
            network_sent_bytes: self.traffic.sent.saturating_sub(earlier.traffic.sent),
        }
    }
}

/// The processor time used so far: by all of the group, or by the commands that have ended.
pub(super) fn cpu_time(group: &Group) -> CpuTime {
    group.cpu_time().or_else(|| ended().as_ref().map(cpu_of)).unwrap_or_default()
}

/// Disks are read from the accounts of processes that have ended: the group's count what reaches a
/// disk, which is when the kernel writes it and not when a command does.
fn read(group: &Group, network: &Network) -> Reading {
    let ended = ended();
    let blocks = |count: fn(&Usage) -> i64| {
        ended.as_ref().map(count).and_then(|count| u64::try_from(count).ok()).unwrap_or_default()
    };
    let of_group = group.cpu_time();
    Reading {
        cpu: of_group.or_else(|| ended.as_ref().map(cpu_of)).unwrap_or_default(),
        traffic: network.traffic(),
        blocks_read: blocks(Usage::block_reads),
        blocks_written: blocks(Usage::block_writes),
        memory_kills: group.memory_kills(),
    }
}

/// What all processes used that have ended and been cleared away.
fn ended() -> Option<Usage> {
    getrusage(UsageWho::RUSAGE_CHILDREN).ok()
}

fn cpu_of(ended: &Usage) -> CpuTime {
    let micros = |time: TimeVal| u64::try_from(time.num_microseconds()).unwrap_or_default();
    CpuTime { user: micros(ended.user_time()), system: micros(ended.system_time()) }
}
