//! What a build may try, and what must come of it.

use crate::world::{Maker, PATIENCE, World, block_on, config, wait_for_text, watch, with_maker};
use executor::{Executor, Exit, Image, Mount, MountKind, Sandbox, Users};
use libtest_mimic::Trial;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

/// A test of the sandbox, with its name.
type Attack = (&'static str, fn());

/// All attacks, for the user that the tests run as.
pub(crate) fn trials(name: &str, maker: &Maker) -> Vec<Trial> {
    let attacks: [Attack; 18] = [
        ("secrets_of_the_machine_are_not_there", secrets_of_the_machine_are_not_there),
        ("tools_of_the_machine_work", tools_of_the_machine_work),
        ("nothing_written_survives", nothing_written_survives),
        ("only_a_few_privileges_are_left", only_a_few_privileges_are_left),
        ("root_inside_is_nobody_outside", root_inside_is_nobody_outside),
        (
            "a_folder_that_cannot_be_shown_to_other_users_is_shown_to_the_host_s",
            a_folder_that_cannot_be_shown_to_other_users_is_shown_to_the_host_s,
        ),
        ("the_host_s_users_can_be_asked_for", the_host_s_users_can_be_asked_for),
        ("dangerous_calls_are_refused", dangerous_calls_are_refused),
        ("the_kernel_s_switches_are_out_of_reach", the_kernel_s_switches_are_out_of_reach),
        ("the_first_process_cannot_be_looked_into", the_first_process_cannot_be_looked_into),
        ("a_fork_bomb_hurts_itself_alone", a_fork_bomb_hurts_itself_alone),
        ("memory_over_the_limit_ends_the_eater", memory_over_the_limit_ends_the_eater),
        ("the_network_is_its_own", the_network_is_its_own),
        ("no_process_survives_destroy", no_process_survives_destroy),
        ("nothing_is_left_behind", nothing_is_left_behind),
        ("mounts_are_what_they_say", mounts_are_what_they_say),
        ("folders_in_memory_are_on_no_disk", folders_in_memory_are_on_no_disk),
        ("a_root_file_system_may_be_any_folder", a_root_file_system_may_be_any_folder),
    ];
    let trial = |(attack, check): Attack| {
        let maker = maker.clone();
        Trial::test(format!("{name}::{attack}"), move || {
            with_maker(maker, check);
            Ok(())
        })
    };
    attacks.map(trial).into_iter().collect()
}

fn secrets_of_the_machine_are_not_there() {
    let world = World::new();
    let neighbour = world.spec("wait");
    block_on(world.sandbox.launch(&neighbour)).expect("a neighbour");
    let state = world.folder.path().display();
    let said = block_on(world.shell(&format!(
        "cat /etc/shadow; ls -A /root /home; ls {state} /var/run/docker.sock /work /boot; \
         ls /var/lib; ps -e | wc -l; ls /dev; find / -xdev -name .ssh"
    )));
    block_on(world.sandbox.destroy(&neighbour.id)).expect("an end");
    for gone in ["/etc/shadow", &state.to_string(), "/var/run/docker.sock", "/work", "/boot"] {
        assert!(
            said.contains(&format!("{gone}': No such file"))
                || said.contains(&format!("{gone}: No such file")),
            "{gone} in {said}"
        );
    }
    // Runtimes may make `core`, a link to a file that shows nothing.
    let is_known = |line: &&str| !line.contains("No such file") && *line != "core";
    let shown: Vec<_> = said.lines().filter(is_known).collect();
    let expected = [
        "/home:",
        "codebuild-user",
        "",
        "/root:",
        "misc",
        "5",
        "fd",
        "full",
        "mqueue",
        "null",
        "ptmx",
        "pts",
        "random",
        "shm",
        "stderr",
        "stdin",
        "stdout",
        "tty",
        "urandom",
        "zero",
        "status 0",
    ];
    assert_eq!(shown, expected, "{said}");
}

fn tools_of_the_machine_work() {
    let world = World::new();
    let said = block_on(world.shell(
        "id -un; getent hosts localhost | wc -l; hostname; python3 -c 'print(6 * 7)'; \
         echo x | sed s/x/y/ > /tmp/f && cat /tmp/f; test -w /usr && echo writable; \
         java -version 2>&1 | grep -c Runtime",
    ));
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[0], "root", "{said}");
    assert!(lines[2].starts_with("test-"), "{said}");
    assert_eq!(lines[3..6], ["42", "y", "writable"], "{said}");
    if Path::new("/usr/bin/java").exists() {
        assert_eq!(lines[6], "1", "{said}");
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn nothing_written_survives() {
    let world = World::new();
    let marks =
        ["/marked", "/usr/marked", "/etc/marked", "/opt/marked", "/tmp/marked", "/root/marked"];
    let written = block_on(world.shell(&format!(
        "rm /usr/bin/env; for f in {0}; do echo mine > $f; done; cat {0} | wc -l",
        marks.join(" ")
    )));
    // To an ordinary user's containers the machine's folders belong to somebody else.
    let kept = if is_root() { "" } else { "rm: cannot remove '/usr/bin/env': Permission denied\n" };
    assert_eq!(written, format!("{kept}6\nstatus 0\n"));
    let found = block_on(
        world.shell(&format!("ls /usr/bin/env; cat {} 2>&1 | grep -c No", marks.join(" "))),
    );
    assert_eq!(found, "/usr/bin/env\n6\nstatus 0\n");
    assert!(Path::new("/usr/bin/env").exists());
    assert!(!marks.iter().any(|mark| Path::new(mark).exists()));
}

fn only_a_few_privileges_are_left() {
    let world = World::new();
    let said = block_on(world.shell("grep -E 'Cap|NoNew|Seccomp:|Groups' /proc/self/status; umask; ls /proc/self/fd; ulimit -c; ulimit -n"));
    let said = said.replace(['\t', ' '], "");
    let expected = "CapInh:0000000000000000\nCapPrm:00000000800405fb\nCapEff:00000000800405fb\n\
                    CapBnd:00000000800405fb\nCapAmb:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n\
                    0022\n0\n1\n2\n3\n0\n1024\nstatus0\n";
    let (groups, others): (Vec<&str>, Vec<&str>) =
        said.lines().partition(|l| l.starts_with("Groups"));
    assert!(matches!(groups[..], ["Groups:" | "Groups:0" | "Groups:65534"]), "{groups:?}");
    assert_eq!(others.join("\n") + "\n", expected);
}

fn root_inside_is_nobody_outside() {
    let world = World::new();
    let host = world.folder.path().join("host");
    fs::create_dir(&host).expect("a folder");
    let mut spec = world.spec(
        "sh touch /mnt/mine; touch /mnt/given; chown 1000:1000 /mnt/given; stat -c %u /mnt/* /usr /; \
         cat /proc/self/uid_map",
    );
    spec.mounts.push(Mount {
        host: host.clone(),
        container: "/mnt".into(),
        kind: MountKind::ReadWrite,
    });
    let (_, said) = block_on(world.run(&spec));
    let words: Vec<_> = said.split_whitespace().collect();
    let owner = |name: &str| fs::metadata(host.join(name)).expect("a file").uid();
    if is_root() {
        let (owners, map) = words.split_at(4);
        assert_eq!(owners, ["1000", "0", "0", "0"], "{said}");
        let first: u32 = map[1].parse().expect("a number");
        assert!(map[0] == "0" && first >= 0x7000_0000 && map[2] == "65536", "{said}");
        // What is shared is the same users' on both sides.
        assert_eq!((owner("mine"), owner("given")), (0, 1000));
    } else {
        let own = rustix::process::geteuid().as_raw();
        assert!(said.contains("Invalid argument"), "there is no second user: {said}");
        assert_eq!((owner("mine"), owner("given")), (own, own));
    }
}

fn a_folder_that_cannot_be_shown_to_other_users_is_shown_to_the_host_s() {
    let world = World::new();
    let mut spec =
        world.spec("sh cat /proc/self/uid_map; ls -d /data/mm; echo 1 > /data/mm/ksm/run");
    // The kernel's own files cannot be seen as somebody else's.
    let (host, container) = ("/sys/kernel".into(), "/data".into());
    spec.mounts.push(Mount { host, container, kind: MountKind::ReadOnly });
    let (_, said) = block_on(world.run(&spec));
    assert!(said.contains("/data/mm\n"), "{said}");
    assert!(said.contains("Read-only file system"), "{said}");
    if is_root() {
        assert_eq!(said.split_whitespace().take(3).collect::<Vec<_>>(), ["0", "0", "4294967295"]);
    }
}

fn the_host_s_users_can_be_asked_for() {
    let mut world = World::new();
    let folder = world.folder.path().join("other");
    fs::create_dir(&folder).expect("a folder");
    world.sandbox = Sandbox::with_users(config(&folder), Users::Host).expect("a sandbox");
    let said = block_on(world.shell("cat /proc/self/uid_map; rm /usr/bin/env; mknod /tmp/n c 1 3"));
    assert!(said.contains("Operation not permitted"), "{said}");
    if is_root() {
        assert_eq!(said.split_whitespace().take(3).collect::<Vec<_>>(), ["0", "0", "4294967295"]);
    }
    assert!(Path::new("/usr/bin/env").exists());
}

fn dangerous_calls_are_refused() {
    let world = World::new();
    let said = block_on(world.shell(
        "mount -t tmpfs none /mnt; umount /proc; unshare -U true; unshare -n true; hostname other; \
         date -s @0; mknod /tmp/disk b 254 0; mknod /dev/kmsg c 1 11; chroot / true && echo chroot; \
         dmesg; nsenter -t 1 -m true; ip link add dummy0 type dummy; \
         python3 -c 'import socket; socket.socket(40, 1)'",
    ));
    assert!(said.contains("chroot\n"), "{said}");
    let refusals = said.lines().filter(|line| {
        let line = line.to_lowercase();
        [
            "not permitted",
            "permission denied",
            "must be superuser",
            "must be root",
            "cannot set date",
            "not found",
        ]
        .iter()
        .any(|no| line.contains(no))
    });
    assert!(refusals.count() >= 12, "{said}");
    assert!(said.ends_with("status 1\n"), "{said}");
}

fn the_kernel_s_switches_are_out_of_reach() {
    let world = World::new();
    let said = block_on(world.shell(
        "for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/vm/drop_caches \
         /proc/irq/default_smp_affinity /sys/kernel/mm/ksm/run /sys/fs/cgroup/pids/pids.max \
         /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max; do \
         test -e $f && echo 1 > $f && echo WROTE $f; done; \
         head -c 1 /proc/kcore; cat /proc/keys /proc/timer_list; ls /sys/firmware; echo end",
    ));
    assert!(!said.contains("WROTE"), "{said}");
    assert!(said.ends_with("end\nstatus 0\n"), "{said}");
    let unrefused = said.lines().filter(|l| {
        !l.contains("Read-only")
            && !l.contains("denied")
            && !l.contains("No such file")
            && !l.contains("annot create")
    });
    assert_eq!(unrefused.collect::<Vec<_>>(), ["end", "status 0"], "{said}");
}

fn the_first_process_cannot_be_looked_into() {
    let world = World::new();
    let said = block_on(world.shell(
        "cat /proc/1/environ; head -c 1 /proc/1/mem; ls /proc/1/cwd/; ls /proc/1/root/etc; \
         kill -9 1; echo forged >> /proc/1/fd/4; echo alive",
    ));
    assert!(!said.contains("forged\n"), "{said}");
    assert!(said.ends_with("alive\nstatus 0\n"), "{said}");
    assert_eq!(said.matches("denied").count(), 5, "{said}");
}

fn a_fork_bomb_hurts_itself_alone() {
    let world = World::new();
    let mut spec = world
        .spec("start while :; do sleep 1000 & done\nstart while :; do (sleep 1000 &) ; done\nwait");
    spec.limits.processes_max = 64;
    block_on(async {
        world.sandbox.launch(&spec).await.expect("a container");
        let neighbour = world.shell("sleep 0.3; echo unharmed").await;
        assert_eq!(neighbour, "unharmed\nstatus 0\n");
        let destroyed = tokio::time::timeout(PATIENCE, world.sandbox.destroy(&spec.id)).await;
        destroyed.expect("in time").expect("an end");
    });
}

fn memory_over_the_limit_ends_the_eater() {
    let world = World::new();
    let mut first = world.spec("eat 300");
    first.limits.memory_bytes = 100 << 20;
    let mut child = world.spec("sh head -c 300M /dev/zero | tail | wc -c\nwait");
    child.limits.memory_bytes = 100 << 20;
    block_on(async {
        let (exit, journal) = world.run(&first).await;
        assert!(!journal.contains("ate"), "{journal}");
        world.sandbox.launch(&child).await.expect("a container");
        wait_for_text(&child.journal, "status").await;
        if world.sandbox.keeps_limits() {
            assert_eq!(exit, Exit::OutOfMemory);
            assert_eq!(world.sandbox.memory_kills(&child.id), 1);
        } else {
            assert!(matches!(exit, Exit::Killed { .. }), "{exit:?}");
        }
        world.sandbox.destroy(&child.id).await.expect("an end");
        assert_eq!(world.sandbox.memory_kills(&child.id), 0);
    });
}

fn the_network_is_its_own() {
    let world = World::new();
    let host = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = host.local_addr().expect("an address").port();
    let said = block_on(world.shell(&format!(
        "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}), 2)' 2>&1 | tail -1; \
         grep -c : /proc/net/dev; python3 -c 'import socket; socket.create_connection((\"169.254.169.254\", 80), 2)' 2>&1 | tail -1"
    )));
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].contains("refused"), "{said}");
    assert!(lines[2].contains("unreachable"), "{said}");
}

