//! An ordinary user's ways out, tested on a host that is a network namespace of its own, with an outside
//! that is another. One test as root makes both, and a process of an ordinary user is the service.

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "two processes talk by lines")]

use crate::{
    agent::AGENT,
    outbound::{in_a_network_of_its_own, outside, possible, sh, wait_for},
    rootless::{as_nobody, namespaces_possible},
    world::{World, block_on, config, spec, wait_for_text, watch},
};
use executor::{
    ContainerId, ContainerSpec, Effect, Executor, Mount, MountKind, Network, Privileges, Sandbox,
    SandboxConfig,
};
use libtest_mimic::Trial;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

/// The argument that makes this program the test's host.
pub(crate) const HOST_VERB: &str = "__porter-host";
/// The argument that makes it the test, as an ordinary user.
pub(crate) const USER_VERB: &str = "__porter-user";
/// The argument that makes it a service that will be killed.
pub(crate) const SERVICE_VERB: &str = "__porter-service";
/// How many moments of a launch there are at which the service is killed.
const MOMENTS: u32 = 8;
/// An address that the host comes to have while a container runs.
const NEW_ADDRESS: &str = "198.51.100.7";

/// A server where a resolver would be, by streams and by datagrams.
const RESOLVER: &str = "import socket, threading\n\
    def streams():\n    \
        server = socket.create_server(('10.9.9.9', 53))\n    \
        while True: server.accept()[0].send(b'a stream')\n\
    threading.Thread(target=streams, daemon=True).start()\n\
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
    server.bind(('10.9.9.9', 53))\n\
    while True: server.sendto(b'a datagram', server.recvfrom(99)[1])";
/// A client that says what became of a connection, or a datagram, to each of its arguments.
const CLIENT: &str = "import socket, sys\n\
    for place in sys.argv[1:]:\n    \
        host, port = place.strip('?').split(chr(58))\n    \
        kind = socket.SOCK_DGRAM if place[0] == '?' else socket.SOCK_STREAM\n    \
        peer = socket.socket(socket.AF_INET, kind)\n    \
        peer.settimeout(1)\n    \
        try:\n        \
            peer.connect((host, int(port)))\n        \
            if place[0] == '?': peer.send(b'who?')\n        \
            print(peer.recv(99).decode())\n    \
        except OSError as error: print(error)";

/// What a container reaches, and what becomes of a connection to the rest.
const PLACES: [(&str, &str); 15] = [
    ("203.0.113.1:8080", "203.0.113.2"),
    ("203.0.113.2:9091", "the host"),
    ("10.9.8.1:8080", "203.0.113.2"),
    ("10.9.9.9:53", "a stream"),
    ("?10.9.9.9:53", "a datagram"),
    // The host's own ports, its neighbours, a resolver's other ports, the metadata service.
    ("203.0.113.2:9090", DENIED),
    ("?203.0.113.2:9090", DENIED),
    ("10.9.8.2:8080", DENIED),
    ("10.9.9.9:8080", DENIED),
    ("10.0.0.1:80", DENIED),
    ("169.254.169.254:8080", DENIED),
    ("192.168.0.1:80", DENIED),
    // The container itself, the porter, and what is behind it.
    ("127.0.0.1:9090", "refused"),
    ("100.96.0.1:9090", "refused"),
    ("100.96.0.5:9090", DENIED),
];
/// What becomes of most connections that are not let through. Those after the first few may have to
/// wait in vain: the kernel does not tell all.
const DENIED: &str = "No route to host";

/// The tests of this file.
pub(crate) fn trials(name: &str) -> Vec<Trial> {
    let has_pasta = Command::new("which").arg("pasta").stdout(Stdio::null()).status();
    let has_pasta = has_pasta.is_ok_and(|status| status.success());
    if !has_pasta {
        eprintln!("no test of an ordinary user's ways out: it needs pasta");
    }
    let possible = has_pasta && possible() && namespaces_possible();
    let run = || in_a_network_of_its_own(HOST_VERB);
    vec![
        Trial::test(format!("{name}::a_porter_lets_out_what_it_should_and_goes"), run)
            .with_ignored_flag(!possible),
    ]
}

