//! Container engines: the contract, against Debian's dockerd and Podman's service. Each is started
//! once, on a socket and in a folder of its own, and is asked for every promise.

#![expect(clippy::print_stderr, reason = "a machine that cannot run these tests says so")]

use crate::{
    contract, disk, images,
    world::{Maker, World, block_on, wait_for_text, watch, with_maker},
};
use executor::{
    ContainerSpec, DockerEngine, Executor, Exit, Image, Images, ImagesConfig, LaunchError, Mount,
    MountKind, Progress, StoredImage,
};
use libtest_mimic::{Failed, Trial};
use rustix::{
    mount::UnmountFlags,
    process::{Pid, Signal, kill_process},
};
use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long an engine may take to listen, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The tests of this file.
pub(crate) fn trials() -> Vec<Trial> {
    let engines: [(&str, [&str; 3], Start); 2] = [
        ("dockerd", ["dockerd", "containerd", "runc"], dockerd),
        ("podman", ["podman", "conmon", "runc"], podman),
    ];
    let trial = |(name, programs, start): (&str, [&str; 3], Start)| {
        let missing = programs.iter().find(|program| !is_installed(program));
        let is_root = rustix::process::geteuid().is_root();
        if let Some(program) = missing {
            eprintln!("no test of {name}: {program} is not installed");
        } else if !is_root {
            eprintln!("no test of {name}: it needs root");
        }
        Trial::test(format!("{name}::the_contract_is_kept"), move || the_contract_is_kept(start))
            .with_ignored_flag(missing.is_some() || !is_root)
    };
    engines.map(trial).into_iter().collect()
}

