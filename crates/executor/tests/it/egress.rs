//! The gate on a container's way out, tested on a host that is a network namespace of its own, with an
//! outside in which a name server and servers are.

use crate::{
    outbound::{in_a_network_of_its_own, outside, possible, tables},
    world::{World, block_on, config, wait_for_text},
};
use executor::{
    ContainerSpec, Destination, Effect, Egress, EgressRule, Executor, Network, Sandbox,
};
use libtest_mimic::Trial;
use std::process::{Child, Command, ExitCode};

/// The argument that makes this program the test's host.
pub(crate) const GATE_VERB: &str = "__gate";

/// A name server that knows a few names, by datagrams and by streams.
const NAME_SERVER: &str = r#"
import socket, struct, threading
known = {"allowed.test": "203.0.113.1", "deep.allowed.test": "203.0.113.4", "other.test": "203.0.113.3"}
def answer(asked):
    at, labels = 12, []
    while asked[at]:
        labels.append(asked[at + 1 : at + 1 + asked[at]].decode().lower())
        at += 1 + asked[at]
    kind, question = asked[at + 1 : at + 3], asked[12 : at + 5]
    address = known.get(".".join(labels)) if kind == b"\0\1" else None
    head = asked[:2] + struct.pack(">HHHHH", 0x8180 if ".".join(labels) in known else 0x8183, 1, 1 if address else 0, 0, 0)
    record = b"\xc0\x0c\0\1\0\1" + struct.pack(">IH", 1, 4) + socket.inet_aton(address) if address else b""
    return head + question + record
def streams():
    server = socket.create_server(("10.9.9.9", 53))
    while True:
        peer, _ = server.accept()
        length, = struct.unpack(">H", peer.recv(2))
        said = answer(peer.recv(length))
        peer.sendall(struct.pack(">H", len(said)) + said)
        peer.close()
threading.Thread(target=streams, daemon=True).start()
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("10.9.9.9", 53))
while True:
    asked, peer = server.recvfrom(4096)
    server.sendto(answer(asked), peer)
"#;

/// Connects to each of its arguments, by name or address; `?NAME` asks by a stream, `!ADDRESS` asks
/// another name server.
const CLIENT: &str = r#"
import socket, struct, sys
def question(name):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"
for place in sys.argv[1:]:
    try:
        if place[0] == "?":
            resolver = open("/etc/resolv.conf").read().split()[1]
            peer = socket.create_connection((resolver, 53), 3)
            asked = question(place[1:])
            peer.sendall(struct.pack(">H", len(asked)) + asked)
            print(place, "code", peer.recv(512)[5] & 15)
        elif place[0] == "!":
            peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            peer.settimeout(1)
            peer.sendto(question("allowed.test"), (place[1:], 53))
            print(place, "answered", len(peer.recv(512)))
        else:
            print(place, socket.create_connection((place, 8080), 1).recv(99).decode())
    except socket.gaierror:
        print(place, "unknown")
    except OSError as error:
        print(place, error)
"#;

/// The tests of this file.
pub(crate) fn trials(name: &str) -> Vec<Trial> {
    let run = || in_a_network_of_its_own(GATE_VERB);
    vec![
        Trial::test(format!("{name}::a_gate_lets_through_what_the_rules_say"), run)
            .with_ignored_flag(!possible()),
    ]
}

fn names(effect: Effect, patterns: &[&str]) -> EgressRule {
    let patterns = patterns.iter().map(|text| text.parse().expect("a pattern")).collect();
    EgressRule { effect, to: Destination::Names(patterns) }
}

fn addresses(effect: Effect, range: &str) -> EgressRule {
    let range = range.parse().expect("a range");
    EgressRule { effect, to: Destination::Addresses(vec![range]) }
}

fn spec(world: &World, egress: Egress, places: &[&str]) -> ContainerSpec {
    let places = places.join(" ");
    let mut spec = world.spec(&format!(
        "sh python3 /mnt/client.py '{}'\nsh until [ -e /tmp/go ]; do sleep 0.01; done\nwait",
        places.replace(' ', "' '")
    ));
    spec.network = Network::Outbound;
    spec.egress = egress;
    spec.mounts.push(executor::Mount {
        host: world.folder.path().join("client"),
        container: "/mnt".into(),
        kind: executor::MountKind::ReadOnly,
    });
    spec
}

