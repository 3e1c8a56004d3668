//! What the container's first process gives up before it becomes the agent.

use crate::{Fault, Limits, Privileges, fault::Doing};
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{
        CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
        remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
    },
};

/// What root in a container may still do: what package managers and builds need, and nothing that
/// reaches devices, the network's wires or other users' processes.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SYS_CHROOT);

/// Gives up, for good, what root in the container must not be able to do.
///
/// With privileges of its own it keeps every capability that its user namespace gives but one: whoever
/// may look into any process could look into the agent.
pub(super) fn give_up(privileges: Privileges) -> Result<(), Fault> {
    let kept = match privileges {
        Privileges::Few => KEPT,
        Privileges::Own => CapabilitySet::from_bits_retain(!CapabilitySet::SYS_PTRACE.bits()),
    };
    // By number: the kernel may know capabilities that have no name here.
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(capability) {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            // The kernel has no capability of this number, nor of any above.
            Err(rustix::io::Errno::INVAL) => break,
            removed => removed.doing("give up capabilities")?,
        }
    }
    clear_ambient_capability_set().doing("give up ambient capabilities")?;
    let had = capabilities(None).doing("read capabilities")?.permitted;
    let sets = CapabilitySets {
        effective: kept & had,
        permitted: kept & had,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).doing("give up capabilities")?;
    match privileges {
        Privileges::Few => set_no_new_privs(true).doing("forbid new privileges"),
        // Programs of its own containers may change users by their files' modes. Nothing outside
        // of its user namespace is gained by it.
        Privileges::Own => Ok(()),
    }
}

/// Sets the limits of each process. They are only ever lowered.
///
/// `grouped` says whether control groups limit the container as a whole; without them its
/// processes are limited one by one, as well as can be.
pub(super) fn lower_limits(limits: &Limits, grouped: bool) -> Result<(), Fault> {
    lower(Resource::Nofile, limits.open_files_max)?;
    lower(Resource::Core, 0)?;
    if !grouped {
        lower(Resource::Nproc, limits.processes_max.into())?;
        lower(Resource::Data, limits.memory_bytes)?;
    }
    Ok(())
}

fn lower(resource: Resource, value: u64) -> Result<(), Fault> {
    let value = getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
    let limit = Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(resource, limit).doing("lower a limit of the process")
}