fn is_installed(program: &str) -> bool {
    let found = Command::new("which").arg(program).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// Starts an engine in a folder.
type Start = fn(&Path) -> Running;

/// An engine that runs.
struct Running {
    socket: PathBuf,
    /// What the engine mounts for itself and leaves mounted.
    mounted: Option<PathBuf>,
    /// In the order in which they are ended.
    processes: Vec<Child>,
}

impl Drop for Running {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let pid = Pid::from_child(process);
            kill_process(pid, Signal::TERM).expect("a signal");
            let started = Instant::now();
            while process.try_wait().expect("a process").is_none() {
                if started.elapsed() > PATIENCE {
                    process.kill().expect("a kill");
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        if let Some(folder) = &self.mounted {
            rustix::mount::unmount(folder, UnmountFlags::DETACH).expect("what podman mounts");
        }
    }
}

fn start(folder: &Path, program: &str, arguments: &[String]) -> Child {
    let log = File::create(folder.join(format!("{program}.log"))).expect("a log");
    Command::new(program)
        .args(arguments)
        // What watches Podman's containers leaves a file where it stands.
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .spawn()
        .expect("an engine")
}

fn wait_for(socket: &Path) {
    let started = Instant::now();
    while std::os::unix::net::UnixStream::connect(socket).is_err() {
        assert!(started.elapsed() < PATIENCE, "nobody listens on {}", socket.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn dockerd(folder: &Path) -> Running {
    let place = |name: &str| folder.join(name).display().to_string();
    let config = format!(
        "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = ['io.containerd.grpc.v1.cri']\n\
         [grpc]\naddress = {:?}\n",
        place("root"),
        place("state"),
        place("containerd.sock")
    );
    fs::write(folder.join("containerd.toml"), config).expect("a configuration");
    let containerd =
        start(folder, "containerd", &["--config".to_owned(), place("containerd.toml")]);
    wait_for(&folder.join("containerd.sock"));
    let socket = folder.join("engine.sock");
    let arguments = [
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        &format!("--containerd={}", place("containerd.sock")),
        &format!("--host=unix://{}", socket.display()),
        &format!("--data-root={}", place("data")),
        &format!("--exec-root={}", place("exec")),
        &format!("--pidfile={}", place("pid")),
    ]
    .map(str::to_owned);
    let docker = start(folder, "dockerd", &arguments);
    wait_for(&socket);
    Running { socket, mounted: None, processes: vec![docker, containerd] }
}

fn podman(folder: &Path) -> Running {
    let place = |name: &str| folder.join(name).display().to_string();
    let socket = folder.join("engine.sock");
    let arguments = [
        &format!("--root={}", place("data")),
        &format!("--runroot={}", place("run")),
        &format!("--tmpdir={}", place("tmp")),
        "--runtime=runc",
        "--cgroup-manager=cgroupfs",
        "--events-backend=file",
        "system",
        "service",
        "--time=0",
        &format!("unix://{}", socket.display()),
    ]
    .map(str::to_owned);
    let service = start(folder, "podman", &arguments);
    wait_for(&socket);
    Running { socket, mounted: Some(folder.join("data/overlay")), processes: vec![service] }
}

fn the_contract_is_kept(start: Start) -> Result<(), Failed> {
    let folder = TempDir::new().expect("a temporary folder");
    let engine = start(folder.path());
    let more: [contract::Promise; 9] = [
        ("mounts_are_what_they_say", mounts_are_what_they_say),
        ("limits_and_privileges_are_kept", limits_and_privileges_are_kept),
        ("an_image_is_given_once_and_goes_with_the_store_s", an_image_is_given_once_and_goes),
        ("other_images_are_refused", other_images_are_refused),
        ("what_is_written_has_a_limit", disk::what_is_written_has_a_limit),
        ("files_without_a_name_have_it_too", files_without_a_name_have_it_too),
        (
            "it_holds_after_the_service_was_restarted",
            disk::it_holds_after_the_service_was_restarted,
        ),
        ("a_container_ends_with_its_keeper", a_container_ends_with_its_keeper),
        ("nothing_is_left_behind", nothing_is_left_behind),
    ];
    let promises = contract::list::<World>().into_iter().chain(images::BY_ALL).chain(more);
    let mut broken = Vec::new();
    for (name, promise) in promises {
        let started = Instant::now();
        let maker = Maker::Engine(engine.socket.clone());
        let kept = catch_unwind(AssertUnwindSafe(|| with_maker(maker, promise)));
        eprintln!("{name}: {} in {:?}", kept.is_ok(), started.elapsed());
        if kept.is_err() {
            broken.push(name);
        }
    }
    let left = containers(&engine.socket);
    let still_mounted = mounts_in(folder.path());
    drop(engine);
    if !broken.is_empty() {
        return Err(format!("broken: {}", broken.join(", ")).into());
    }
    assert_eq!(left, "[]", "containers are left");
    assert!(still_mounted <= 1, "{still_mounted} mounts, and an engine has one for itself");
    Ok(())
}

/// How many mounts there are in a folder.
fn mounts_in(folder: &Path) -> usize {
    let all = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    let folder = folder.display().to_string();
    all.lines().filter(|line| line.contains(&folder)).count()
}

/// What the engine itself says of its containers.
fn containers(socket: &Path) -> String {
    asked(socket, "containers/json?all=true")
}

fn asked(socket: &Path, what: &str) -> String {
    let asked = Command::new("curl")
        .args(["--silent", "--unix-socket"])
        .arg(socket)
        .arg(format!("http://engine/v1.41/{what}"))
        .output()
        .expect("curl");
    String::from_utf8_lossy(&asked.stdout).trim().to_owned()
}

fn mounts_are_what_they_say() {
    let world = World::new();
    let mut spec = world.spec(
        "sh for f in /ro /rw /cow; do busybox cat $f/given; busybox touch $f/new && echo new; done; \
         echo changed > /cow/given; busybox cat /cow/given",
    );
    for (name, kind) in
        [("ro", MountKind::ReadOnly), ("rw", MountKind::ReadWrite), ("cow", MountKind::CopyOnWrite)]
    {
        let host = world.folder.path().join(name);
        fs::create_dir(&host).expect("a folder");
        fs::write(host.join("given"), format!("{name}\n")).expect("a file");
        spec.mounts.push(Mount { host, container: format!("/{name}").into(), kind });
    }
    let (_, said) = block_on(world.run(&spec));
    let lines: Vec<_> = said.lines().filter(|line| !line.contains("Read-only")).collect();
    assert_eq!(lines, ["ro", "rw", "new", "cow", "new", "changed", "status 0"], "{said}");
    let exists = |path: &str| world.folder.path().join(path).exists();
    assert_eq!(["ro/new", "rw/new", "cow/new"].map(exists), [false, true, false]);
    let kept = fs::read_to_string(world.folder.path().join("cow/given")).expect("a file");
    assert_eq!(kept, "cow\n");
}

fn limits_and_privileges_are_kept() {
    let world = World::new();
    let said = block_on(world.shell(
        "busybox grep -E 'CapBnd|CapEff|NoNew' /proc/self/status; ulimit -n; ulimit -c; \
         busybox cat /proc/net/dev | busybox grep -c :; busybox hostname; \
         busybox find /codebuild/door -type s | busybox wc -l",
    ));
    let lines: Vec<_> = said.split_whitespace().collect();
    let kept = "00000000800405fb";
    let expected = ["CapEff:", kept, "CapBnd:", kept, "NoNewPrivs:", "1", "1024", "0", "1"];
    assert_eq!(lines[..9], expected, "{said}");
    assert!(lines[9].starts_with("test-"), "{said}");
    let mut eater = world.spec("eat 300");
    eater.limits.memory_bytes = 100 << 20;
    let (exit, said) = block_on(world.run(&eater));
    assert_eq!((exit, said.as_str()), (Exit::OutOfMemory, ""));
}

/// What the engine has of these images, by their ids.
fn copies(world: &World) -> usize {
    let label = "buildyard.images";
    let Maker::Engine(socket) = &world.maker else { panic!("no engine") };
    let filters = format!("%7B%22label%22%3A%5B%22{label}={}%22%5D%7D", images_of(world));
    asked(socket, &format!("images/json?filters={filters}")).matches("\"Id\"").count()
}

/// What tells the images of this world from those of others, in labels.
fn images_of(world: &World) -> String {
    let found = fs::metadata(world.folder.path().join("images/layers")).expect("images");
    format!("{:x}-{:x}", found.dev(), found.ino())
}

fn an_image_is_given_once_and_goes() {
    let world = World::new();
    let spec = world.spec("say here\nwait");
    let Maker::Engine(socket) = &world.maker else { panic!("no engine") };
    let engine = DockerEngine { socket: socket.clone() };
    let images = Images::open(ImagesConfig::in_folder(world.folder.path().join("images")));
    let images = images.expect("images");
    block_on(async {
        // A folder that is no more may have had the name of this one.
        images.prune(Some(Duration::ZERO)).expect("images go");
        engine.collect(&images).await.expect("what another had");
        // What another world has given it is as good; here it is to be this one's.
        let image = images::in_a_layout(&world);
        let provide = || async {
            let progress = Arc::new(Progress::default());
            world.sandbox.provide(&image, &progress).await.expect("an image");
            progress.fetched_bytes() > 0
        };
        let given = tokio::join!(provide(), provide(), provide());
        let given = [given.0, given.1, given.2];
        assert_eq!(given.iter().filter(|given| **given).count(), 1, "once");
        assert!(!provide().await, "it is found again");
        assert_eq!(copies(&world), 1);
        let running = ContainerSpec { image: image.clone(), ..spec };
        world.sandbox.launch(&running).await.expect("a container");
        wait_for_text(&running.journal, "here").await;
        images.prune(None).expect("layers go");
        let kept = engine.collect(&images).await.expect("a container needs it");
        assert_eq!((kept.count, copies(&world)), (0, 1));
        world.sandbox.destroy(&running.id).await.expect("an end");
        let removed = engine.collect(&images).await.expect("nothing needs it");
        assert_eq!((removed.count, copies(&world)), (1, 0));
        assert!(removed.bytes > 0);
        assert!(provide().await, "it is given again");
    });
    let said =
        block_on(world.run(&ContainerSpec {
            image: images::in_a_layout(&world),
            ..world.spec("sh cat /only")
        }));
    assert_eq!(said.1, "this one\nstatus 0\n");
    block_on(engine.collect(&images)).expect("nothing needs it");
}

fn files_without_a_name_have_it_too() {
    disk::ends("sh exec 3> /tmp/f; rm /tmp/f; head -c 200m /dev/zero >&3; sleep 1000");
}

fn a_container_ends_with_its_keeper() {
    let world = World::new();
    let spec = world.spec("say here\nwait");
    block_on(async {
        world.sandbox.launch(&spec).await.expect("a container");
        wait_for_text(&spec.journal, "here").await;
        let note = world.folder.path().join("state/containers").join(spec.id.as_str());
        let note = fs::read_to_string(note.join("started.json")).expect("a note");
        let note: serde_json::Value = serde_json::from_str(&note).expect("a note");
        let keeper = note["process"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        let keeper = Pid::from_raw(keeper.expect("a process")).expect("a process");
        kill_process(keeper, Signal::KILL).expect("a kill");
        assert_eq!(watch(&world.sandbox, &spec.id).await, Exit::Killed { signal: 9 });
        world.sandbox.destroy(&spec.id).await.expect("an end");
    });
}

fn other_images_are_refused() {
    let world = World::new();
    let mut spec = world.spec("say never");
    let mut refused = |image: Image, reason: &str| {
        spec.image = image;
        let error = block_on(world.sandbox.launch(&spec)).expect_err("an image");
        let LaunchError::Image(said) = error else { panic!("{error:?}") };
        assert!(said.contains(reason), "{said}");
    };
    refused(Image::Host, "the image host is for the sandbox");
    refused(Image::Rootfs("/".into()), "the image rootfs:/ is for the sandbox");
    let folder = world.folder.path().join("none");
    refused(Image::OciLayout { folder, tag: None }, "cannot be used");
    let Image::Stored(stored) = images::with_a_shell(world.folder.path()) else { panic!("stored") };
    let manifest = format!("sha256:{}", "0".repeat(64)).parse().expect("a digest");
    refused(Image::Stored(StoredImage { manifest, ..stored }), "it was removed");
    assert_eq!(block_on(world.sandbox.list()).expect("a list"), []);
}

fn nothing_is_left_behind() {
    let world = World::new();
    let (exit, said) = block_on(world.run(&world.spec("sh busybox mkdir -p /a/b/c; echo done")));
    assert_eq!((exit, said.as_str()), (Exit::Exited { code: Some(0) }, "done\nstatus 0\n"));
    assert_eq!(mounts_in(world.folder.path()), 0);
    let left = fs::read_dir(world.folder.path().join("state/containers")).expect("a folder");
    assert_eq!(left.count(), 0);
}
