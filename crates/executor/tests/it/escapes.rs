//! Ways out of a container, tried by a program inside it (`fixtures/escapes.py`), and what must come
//! of each attempt.

use crate::world::{PATIENCE, World, block_on, wait_for_text};
use executor::{ContainerSpec, Executor, Image, Mount, MountKind};
use libtest_mimic::Trial;
use std::{
    fs,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    path::PathBuf,
    time::Instant,
};

/// The program that tries.
const PROGRAM: &str = include_str!("../fixtures/escapes.py");

/// All escapes, for the user that the tests run as.
pub(crate) fn trials(name: &str) -> Vec<Trial> {
    let escapes: [(&'static str, fn()); 17] = [
        ("the_kernel_takes_no_code", the_kernel_takes_no_code),
        ("the_clock_is_the_machine_s", the_clock_is_the_machine_s),
        ("nothing_is_mounted", nothing_is_mounted),
        ("no_namespace_is_made_or_entered", no_namespace_is_made_or_entered),
        ("no_device_is_made_or_found", no_device_is_made_or_found),
        ("the_agent_is_out_of_reach", the_agent_is_out_of_reach),
        ("the_agent_s_program_cannot_be_changed", the_agent_s_program_cannot_be_changed),
        ("links_in_an_image_move_nothing", links_in_an_image_move_nothing),
        ("nothing_is_inherited", nothing_is_inherited),
        ("no_file_of_the_kernel_s_is_written", no_file_of_the_kernel_s_is_written),
        ("control_groups_are_only_seen", control_groups_are_only_seen),
        ("there_are_no_keyrings", there_are_no_keyrings),
        ("no_terminal_is_typed_into", no_terminal_is_typed_into),
        ("sockets_of_the_machine_are_not_there", sockets_of_the_machine_are_not_there),
        ("files_have_no_numbers", files_have_no_numbers),
        ("watchers_are_left_for_the_machine", watchers_are_left_for_the_machine),
        ("processes_that_hold_on_end", processes_that_hold_on_end),
    ];
    let trial = |(escape, check): (&'static str, fn())| {
        Trial::test(format!("{name}::{escape}"), move || {
            check();
            Ok(())
        })
    };
    escapes.map(trial).into_iter().collect()
}

/// A container in which the program tries one kind of escape; `more` are orders that follow.
fn attempt(world: &World, kind: &str, more: &str) -> ContainerSpec {
    let folder = world.folder.path().join("escapes");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("escapes.py"), PROGRAM).expect("a program");
    let mut spec = world.spec(&format!("sh exec 2>&1; python3 /mnt/escapes.py {kind}\n{more}"));
    let (container, kind) = ("/mnt".into(), MountKind::ReadOnly);
    spec.mounts.push(Mount { host: folder, container, kind });
    spec
}

/// The same for a kind that does not come to an end by itself; `status` is said once it has begun.
fn attempt_in_the_background(world: &World, kind: &str) -> ContainerSpec {
    let mut spec = attempt(world, "", "");
    let orders = format!(
        "start python3 /mnt/escapes.py {kind}\nsh until [ -e /tmp/begun ]; do sleep 0.01; done\nwait"
    );
    spec.orders = orders.into_bytes();
    spec
}

/// Waits until it has begun, as a task: what is attempted must end even when this fails.
async fn wait_for_status(journal: PathBuf) {
    wait_for_text(&journal, "status").await;
}

/// What came of one kind of escape.
fn tried(kind: &str) -> String {
    let world = World::new();
    let (_, said) = block_on(world.run(&attempt(&world, kind, "")));
    let ended = said.strip_suffix("status 0\n");
    ended.unwrap_or_else(|| panic!("the attempts did not end: {said}")).to_owned()
}

