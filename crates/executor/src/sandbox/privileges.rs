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

/// The names of the capabilities that are kept, as runtimes and engines want them.
pub(crate) fn kept() -> Vec<String> {
    KEPT.iter_names().map(|(name, _)| format!("CAP_{name}")).collect()
}

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
    for ProcessLimit { resource, value, .. } in process_limits(limits, grouped) {
        let limit = Rlimit { current: Some(value), maximum: Some(value) };
        setrlimit(resource, limit).doing("lower a limit of the process")?;
    }
    Ok(())
}

/// A limit of each process.
pub(super) struct ProcessLimit {
    resource: Resource,
    /// Its name in the words of OCI runtimes.
    pub name: &'static str,
    /// What it is to be, which is not above what it is.
    pub value: u64,
}

/// The limits of each process; see [`lower_limits`].
pub(super) fn process_limits(limits: &Limits, grouped: bool) -> Vec<ProcessLimit> {
    let limit = |resource, name, value: u64| {
        let value = getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
        ProcessLimit { resource, name, value }
    };
    let mut all = vec![
        limit(Resource::Nofile, "RLIMIT_NOFILE", limits.open_files_max),
        limit(Resource::Core, "RLIMIT_CORE", 0),
    ];
    if !grouped {
        all.push(limit(Resource::Nproc, "RLIMIT_NPROC", limits.processes_max.into()));
        all.push(limit(Resource::Data, "RLIMIT_DATA", limits.memory_bytes));
    }
    all
}