/// Processes of the host whose command line holds the text.
fn processes_with(text: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("processes").flatten();
    entries
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(text))
        .collect()
}

fn no_process_survives_destroy() {
    let world = World::new();
    let mark = format!("4{}", std::process::id());
    let spec = world.spec(&format!(
        "start nohup setsid sleep {mark} &\nstart (trap '' TERM HUP INT; exec sleep {mark}) &\n\
         start setsid sh -c 'setsid sleep {mark} & setsid sleep {mark} & wait'\n\
         sh until [ $(pgrep -fc '^sleep {mark}') = 4 ]; do sleep 0.01; done\nwait"
    ));
    block_on(async {
        world.sandbox.launch(&spec).await.expect("a container");
        wait_for_text(&spec.journal, "status 0").await;
        let sleepers = format!("sleep {mark}");
        assert!(processes_with(&sleepers).len() >= 4);
        let started = std::time::Instant::now();
        world.sandbox.destroy(&spec.id).await.expect("an end");
        assert!(started.elapsed().as_secs() < 5);
        assert_eq!(processes_with(&sleepers), [""; 0]);
    });
}

fn nothing_is_left_behind() {
    let world = World::new();
    let state = world.folder.path().join("state");
    // Tests that run beside this one mount in temporary folders of their own.
    let (own, others) = (world.folder.path(), std::env::temp_dir());
    let mounts = || -> Vec<String> {
        let text = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
        let place = |line: &str| PathBuf::from(line.split(' ').nth(4).expect("a place"));
        let counts = |place: &Path| place.starts_with(own) || !place.starts_with(&others);
        text.lines().filter(|line| counts(&place(line))).map(str::to_owned).collect()
    };
    let before = mounts();
    let spec = world.spec(
        "sh mkdir -p /tmp/closed/inner; touch /tmp/closed/inner/file; chmod 0 /tmp/closed/inner /tmp/closed; \
         chown 1234:1234 /tmp/closed; cd /tmp; python3 -c 'import os; [(os.mkdir(\"d\"), os.chdir(\"d\")) for _ in range(9000)]'; \
         mkfifo /tmp/pipe; ln /tmp/pipe /tmp/link; chmod 4755 /usr/bin/env; rm -rf /usr/share/doc; echo done",
    );
    let (exit, journal) = block_on(world.run(&spec));
    assert!(journal.contains("done"), "{journal}");
    assert_eq!(exit, Exit::Exited { code: Some(0) });
    assert_eq!(mounts(), before);
    let left = |folder| -> Vec<PathBuf> {
        let entries = fs::read_dir(state.join(folder)).expect("a folder");
        entries.flatten().map(|e| e.path()).collect()
    };
    assert_eq!(left("containers"), Vec::<PathBuf>::new());
    // What was written is deleted while nobody waits for it, and at the latest with the sandbox.
    drop(world.sandbox);
    assert_eq!(left("trash"), Vec::<PathBuf>::new());
    let groups =
        Command::new("find").args(["/sys/fs/cgroup", "-name", &format!("{}.*", spec.id)]).output();
    assert_eq!(String::from_utf8_lossy(&groups.expect("find runs").stdout), "");
}