/// What came of each place, and which names were told as denied.
async fn tried(world: &World, egress: Egress, places: &[&str]) -> (Vec<String>, Vec<String>) {
    let spec = spec(world, egress, places);
    let container = world.sandbox.launch(&spec).await.expect("a container");
    wait_for_text(&spec.journal, "status").await;
    let said = std::fs::read_to_string(&spec.journal).expect("a journal");
    world.sandbox.destroy(&spec.id).await.expect("an end");
    let mut told = Vec::new();
    if let Some(mut denied) = container.denied {
        while let Some(name) = denied.recv().await {
            told.push(name);
        }
    }
    (said.lines().map(str::to_owned).filter(|line| !line.starts_with("status")).collect(), told)
}

fn name_server(holder: &Child) -> Child {
    let pid = holder.id().to_string();
    let server = ["-t", &pid, "-n", "python3", "-c", NAME_SERVER];
    let server = Command::new("nsenter").args(server).spawn().expect("a name server");
    let probe =
        ["-t", &pid, "-n", "sh", "-c", "until ss -lnu | grep -q 10.9.9.9:53; do sleep 0.01; done"];
    assert!(Command::new("nsenter").args(probe).status().expect("a probe").success());
    server
}

/// The test, on a host that has nothing but loopback yet.
pub(crate) fn host() -> ExitCode {
    let mut processes = Vec::from(outside());
    processes.push(name_server(&processes[0]));
    let mut world = World::new();
    std::fs::create_dir(world.folder.path().join("client")).expect("a folder");
    std::fs::write(world.folder.path().join("client/client.py"), CLIENT).expect("a program");
    std::fs::create_dir(world.folder.path().join("other")).expect("a folder");
    let mut config = config(&world.folder.path().join("other"));
    config.outbound.resolvers = vec!["10.9.9.9".parse().expect("an address")];
    world.sandbox = Sandbox::new(config).expect("a sandbox");
    block_on(async {
        what_is_allowed_alone(&world).await;
        all_but_what_is_denied(&world).await;
        names_have_an_order(&world).await;
    });
    assert!(!tables().contains("_egress"), "{}", tables());
    for mut process in processes {
        process.kill().expect("a kill");
        process.wait().expect("an end");
    }
    ExitCode::SUCCESS
}

async fn what_is_allowed_alone(world: &World) {
    let egress = Egress {
        rules: vec![
            names(Effect::Allow, &["allowed.test", "*.allowed.test"]),
            addresses(Effect::Allow, "203.0.113.5/32"),
        ],
        otherwise: Effect::Deny,
    };
    let places = [
        "203.0.113.1",
        "allowed.test",
        "203.0.113.1",
        "deep.allowed.test",
        "other.test",
        "203.0.113.3",
        "203.0.113.5",
        "?allowed.test",
        "?other.test",
        "other.test",
        "nothing.test",
        "!10.9.9.9",
        "!203.0.113.1",
    ];
    let (said, told) = tried(world, egress, &places).await;
    assert_eq!(
        said,
        [
            "203.0.113.1 timed out",
            "allowed.test 203.0.113.2",
            "203.0.113.1 203.0.113.2",
            "deep.allowed.test 203.0.113.2",
            "other.test unknown",
            "203.0.113.3 timed out",
            "203.0.113.5 203.0.113.2",
            "?allowed.test code 0",
            "?other.test code 5",
            "other.test unknown",
            "nothing.test unknown",
            "!10.9.9.9 [Errno 113] No route to host",
            "!203.0.113.1 timed out",
        ]
    );
    assert_eq!(told, ["other.test", "nothing.test"]);
}

async fn all_but_what_is_denied(world: &World) {
    let egress = Egress {
        rules: vec![
            names(Effect::Deny, &["other.test"]),
            addresses(Effect::Deny, "203.0.113.4/32"),
        ],
        otherwise: Effect::Allow,
    };
    let places = ["allowed.test", "other.test", "deep.allowed.test", "203.0.113.3"];
    let (said, told) = tried(world, egress, &places).await;
    let expected = [
        "allowed.test 203.0.113.2",
        "other.test unknown",
        "deep.allowed.test timed out",
        // Whoever knows the address needs no name.
        "203.0.113.3 203.0.113.2",
    ];
    assert_eq!(said, expected);
    assert_eq!(told, ["other.test"]);
}

async fn names_have_an_order(world: &World) {
    let egress = Egress {
        rules: vec![
            names(Effect::Deny, &["deep.allowed.test"]),
            names(Effect::Allow, &["*.allowed.test", "allowed.test"]),
        ],
        otherwise: Effect::Deny,
    };
    let (said, told) = tried(world, egress, &["deep.allowed.test", "allowed.test"]).await;
    assert_eq!(said, ["deep.allowed.test unknown", "allowed.test 203.0.113.2"]);
    assert_eq!(told, ["deep.allowed.test"]);
}
