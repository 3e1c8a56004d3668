//! A container's way out, tested on a host that is a network namespace of its own: with an outside
//! that is another.

#![expect(clippy::print_stderr, reason = "a machine that cannot run these tests says so")]

use crate::world::{World, block_on, config};
use executor::{Executor, Network, Sandbox};
use libtest_mimic::{Failed, Trial};
use std::{
    io::Write,
    net::TcpListener,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

/// The argument that makes this program the test's host.
pub(crate) const HOST_VERB: &str = "__host";
/// What these tests are made with.
const TOOLS: [&str; 5] = ["unshare", "nsenter", "ip", "python3", "nft"];
/// A server that tells everybody who they are.
const SERVER: &str = "import socket\n\
    server = socket.create_server(('0.0.0.0', 8080))\n\
    while True:\n    peer, name = server.accept()\n    peer.send(name[0].encode())\n    peer.close()";
/// A client that says what became of a connection to each of its arguments.
const CLIENT: &str = "import socket, sys\n\
    for place in sys.argv[1:]:\n    \
        host, port = place.split(chr(58))\n    \
        try: print(socket.create_connection((host, int(port)), 1).recv(99).decode())\n    \
        except OSError as error: print(error)";

/// The tests of this file.
pub(crate) fn trials(name: &str) -> Vec<Trial> {
    let run = || in_a_network_of_its_own(HOST_VERB);
    vec![
        Trial::test(format!("{name}::a_way_out_leads_outside_and_nowhere_else"), run)
            .with_ignored_flag(!possible()),
    ]
}

/// Whether this machine can run tests of ways out; it says so when it cannot.
pub(crate) fn possible() -> bool {
    let missing = TOOLS.iter().find(|tool| {
        let found = Command::new("which").arg(tool).stdout(Stdio::null()).status();
        !found.is_ok_and(|status| status.success())
    });
    let possible = missing.is_none() && rustix::process::geteuid().is_root();
    if !possible {
        eprintln!("no test of ways out: it needs root and {TOOLS:?}");
    }
    possible
}

/// Runs this program once more with this argument, in a network of its own.
pub(crate) fn in_a_network_of_its_own(verb: &str) -> Result<(), Failed> {
    let exe = std::env::current_exe()?;
    // With processes of its own too: whatever becomes of the test, they end with it.
    let done = Command::new("unshare")
        .args(["--net", "--pid", "--fork", "--mount-proc", "--kill-child"])
        .arg(exe)
        .arg(verb)
        .output()?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stdout, done.stderr].concat();
    Err(String::from_utf8_lossy(&said).into_owned().into())
}

pub(crate) fn sh(commands: &str) {
    let done = Command::new("sh").args(["-ec", commands]).status().expect("a shell");
    assert!(done.success(), "{commands}");
}