/// Each line of what was tried has to end with one of these.
fn refused(kind: &str, words: &[&str]) -> String {
    let said = tried(kind);
    let is_refused = |line: &str| words.iter().any(|word| line.ends_with(&format!(": {word}")));
    let others: Vec<_> = said.lines().filter(|line| !is_refused(line)).collect();
    assert_eq!(others, [""; 0], "{said}");
    said
}

fn the_kernel_takes_no_code() {
    let said = refused("modules", &["EPERM"]);
    assert_eq!(said.lines().count(), 9, "{said}");
}

fn the_clock_is_the_machine_s() {
    let said = refused("clock", &["EPERM"]);
    assert_eq!(said.lines().count(), 3, "{said}");
}

fn nothing_is_mounted() {
    let said = refused("mounts", &["EPERM"]);
    assert_eq!(said.lines().count(), 10, "{said}");
}

fn no_namespace_is_made_or_entered() {
    let said = refused("namespaces", &["EPERM", "ENOSYS"]);
    assert_eq!(said.lines().count(), 17, "{said}");
    // As if the kernel had no such call, so that programs take the one that can be looked into.
    let unknown: Vec<_> = said.lines().filter(|line| line.ends_with("ENOSYS")).collect();
    assert_eq!(unknown, ["clone3: ENOSYS"]);
}

fn no_device_is_made_or_found() {
    let said = refused("devices", &["EPERM", "ENOENT"]);
    assert_eq!(said.matches("EPERM").count(), 12, "{said}");
    assert_eq!(said.matches("ENOENT").count(), 10, "{said}");
}

fn the_agent_is_out_of_reach() {
    let said = tried("first_process");
    let (attempts, last) = said.trim_end().rsplit_once('\n').expect("lines");
    assert_eq!(last, "it lives", "{said}");
    let got: Vec<_> = attempts
        .lines()
        .filter(|line| !line.ends_with(": EPERM") && !line.ends_with(": EACCES"))
        .collect();
    assert_eq!(got, [""; 0], "{said}");
    assert_eq!(attempts.lines().count(), 18, "{said}");
}

fn nothing_is_inherited() {
    assert_eq!(tried("inherited"), "folder: /\nroot: /\nsession: True\n");
}

fn no_file_of_the_kernel_s_is_written() {
    let said = tried("switches");
    assert!(said.contains("many\n") && !said.contains("DONE"), "{said}");
    // A process may ask to be told when it waits too long; its list of mounts takes no writing.
    let harmless = |path: &str| path == "/proc/mounts" || path.starts_with("/proc/pressure/");
    let opened: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("opened ")).collect();
    assert!(opened.iter().all(|path| harmless(path)), "{said}");
    for pattern in [
        "/proc/sys/kernel/core_pattern",
        "/proc/self/../sys/kernel/core_pattern",
        "/proc/self/root/proc/sys/kernel/core_pattern",
        "/proc/thread-self/root/proc/sys/kernel/core_pattern",
        "/tmp/pattern",
    ] {
        let refused = [format!("{pattern}: EROFS\n"), format!("{pattern}: EACCES\n")];
        assert!(refused.iter().any(|line| said.contains(line)), "{pattern}: {said}");
    }
}

fn control_groups_are_only_seen() {
    let said = tried("control_groups");
    let others: Vec<_> = said
        .lines()
        .filter(|line| !line.ends_with(": EROFS") && !line.ends_with(": EACCES"))
        .collect();
    assert!(others.iter().all(|line| *line == "group /"), "{said}");
}

fn there_are_no_keyrings() {
    let said = refused("keys", &["EPERM", "EMPTY"]);
    assert_eq!(said.matches("EPERM").count(), 3, "{said}");
}

fn no_terminal_is_typed_into() {
    let said = refused("terminals", &["EPERM", "ENXIO"]);
    assert_eq!(said.matches("EPERM").count(), 3, "{said}");
}