fn mounts_are_what_they_say() {
    let world = World::new();
    let mut spec = world.spec(
        "sh for m in ro cow rw; do cat /data/$m/file; echo new > /data/$m/file; echo more > /data/$m/more; done; \
         cat /data/*/file /data/*/more",
    );
    for (name, kind) in
        [("ro", MountKind::ReadOnly), ("cow", MountKind::CopyOnWrite), ("rw", MountKind::ReadWrite)]
    {
        let host = world.folder.path().join(format!("host:{name}, \\odd"));
        fs::create_dir(&host).expect("a folder");
        fs::set_permissions(&host, fs::Permissions::from_mode(0o755)).expect("a mode");
        fs::write(host.join("file"), format!("{name}\n")).expect("a file");
        spec.mounts.push(Mount { host, container: format!("/data/{name}").into(), kind });
    }
    let (_, said) = block_on(world.run(&spec));
    assert!(said.starts_with("ro\ncow\nrw\nnew\nro\nnew\nmore\nmore\n"), "{said}");
    assert_eq!(said.matches("Read-only file system").count(), 2, "{said}");
    let file =
        |mount: usize, name: &str| fs::read_to_string(spec.mounts[mount].host.join(name)).ok();
    assert_eq!(
        [file(0, "file"), file(1, "file"), file(2, "file")].map(Option::unwrap),
        ["ro\n", "cow\n", "new\n"]
    );
    assert_eq!(
        [file(0, "more"), file(1, "more"), file(2, "more")],
        [None, None, Some("more\n".into())]
    );
}