pub(crate) fn wait_for(done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(10), "in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A network that stands for the outside: a public server, a private one, and a metadata service.
pub(crate) fn outside() -> [Child; 2] {
    let holder = Command::new("unshare").args(["--net", "sleep", "60"]).spawn().expect("a network");
    let network = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let started = Instant::now();
    while network(holder.id()) == network(std::process::id()) {
        assert!(started.elapsed() < Duration::from_secs(10), "no network of its own");
        std::thread::sleep(Duration::from_millis(2));
    }
    let pid = holder.id();
    sh(&format!(
        "ip link set lo up
         ip link add up0 type veth peer name up1 netns {pid}
         ip address add 203.0.113.2/24 dev up0
         ip link set up0 up
         nsenter -t {pid} -n sh -ec '
            ip link set lo up
            ip link set up1 up
            ip address add 203.0.113.1/24 dev up1
            for last in 3 4 5; do ip address add 203.0.113.$last/24 dev up1; done
            ip address add 10.9.9.9/32 dev lo
            ip address add 10.9.8.1/32 dev lo
            ip address add 10.9.8.2/32 dev lo
            ip address add 169.254.169.254/32 dev lo
         '
         ip route add default via 203.0.113.1"
    ));
    let server = ["-t", &pid.to_string(), "-n", "python3", "-c", SERVER];
    let server = Command::new("nsenter").args(server).spawn().expect("a server");
    while std::net::TcpStream::connect("203.0.113.1:8080").is_err() {
        assert!(started.elapsed() < Duration::from_secs(10), "no server outside");
        std::thread::sleep(Duration::from_millis(10));
    }
    [holder, server]
}

/// The tables of the packet filter.
pub(crate) fn tables() -> String {
    let tables = Command::new("nft").args(["list", "tables"]).output().expect("nft runs");
    String::from_utf8_lossy(&tables.stdout).into_owned()
}

/// The test, on a host that has nothing but loopback yet.
pub(crate) fn host() -> ExitCode {
    let processes = outside();
    let _service = TcpListener::bind("0.0.0.0:9090").expect("a port of the host");
    let opened = TcpListener::bind("0.0.0.0:9091").expect("another port of the host");
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = opened.accept() {
            let _ = client.write_all(b"the host");
        }
    });
    let mut world = World::new();
    let mut config = config(&world.folder.path().join("other"));
    config.outbound.resolvers = vec!["10.9.9.9".parse().expect("an address")];
    config.outbound.openings = ["10.9.8.1", "10.9.8.2:8081", "203.0.113.2:9091"]
        .map(|opening| opening.parse().expect("an opening"))
        .to_vec();
    std::fs::create_dir_all(world.folder.path().join("other")).expect("a folder");
    world.sandbox = Sandbox::new(config).expect("a sandbox");
    let interfaces = || std::fs::read_to_string("/proc/net/dev").expect("interfaces");
    std::fs::write(world.folder.path().join("client.py"), CLIENT).expect("a program");
    let places = [
        ("203.0.113.1:8080", "203.0.113.2"),
        ("203.0.113.2:9090", "timed out"),
        ("203.0.113.2:9091", "the host"),
        ("100.96.0.5:9090", "timed out"),
        ("100.96.0.5:9091", "timed out"),
        ("10.9.8.1:8080", "203.0.113.2"),
        ("10.9.8.2:8080", "timed out"),
        ("10.9.9.9:8080", "timed out"),
        ("127.0.0.1:9090", "refused"),
        ("100.96.0.2:9090", "No route to host"),
        ("169.254.169.254:8080", "No route to host"),
        ("192.168.0.1:80", "No route to host"),
    ];
    let all = places.map(|(place, _)| place).join(" ");
    let mut spec = world.spec(&format!("sh cat /etc/resolv.conf; python3 /mnt/client.py {all}"));
    spec.network = Network::Outbound;
    spec.mounts.push(executor::Mount {
        host: world.folder.path().to_owned(),
        container: "/mnt".into(),
        kind: executor::MountKind::ReadOnly,
    });
    let mut neighbour = world.spec("wait");
    neighbour.network = Network::Outbound;
    block_on(async {
        let started = Instant::now();
        world.sandbox.launch(&neighbour).await.expect("a neighbour");
        eprintln!("the first way out took {:?}", started.elapsed());
        let (_, said) = world.run(&spec).await;
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines[0], "nameserver 10.9.9.9", "{said}");
        for ((place, expected), line) in places.iter().zip(&lines[1..]) {
            assert!(line.contains(expected), "{place}: {line}, not {expected}: {said}");
        }
        wait_for(|| interfaces().matches("buildyard").count() == 1);
        world.sandbox.leave().await.expect("nothing to take away");
        assert!(tables().contains("table inet buildyard_"), "{}", tables());
        world.sandbox.destroy(&neighbour.id).await.expect("an end");
        wait_for(|| interfaces().matches("buildyard").count() == 0);
        world.sandbox.leave().await.expect("a table less");
    });
    // What all services share stays.
    assert_eq!(tables().trim(), "table inet buildyard");
    for mut process in processes {
        process.kill().expect("a kill");
        process.wait().expect("an end");
    }
    ExitCode::SUCCESS
}