fn sockets_of_the_machine_are_not_there() {
    let world = World::new();
    let path = world.folder.path().join("socket");
    let _with_a_path = UnixListener::bind(&path).expect("a socket");
    let name = format!("buildyard-escape-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("an address");
    let _without = UnixListener::bind_addr(&address).expect("a socket");
    let kind = format!("sockets {} {name} /run/systemd/private", path.display());
    let (_, said) = block_on(world.run(&attempt(&world, &kind, "")));
    assert_eq!(
        said,
        "path: ENOENT\nabstract: ECONNREFUSED\npath: ENOENT\nothers: []\n\
         packets: EPERM\nraw: EPERM\nvsock: EPERM\nstatus 0\n"
    );
}

fn files_have_no_numbers() {
    let said = tried("handles");
    assert!(said.contains("open_by_handle_at: EPERM\n"), "{said}");
}

/// One user of a machine has few watchers of files, and all containers are made by one.
fn watchers_are_left_for_the_machine() {
    let world = World::new();
    let spec = attempt_in_the_background(&world, "watches");
    block_on(async {
        world.sandbox.launch(&spec).await.expect("a container");
        let begun = tokio::spawn(wait_for_status(spec.journal.clone())).await;
        let ours = rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::CLOEXEC);
        world.sandbox.destroy(&spec.id).await.expect("an end");
        begun.expect("it began");
        ours.expect("a watcher is left");
    });
}

fn processes_that_hold_on_end() {
    let world = World::new();
    let spec = attempt_in_the_background(&world, "sticky");
    block_on(async {
        world.sandbox.launch(&spec).await.expect("a container");
        let begun = tokio::spawn(wait_for_status(spec.journal.clone())).await;
        let started = Instant::now();
        let destroyed = tokio::time::timeout(PATIENCE, world.sandbox.destroy(&spec.id)).await;
        begun.expect("it began");
        destroyed.expect("in time").expect("an end");
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    });
}

/// All containers run the same sealed file. The agent's own view of it is the best that anybody has.
fn the_agent_s_program_cannot_be_changed() {
    let world = World::new();
    let (_, said) = block_on(world.run(&world.spec("deface\nsay as before")));
    let refused = |line: &str| ["26", "13", "1"].iter().any(|code| line.ends_with(code));
    let (last, attempts) = said.trim_end().rsplit_once('\n').map(|(a, l)| (l, a)).expect("lines");
    assert_eq!(last, "as before");
    assert!(attempts.lines().count() == 3 && attempts.lines().all(refused), "{said}");
    let (_, said) = block_on(world.run(&world.spec("say unharmed")));
    assert_eq!(said, "unharmed\n");
}

/// Links where the sandbox mounts and hides: it follows none of them out, and starts nothing else.
fn links_in_an_image_move_nothing() {
    for (link, target) in [
        ("proc", "/tmp"),
        ("proc", "../../.."),
        ("sys", "/etc"),
        ("dev", "/proc/self"),
        ("dev", "/proc/1/root/dev"),
        ("etc", "/proc/self/root/etc"),
        ("tmp", "/sys/fs"),
    ] {
        let world = World::new();
        let root = world.folder.path().join("root");
        for folder in ["tmp", "etc", "elsewhere"] {
            fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        let _ = fs::remove_dir(root.join(link));
        std::os::unix::fs::symlink(target, root.join(link)).expect("a link");
        let mut spec = world.spec("say alive");
        spec.image = Image::Rootfs(root.clone());
        let before = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
        // It is refused, or starts with its links inside its own root.
        if block_on(world.sandbox.launch(&spec)).is_ok() {
            block_on(world.sandbox.destroy(&spec.id)).expect("an end");
        }
        assert_eq!(fs::read_to_string("/proc/self/mountinfo").expect("mounts"), before);
        let left: Vec<_> = fs::read_dir(&root).expect("a folder").flatten().collect();
        assert!(left.len() <= 4, "{link} -> {target}: {left:?}");
        assert_eq!(fs::read_link(root.join(link)).expect("the link"), PathBuf::from(target));
    }
}