fn folders_in_memory_are_on_no_disk() {
    let world = World::new();
    let mut spec = world.spec(
        "sh cd /made/for/it && ls -A && echo kept > file && cat file; stat -c %a .; stat -f -c %T .",
    );
    spec.folders_in_memory.push("/made/for/it".into());
    let (_, said) = block_on(world.run(&spec));
    assert_eq!(said, "kept\n755\ntmpfs\nstatus 0\n");
}

fn a_root_file_system_may_be_any_folder() {
    let world = World::new();
    let root = world.folder.path().join("root");
    // Links that would lead out, and none of the folders that a system has.
    fs::create_dir_all(root.join("elsewhere")).expect("a folder");
    for (target, link) in
        [("/elsewhere", "etc"), ("../../../../../..", "up"), ("/etc/passwd", "dev")]
    {
        std::os::unix::fs::symlink(target, root.join(link)).expect("a link");
    }
    let mut spec = world.spec("say hello\nexit 7");
    spec.image = Image::Rootfs(root.clone());
    let refused = block_on(world.sandbox.launch(&spec));
    assert!(refused.is_err(), "a /dev that leads to a file");
    fs::remove_file(root.join("dev")).expect("a link");
    let (exit, said) = block_on(world.run(&spec));
    assert_eq!((exit, said.as_str()), (Exit::Exited { code: Some(7) }, "hello\n"));
    let mut left: Vec<_> =
        fs::read_dir(&root).expect("a folder").flatten().map(|e| e.file_name()).collect();
    left.sort();
    assert_eq!(left, ["elsewhere", "etc", "up"], "nothing was written to the image");
    spec.image = Image::Rootfs(root.join("missing"));
    let refused = block_on(world.sandbox.launch(&spec)).expect_err("no such image");
    assert!(matches!(refused, executor::LaunchError::Image(_)), "{refused:?}");
    assert_eq!(block_on(watch(&world.sandbox, &spec.id).into_future()), Exit::NeverStarted);
}
