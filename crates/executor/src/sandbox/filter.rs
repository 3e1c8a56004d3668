//! The filter of system calls: what no build needs and what the kernel's attack surface is made of.
//!
//! It denies by name, as container engines do by default, and lets the rest through. A denied call
//! fails as it would without the privilege; `clone3`, whose flags a filter cannot see, is answered as
//! if the kernel had none, so that callers take `clone`.

use super::syscall;
use crate::{Fault, Privileges};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Is, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, sock_filter,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, env::consts::ARCH};

/// System calls that are denied whatever their arguments are, and whoever calls: by their names,
/// which runtimes want.
const DENIED: &[(&str, i64)] = &[
    // Kernel code and its replacement.
    ("init_module", libc::SYS_init_module),
    ("finit_module", libc::SYS_finit_module),
    ("delete_module", libc::SYS_delete_module),
    ("kexec_load", libc::SYS_kexec_load),
    ("kexec_file_load", libc::SYS_kexec_file_load),
    ("reboot", libc::SYS_reboot),
    ("bpf", libc::SYS_bpf),
    // Files by a way around their folders, and other users' quotas.
    ("open_by_handle_at", libc::SYS_open_by_handle_at),
    ("quotactl", libc::SYS_quotactl),
    ("quotactl_fd", libc::SYS_quotactl_fd),
    ("fanotify_init", libc::SYS_fanotify_init),
    // The machine's clock, swap and accounting.
    ("settimeofday", libc::SYS_settimeofday),
    ("clock_settime", libc::SYS_clock_settime),
    ("clock_adjtime", libc::SYS_clock_adjtime),
    ("swapon", libc::SYS_swapon),
    ("swapoff", libc::SYS_swapoff),
    ("acct", libc::SYS_acct),
    // Large and often broken, or a look into the kernel or other processes.
    ("io_uring_setup", libc::SYS_io_uring_setup),
    ("io_uring_enter", libc::SYS_io_uring_enter),
    ("io_uring_register", libc::SYS_io_uring_register),
    ("userfaultfd", libc::SYS_userfaultfd),
    ("perf_event_open", libc::SYS_perf_event_open),
    ("kcmp", libc::SYS_kcmp),
    ("syslog", libc::SYS_syslog),
    ("lookup_dcookie", libc::SYS_lookup_dcookie),
    ("vhangup", libc::SYS_vhangup),
    // Where other programs' memory lies.
    ("move_pages", libc::SYS_move_pages),
    ("migrate_pages", libc::SYS_migrate_pages),
    ("mbind", libc::SYS_mbind),
    ("set_mempolicy", libc::SYS_set_mempolicy),
    ("nfsservctl", libc::SYS_nfsservctl),
];

/// System calls that are denied to whoever has few privileges.
const DENIED_TO_FEW: &[(&str, i64)] = &[
    // Mounts and namespaces.
    ("mount", libc::SYS_mount),
    ("umount2", libc::SYS_umount2),
    ("pivot_root", libc::SYS_pivot_root),
    ("open_tree", libc::SYS_open_tree),
    ("move_mount", libc::SYS_move_mount),
    ("fsopen", libc::SYS_fsopen),
    ("fsconfig", libc::SYS_fsconfig),
    ("fsmount", libc::SYS_fsmount),
    ("fspick", libc::SYS_fspick),
    ("mount_setattr", libc::SYS_mount_setattr),
    ("setns", libc::SYS_setns),
    ("unshare", libc::SYS_unshare),
    ("sethostname", libc::SYS_sethostname),
    ("setdomainname", libc::SYS_setdomainname),
    // Keys, which are kept apart by user namespaces alone.
    ("add_key", libc::SYS_add_key),
    ("request_key", libc::SYS_request_key),
    ("keyctl", libc::SYS_keyctl),
];

/// More of them, which only this architecture has.
#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[(&str, i64)] = &[
    ("ioperm", libc::SYS_ioperm),
    ("iopl", libc::SYS_iopl),
    ("uselib", libc::SYS_uselib),
    ("ustat", libc::SYS_ustat),
    ("sysfs", libc::SYS_sysfs),
    ("_sysctl", libc::SYS__sysctl),
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: &[(&str, i64)] = &[];

/// The flags of `clone` that make a namespace.
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWCGROUP,
];
/// The personalities that programs ask for: plain Linux, 32 bits, their variants, and the question.
const PERSONALITIES: [u64; 5] = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];
/// Requests to a terminal that put characters into another's input.
const TERMINAL_INJECTIONS: [u64; 2] = [libc::TIOCSTI, libc::TIOCLINUX];

