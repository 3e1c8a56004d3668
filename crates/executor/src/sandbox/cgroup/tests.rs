//! Where groups are found, and what is written to them, on machines that this one is not.

use super::{Group, Hierarchies, Mounted, Version, hand_down, settings};
use crate::Limits;
use std::{fs, path::PathBuf};
use tempfile::TempDir;

const LIMITS: Limits = Limits {
    cpu_millis: 500,
    memory_bytes: 1 << 30,
    processes_max: 64,
    open_files_max: 1024,
    disk_bytes: u64::MAX,
};

fn folders(groups: &str, mounts: &str) -> (Version, Vec<(String, PathBuf)>) {
    let found = Hierarchies::parse(groups, mounts);
    let folders = found.mounts.into_iter().map(|mounted| (mounted.controllers, mounted.folder));
    (found.version, folders.collect())
}

#[test]
fn controllers_that_are_mounted_one_by_one_are_version_one() {
    let groups = "9:name=systemd:/\n8:pids:/\n4:memory:/other/program\n1:cpu,cpuacct:/\n0::/\n";
    let mounts = "\
        36 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
        37 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
        38 31 0:34 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
        41 31 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    let expected = [
        ("pids", "/sys/fs/cgroup/pids"),
        ("memory", "/sys/fs/cgroup/memory/other/program"),
        ("cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct"),
    ];
    let expected = expected.map(|(name, folder)| (name.to_owned(), PathBuf::from(folder)));
    assert_eq!(folders(groups, mounts), (Version::One, expected.to_vec()));
}

#[test]
fn processor_time_is_counted_where_its_hierarchy_is_apart() {
    let groups = "3:blkio:/\n2:cpuacct:/\n1:cpu:/\n";
    let mounts = "\
        36 31 0:32 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n\
        37 31 0:33 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n\
        38 31 0:34 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
    let (_, found) = folders(groups, mounts);
    let found: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(found, ["cpuacct", "cpu"]);
    assert_eq!(settings(Version::One, "cpuacct", &LIMITS), []);
}

#[test]
fn one_tree_is_version_two_and_a_mount_may_show_a_part_of_it() {
    let whole = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
    let part = "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
    let user = "0::/user.slice/user-1000.slice/app\n";
    let folder = |path: &str| (Version::Two, vec![(String::new(), PathBuf::from(path))]);
    assert_eq!(folders(user, whole), folder("/sys/fs/cgroup/user.slice/user-1000.slice/app"));
    assert_eq!(folders("0::/docker/abc\n", part), folder("/sys/fs/cgroup/"));
    assert_eq!(folders("0::/\n", whole), folder("/sys/fs/cgroup/"));
    assert_eq!(folders("0::/\n", ""), (Version::Two, Vec::new()));
}

#[test]
fn limits_become_the_files_of_each_version() {
    let text = |version, controllers: &str| -> Vec<String> {
        let files = settings(version, controllers, &LIMITS);
        files.iter().map(|(file, value)| format!("{file}={value}")).collect()
    };
    assert_eq!(
        text(Version::Two, ""),
        ["memory.max=1073741824", "memory.swap.max=0", "pids.max=64", "cpu.max=50000 100000"]
    );
    assert_eq!(
        text(Version::One, "memory"),
        ["memory.limit_in_bytes=1073741824", "memory.memsw.limit_in_bytes=1073741824"]
    );
    assert_eq!(text(Version::One, "cpu,cpuacct"), ["cpu.cfs_quota_us=50000"]);
    assert_eq!(text(Version::One, "pids"), ["pids.max=64"]);
    let all = Limits { cpu_millis: u32::MAX, ..LIMITS };
    assert_eq!(settings(Version::Two, "", &all)[3].1, "max 100000");
    assert_eq!(settings(Version::One, "cpu", &all), []);
}

#[test]
fn a_group_of_version_two_is_made_below_the_service_s_and_removed_with_what_held_it() {
    let tree = TempDir::new().expect("a folder");
    let hierarchies = Hierarchies {
        version: Version::Two,
        mounts: vec![Mounted { controllers: String::new(), folder: tree.path().to_owned() }],
    };
    let group: Group = hierarchies.group("one");
    let folder = tree.path().join("buildyard/one");
    assert!(group.enter(&LIMITS).expect("a group").is_some(), "processes start in it");
    assert_eq!(fs::read_to_string(folder.join("pids.max")).expect("a limit"), "64");
    fs::write(folder.join("memory.events"), "low 0\noom 3\noom_kill 2\n").expect("a file");
    assert_eq!(group.memory_kills(), 2);
    group.kill();
    assert_eq!(fs::read_to_string(folder.join("cgroup.kill")).expect("an order"), "1");
    for file in fs::read_dir(&folder).expect("files").flatten() {
        fs::remove_file(file.path()).expect("a plain file, where the kernel has none");
    }
    group.remove().expect("no process is in it");
    group.remove().expect("it is gone already");
    assert_eq!(fs::read_dir(tree.path()).expect("a folder").count(), 0);
}

#[test]
fn controllers_are_handed_down_only_when_all_are_there() {
    let tree = TempDir::new().expect("a folder");
    let controllers = tree.path().join("cgroup.controllers");
    fs::write(&controllers, "cpuset hugetlb pids").expect("a file");
    hand_down(tree.path()).expect_err("there is no memory controller");
    assert!(!tree.path().join("buildyard").exists());
    fs::write(&controllers, "cpuset cpu io memory pids").expect("a file");
    hand_down(tree.path()).expect("all are there");
    for group in ["", "buildyard"] {
        let file = tree.path().join(group).join("cgroup.subtree_control");
        assert_eq!(fs::read_to_string(file).expect("an order"), "+memory +pids +cpu");
    }
}