/// The test's host, as root, that has nothing but loopback yet.
pub(crate) fn host() -> ExitCode {
    let mut processes = Vec::from(outside());
    let holder = processes[0].id().to_string();
    let resolver = ["-t", &holder, "-n", "python3", "-c", RESOLVER];
    processes.push(Command::new("nsenter").args(resolver).spawn().expect("a resolver"));
    let probe = "until [ $(ss -Hlnut sport = 53 | wc -l) = 2 ]; do sleep 0.01; done";
    let probe = ["-t", &holder, "-n", "sh", "-c", probe];
    assert!(Command::new("nsenter").args(probe).status().expect("a probe").success());
    for port in [9090, 9091] {
        let service = TcpListener::bind(("0.0.0.0", port)).expect("a port of the host");
        std::thread::spawn(move || {
            while let Ok((mut client, _)) = service.accept() {
                let _ = client.write_all(b"the host");
            }
        });
    }
    let folder = tempfile::tempdir().expect("a folder");
    let device = folder.path().join("tun").display().to_string();
    // As it is on usual machines, in the sight of this test alone.
    sh(&format!(
        "mknod {device} c 10 200; chmod 666 {device}; chmod 755 {}
         mount --bind {device} /dev/net/tun",
        folder.path().display()
    ));
    let mut user = as_nobody("/proc/self/exe")
        .arg(USER_VERB)
        .env("EXECUTOR_TEST_AGENT", &*AGENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process of an ordinary user");
    let mut answers = user.stdin.take().expect("a pipe");
    for line in BufReader::new(user.stdout.take().expect("a pipe")).lines() {
        match line.expect("a line").as_str() {
            "address" => sh(&format!("ip address add {NEW_ADDRESS}/32 dev lo")),
            other => eprintln!("{other}"),
        }
        writeln!(answers).expect("an answer");
    }
    let done = user.wait().expect("an end");
    for mut process in processes {
        process.kill().expect("a kill");
        process.wait().expect("an end");
    }
    if done.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The test, as an ordinary user.
pub(crate) fn user() -> ExitCode {
    let mut world = World::new();
    world.sandbox = Sandbox::new(own_config(world.folder.path())).expect("a sandbox");
    let shared = world.folder.path().join("shared");
    fs::create_dir(&shared).expect("a folder");
    fs::write(shared.join("client.py"), CLIENT).expect("a program");
    block_on(async {
        it_leads_outside_and_nowhere_else(&world).await;
        rules_leave_nothing_open(&world).await;
        routes_of_the_container_change_nothing(&world).await;
        an_address_that_comes_is_the_machines(&world).await;
        it_goes_with_its_container(&world).await;
        it_outlives_the_service(&world).await;
        a_killed_launch_leaves_none(&world).await;
    });
    ExitCode::SUCCESS
}

/// The service that will be killed: a folder, an id and orders are its arguments.
pub(crate) fn service() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(2).collect();
    let [folder, id, orders] = &arguments[..] else { return ExitCode::FAILURE };
    let sandbox = Sandbox::new(own_config(Path::new(folder))).expect("a sandbox");
    block_on(sandbox.launch(&named(Path::new(folder), id, orders))).expect("a container");
    loop {
        std::thread::park();
    }
}

fn own_config(folder: &Path) -> SandboxConfig {
    let mut config = config(folder);
    config.outbound.resolvers = vec!["10.9.9.9".parse().expect("an address")];
    config.outbound.openings = ["10.9.8.1", "10.9.8.2:8081", "203.0.113.2:9091"]
        .map(|opening| opening.parse().expect("an opening"))
        .to_vec();
    config
}

/// A container with a way out and a folder that it shares with the test.
fn with_way_out(folder: &Path, orders: &str) -> ContainerSpec {
    let mut spec = spec(folder, orders);
    spec.network = Network::Outbound;
    spec.mounts.push(Mount {
        host: folder.join("shared"),
        container: "/mnt".into(),
        kind: MountKind::ReadWrite,
    });
    spec
}

fn named(folder: &Path, id: &str, orders: &str) -> ContainerSpec {
    let mut spec = with_way_out(folder, orders);
    spec.id = ContainerId::new(id).expect("an id");
    spec.journal = folder.join(id);
    spec
}

/// How many processes of `pasta` there are, and of this process's own that nobody has waited for. One
/// of `pasta` is two for the moments in which it looks into the container's network.
fn traces() -> (usize, usize) {
    let processes = fs::read_dir("/proc").expect("processes").flatten();
    let text = |folder: &Path, name| fs::read(folder.join(name)).unwrap_or_default();
    let own = format!(") Z {} ", std::process::id());
    let all = processes.map(|entry| {
        let arguments = text(&entry.path(), "cmdline");
        let stat = String::from_utf8_lossy(&text(&entry.path(), "stat")).into_owned();
        let is_pasta = arguments.windows(11).any(|part| part == b"--ns-ifname");
        (usize::from(is_pasta), usize::from(stat.contains(&own)))
    });
    all.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
}

fn tried(said: &str) {
    let lines: Vec<_> = said.lines().collect();
    for ((place, expected), line) in PLACES.iter().zip(&lines) {
        let fits = line.contains(expected) || *expected == DENIED && *line == "timed out";
        assert!(fits, "{place}: {line}, not {expected}: {said}");
    }
    assert!(lines.len() >= PLACES.len(), "{said}");
}

fn try_all() -> String {
    format!("python3 /mnt/client.py {}", PLACES.map(|(place, _)| place).join(" "))
}

async fn it_leads_outside_and_nowhere_else(world: &World) {
    let folder = world.folder.path();
    let neighbour = with_way_out(folder, "wait");
    for what in ["the first", "another"] {
        let started = Instant::now();
        let launched = world.sandbox.launch(&neighbour).await.expect("a neighbour");
        println!("{what} way out took {:?}", started.elapsed());
        assert_eq!(launched.no_way_out, None);
        world.sandbox.destroy(&neighbour.id).await.expect("an end");
        assert_eq!(traces(), (0, 0));
    }
    let mut inside = neighbour.clone();
    inside.network = Network::None;
    let started = Instant::now();
    world.sandbox.launch(&inside).await.expect("a container without");
    println!("none took {:?}", started.elapsed());
    world.sandbox.destroy(&inside.id).await.expect("an end");
    world.sandbox.launch(&neighbour).await.expect("a neighbour");
    let orders = format!("sh cat /etc/resolv.conf > /mnt/resolvers; exec 2>&1; {}", try_all());
    let (_, said) = world.run(&with_way_out(folder, &orders)).await;
    tried(&said);
    let resolvers = fs::read_to_string(folder.join("shared/resolvers")).expect("a file");
    assert_eq!(resolvers, "nameserver 10.9.9.9\n");
    wait_for(|| traces() == (1, 0));
    world.sandbox.destroy(&neighbour.id).await.expect("an end");
    assert_eq!(traces(), (0, 0));
}

/// A porter keeps no rules of a project: there is no way out then, and a word about it.
async fn rules_leave_nothing_open(world: &World) {
    let mut spec = with_way_out(world.folder.path(), "wait");
    spec.egress.otherwise = Effect::Deny;
    let launched = world.sandbox.launch(&spec).await.expect("a container");
    assert!(launched.no_way_out.is_some_and(|why| why.contains("root")));
    assert_eq!(traces(), (0, 0));
    world.sandbox.destroy(&spec.id).await.expect("an end");
}

/// Whoever may change the container's network gets no further.
async fn routes_of_the_container_change_nothing(world: &World) {
    let orders = format!(
        "sh exec 2>&1; ip route flush table main; ip link set eth0 up
         ip route add 100.96.0.0/30 dev eth0; ip route add default via 100.96.0.1; {}",
        try_all()
    );
    let orders = orders.replace("\n         ", "; ");
    let mut spec = with_way_out(world.folder.path(), &orders);
    spec.privileges = Privileges::Own;
    tried(&world.run(&spec).await.1);
}

async fn an_address_that_comes_is_the_machines(world: &World) {
    let place = format!("{NEW_ADDRESS}:9090");
    let ask = format!("python3 /mnt/client.py {place}");
    let orders = format!(
        "say on\nsh until [ -e /mnt/go ]; do sleep 0.01; done; for n in 1 2 3 4 5; do {ask}; done"
    );
    let spec = with_way_out(world.folder.path(), &orders);
    world.sandbox.launch(&spec).await.expect("a container");
    wait_for_text(&spec.journal, "on\n").await;
    println!("address");
    std::io::stdin().lock().read_line(&mut String::new()).expect("an answer");
    fs::write(world.folder.path().join("shared/go"), "").expect("a sign");
    watch(&world.sandbox, &spec.id).await;
    let said = fs::read_to_string(&spec.journal).expect("a journal");
    let lines: Vec<_> = said.lines().filter(|line| !line.starts_with("status")).collect();
    assert!(lines.last().is_some_and(|line| line.contains("No route to host")), "{said}");
    world.sandbox.destroy(&spec.id).await.expect("an end");
    fs::remove_file(world.folder.path().join("shared/go")).expect("no sign");
}

async fn it_goes_with_its_container(world: &World) {
    let spec = with_way_out(world.folder.path(), "say on");
    world.sandbox.launch(&spec).await.expect("a container");
    watch(&world.sandbox, &spec.id).await;
    // Before anybody takes the container away.
    wait_for(|| traces().0 == 0);
    world.sandbox.destroy(&spec.id).await.expect("an end");
    assert_eq!(traces(), (0, 0));
}

fn started_service(folder: &Path, id: &str, orders: &str) -> std::process::Child {
    Command::new("/proc/self/exe")
        .args([SERVICE_VERB.as_ref(), folder.as_os_str(), id.as_ref(), orders.as_ref()])
        .stderr(Stdio::null())
        .spawn()
        .expect("a service")
}

async fn it_outlives_the_service(world: &World) {
    let folder = world.folder.path().join("service");
    fs::create_dir_all(folder.join("shared")).expect("a folder");
    fs::write(folder.join("shared/client.py"), CLIENT).expect("a program");
    let orders = "say on\nsh until [ -e /mnt/go ]; do sleep 0.01; done\n\
                  sh python3 /mnt/client.py 203.0.113.1:8080 203.0.113.2:9090\nsay off\nwait";
    let mut service = started_service(&folder, "outlives", orders);
    let spec = named(&folder, "outlives", orders);
    wait_for_text(&spec.journal, "on\n").await;
    service.kill().expect("a kill");
    service.wait().expect("an end");
    wait_for(|| traces().0 == 1);
    fs::write(folder.join("shared/go"), "").expect("a sign");
    wait_for_text(&spec.journal, "off\n").await;
    let said = fs::read_to_string(&spec.journal).expect("a journal");
    assert!(said.contains("203.0.113.2\n") && said.contains("No route"), "{said}");
    let next = Sandbox::new(own_config(&folder)).expect("the next service");
    next.launch(&spec).await.expect("the same container");
    next.destroy(&spec.id).await.expect("an end");
    assert_eq!(traces().0, 0);
    // And when nobody takes it away.
    let spec = named(&folder, "ends", "say on\nsh until [ -e /mnt/end ]; do sleep 0.01; done");
    let mut service = started_service(&folder, "ends", &String::from_utf8_lossy(&spec.orders));
    wait_for_text(&spec.journal, "on\n").await;
    service.kill().expect("a kill");
    service.wait().expect("an end");
    wait_for(|| traces().0 == 1);
    fs::write(folder.join("shared/end"), "").expect("a sign");
    wait_for(|| traces().0 == 0);
}

async fn a_killed_launch_leaves_none(world: &World) {
    let folder = world.folder.path().join("killed");
    fs::create_dir_all(folder.join("shared")).expect("a folder");
    for moment in 0..MOMENTS {
        let id = format!("killed-{moment}");
        let mut service = started_service(&folder, &id, "say on\nwait");
        std::thread::sleep(Duration::from_millis(80) * moment / MOMENTS);
        service.kill().expect("a kill");
        service.wait().expect("an end");
        let next = Sandbox::new(own_config(&folder)).expect("the next service");
        next.destroy(&ContainerId::new(id).expect("an id")).await.expect("an end");
        wait_for(|| traces().0 == 0);
    }
}
