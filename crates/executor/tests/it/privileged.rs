//! Containers whose root may do what concerns them alone, and nothing more.

use crate::world::{World, block_on};
use executor::{Executor, Mount, MountKind, Privileges, Sandbox, Users};
use libtest_mimic::Trial;
use std::fs;

/// The tests of this file, for the user that the tests run as.
pub(crate) fn trials(name: &str) -> Vec<Trial> {
    let tests: [(&'static str, fn()); 5] = [
        ("what_is_its_own_may_be_changed", what_is_its_own_may_be_changed),
        ("what_is_the_machine_s_may_not", what_is_the_machine_s_may_not),
        ("the_agent_is_still_out_of_reach", the_agent_is_still_out_of_reach),
        ("what_is_only_to_be_read_stays_as_it_is", what_is_only_to_be_read_stays_as_it_is),
        (
            "without_users_apart_there_are_no_privileges",
            without_users_apart_there_are_no_privileges,
        ),
    ];
    let trial = |(test, check): (&'static str, fn())| {
        Trial::test(format!("{name}::{test}"), move || {
            check();
            Ok(())
        })
    };
    tests.map(trial).into_iter().collect()
}

fn shell(world: &World, commands: &str) -> String {
    let mut spec = world.spec(&format!("sh exec 2>&1; {commands}"));
    spec.privileges = Privileges::Own;
    block_on(world.run(&spec)).1
}

fn what_is_its_own_may_be_changed() {
    let world = World::new();
    let said = shell(
        &world,
        "mount -t tmpfs none /mnt && echo mounted; unshare -m -p -f -n --mount-proc true && echo unshared; \
         mkdir -p /tmp/l /var/lib/docker/u /var/lib/docker/w /tmp/m; echo low > /tmp/l/f; \
         mount -t overlay -o lowerdir=/tmp/l,upperdir=/var/lib/docker/u,workdir=/var/lib/docker/w,userxattr none /tmp/m \
         && echo overlaid; \
         ip link add one type veth peer name two && ip link set lo mtu 1400 && echo linked; \
         hostname other && hostname; echo 1 > /proc/sys/net/ipv4/ip_forward && echo forwards",
    );
    assert_eq!(said, "mounted\nunshared\noverlaid\nlinked\nother\nforwards\nstatus 0\n");
}

fn what_is_the_machine_s_may_not() {
    let world = World::new();
    let said = shell(
        &world,
        "cp /bin/true /tmp/t; for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/vm/drop_caches \
         /sys/kernel/mm/ksm/run /sys/power/state /proc/sys/kernel/modprobe /proc/sys/kernel/sysrq; do \
         (echo 1 > $f) 2>/dev/null && echo WROTE $f; done; \
         head -c 1 /proc/kcore && echo READ; dmesg && echo READ; date -s @0 && echo SET; \
         mknod /tmp/disk b 254 0 && echo MADE; mount -t ext4 /dev/vda /mnt && echo MOUNTED; \
         swapoff -a; mount -t devtmpfs none /mnt && echo MOUNTED; mount -t debugfs none /mnt && echo MOUNTED; \
         nsenter -t 1 -m true && echo ENTERED; ls /dev/vda /dev/mem /dev/kmsg; \
         grep -E '^(0|NoNewPrivs|Seccomp)' /proc/self/uid_map /proc/self/status; echo end",
    );
    for done in ["WROTE", "READ", "SET", "MADE", "MOUNTED", "ENTERED"] {
        assert!(!said.contains(done), "{said}");
    }
    assert!(said.contains("Seccomp:\t2"), "{said}");
    assert!(said.ends_with("end\nstatus 0\n"), "{said}");
}

fn the_agent_is_still_out_of_reach() {
    let world = World::new();
    let said = shell(
        &world,
        "head -c 1 /proc/1/mem; ls /proc/1/root/; readlink /proc/1/ns/mnt; echo forged >> /proc/1/fd/4; \
         python3 -c 'import os, ctypes; l = ctypes.CDLL(None, use_errno=True); f = os.pidfd_open(1); \
         print(l.pidfd_getfd(f, 4, 0), l.ptrace(16, 1, 0, 0))'; \
         unshare -U -r sh -c 'head -c 1 /proc/1/mem; echo forged >> /proc/1/fd/4'; echo end",
    );
    assert!(!said.contains("forged\n"), "{said}");
    assert!(said.contains("-1 -1\n"), "{said}");
    assert_eq!(said.to_lowercase().matches("denied").count(), 5, "{said}");
    assert!(said.ends_with("end\nstatus 0\n"), "{said}");
}

/// Whoever may mount could make a read-only mount writable: there is none of the machine's.
fn what_is_only_to_be_read_stays_as_it_is() {
    let world = World::new();
    let host = world.folder.path().join("host");
    fs::create_dir(&host).expect("a folder");
    fs::write(host.join("file"), "mine").expect("a file");
    let mut spec = world.spec(
        "sh exec 2>&1; for m in $(cut -d' ' -f5 /proc/self/mountinfo | sort -r); do \
         mount -o remount,bind,rw,suid,dev $m 2>/dev/null; done; \
         echo yours > /data/file; cat /data/file; rm -rf /data/* /usr/share/doc; umount -l /data /usr; \
         ls /data; echo over > /data/file; echo end",
    );
    spec.privileges = Privileges::Own;
    let (container, kind) = ("/data".into(), MountKind::ReadOnly);
    spec.mounts.push(Mount { host: host.clone(), container, kind });
    let said = block_on(world.run(&spec)).1;
    assert!(said.starts_with("yours\n"), "{said}");
    assert_eq!(fs::read_to_string(host.join("file")).expect("the file"), "mine");
    assert_eq!(fs::read_dir(&host).expect("the folder").count(), 1);
    assert!(std::path::Path::new("/usr/bin/env").exists());
}

fn without_users_apart_there_are_no_privileges() {
    let mut world = World::new();
    let folder = world.folder.path().join("other");
    fs::create_dir(&folder).expect("a folder");
    let config = crate::world::config(&folder);
    world.sandbox = Sandbox::with_users(config, Users::Host).expect("a sandbox");
    let mut spec = world.spec("say hello");
    spec.privileges = Privileges::Own;
    let launched = block_on(world.sandbox.launch(&spec));
    if rustix::process::geteuid().is_root() {
        let refused = format!("{:?}", launched.expect_err("refused"));
        assert!(refused.contains("its users would be the machine's own"), "{refused}");
    } else {
        launched.expect("a user's containers are apart");
    }
    block_on(world.sandbox.destroy(&spec.id)).expect("an end");
}