/// Applies the filter to this process and all that come from it, for good.
pub(super) fn apply(privileges: Privileges) -> Result<(), Fault> {
    let program = compile(privileges).map_err(|error| fault(&error))?;
    match privileges {
        Privileges::Few => seccompiler::apply_filter(&program).map_err(|error| fault(&error)),
        // The function above would forbid programs that change users.
        Privileges::Own => syscall::filter(&program).map_err(|error| fault(&error)),
    }
}

/// The same filter in the words of OCI runtimes, which have none for what may be asked of
/// `personality`, and refuse the second ABI by themselves.
pub(super) fn for_runtimes() -> Value {
    let refuse = |names: &[&str], errno: i32| {
        json!({
            "names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno,
        })
    };
    let refuse_when = |name: &str, index: u8, value: u64, operator: &str| {
        json!({
            "names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::EPERM,
            "args": [{"index": index, "value": value, "valueTwo": value, "op": operator}],
        })
    };
    let denied = DENIED.iter().chain(DENIED_TO_FEW).chain(DENIED_HERE);
    let names: Vec<_> = denied.map(|(name, _)| *name).collect();
    let namespaces = NAMESPACES.map(|flag| u64::from(flag.cast_unsigned()));
    let vsock = u64::from(libc::AF_VSOCK.cast_unsigned());
    let rules = [refuse(&names, libc::EPERM), refuse(&["clone3"], libc::ENOSYS)]
        .into_iter()
        .chain(namespaces.map(|flag| refuse_when("clone", 0, flag, "SCMP_CMP_MASKED_EQ")))
        .chain(TERMINAL_INJECTIONS.map(|call| refuse_when("ioctl", 1, call, "SCMP_CMP_EQ")))
        .chain([refuse_when("socket", 0, vsock, "SCMP_CMP_EQ")]);
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules.collect::<Vec<_>>()})
}

fn fault(error: &dyn std::error::Error) -> Fault {
    Fault::because("filter system calls", error.to_string())
}

fn compile(privileges: Privileges) -> Result<BpfProgram, seccompiler::BackendError> {
    let (namespaces, more) = match privileges {
        Privileges::Few => (&NAMESPACES[..], DENIED_TO_FEW),
        Privileges::Own => (&[][..], &[][..]),
    };
    let denied = DENIED.iter().chain(DENIED_HERE).chain(more);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        denied.map(|(_, call)| (*call, Vec::new())).collect();
    let mut when = |call, conditions| -> Result<(), seccompiler::BackendError> {
        rules.entry(call).or_default().push(SeccompRule::new(conditions)?);
        Ok(())
    };
    for flag in namespaces.iter().map(|flag| u64::from(flag.cast_unsigned())) {
        when(libc::SYS_clone, vec![condition(0, Is::MaskedEq(flag), flag)?])?;
    }
    let strange = PERSONALITIES.map(|known| condition(0, Is::Ne, known));
    when(libc::SYS_personality, strange.into_iter().collect::<Result<_, _>>()?)?;
    for request in TERMINAL_INJECTIONS {
        when(libc::SYS_ioctl, vec![condition(1, Is::Eq, request)?])?;
    }
    // A virtual machine's own line to its host.
    let vsock = u64::from(libc::AF_VSOCK.cast_unsigned());
    when(libc::SYS_socket, vec![condition(0, Is::Eq, vsock)?])?;

    let denied = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let architecture = TargetArch::try_from(ARCH)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, architecture)?;
    let mut program = unknown_calls(privileges);
    program.extend(BpfProgram::try_from(filter)?);
    Ok(program)
}

fn condition(
    argument: u8,
    is: Is,
    value: u64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, Length::Dword, is, value)
}

/// The head of the program: calls that are answered as unknown to the kernel.
///
/// Those are every number of x86's second ABI, by which a call would have another number than the one
/// denied, and `clone3` where namespaces are denied.
fn unknown_calls(privileges: Privileges) -> BpfProgram {
    let step = |code: u32, jt, jf, k| sock_filter {
        code: u16::try_from(code).expect("instructions have 16 bits"),
        jt,
        jf,
        k,
    };
    let (number_offset, second_abi) = (0, 0x4000_0000);
    let clone3 = match privileges {
        Privileges::Few => u32::try_from(libc::SYS_clone3).expect("numbers of calls are small"),
        // No call's number.
        Privileges::Own => u32::MAX,
    };
    let unknown = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
    vec![
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, number_offset),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 1, 0, second_abi),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, clone3),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, unknown),
    ]
}
