//! What every executor promises: one list of promises, checked against each implementation.

use crate::world::{Maker, World, block_on, scripted, wait_for_text, watch, with_maker};
use executor::{Container, ContainerId, ContainerSpec, Executor, Exit, Scripted};
use libtest_mimic::Trial;
use std::{fs, io::Write, net::SocketAddrV4, sync::atomic::AtomicU32, sync::atomic::Ordering};
use tempfile::TempDir;

/// An implementation under test. What its containers do is told by their orders, in the language of
/// the test agent.
pub(crate) trait Subject: Sized {
    type Executor: Executor;
    fn new() -> Self;
    fn executor(&self) -> &Self::Executor;
    fn spec(&self, orders: &str) -> ContainerSpec;
    /// The same after the service died and another has taken its place.
    fn restarted(self) -> Self;
    /// Has the container connect to its first address, and gives what it was told there.
    fn hear(&self, spec: &ContainerSpec, told: &str, container: &Container) -> String;
}

impl Subject for World {
    type Executor = executor::Sandbox;

    fn new() -> Self {
        Self::new()
    }

    fn executor(&self) -> &Self::Executor {
        &self.sandbox
    }

    fn spec(&self, orders: &str) -> ContainerSpec {
        self.spec(orders)
    }

    fn restarted(self) -> Self {
        self.restarted()
    }

    fn hear(&self, spec: &ContainerSpec, told: &str, container: &Container) -> String {
        let (mut connection, _) = container.listeners[0].accept().expect("the agent connects");
        connection.write_all(told.as_bytes()).expect("the agent listens");
        drop(connection);
        block_on(wait_for_text(&spec.journal, told));
        fs::read_to_string(&spec.journal).expect("a journal")
    }
}

/// The fake, and a folder for its journals.
pub(crate) struct Fake {
    scripted: Scripted,
    folder: TempDir,
}

impl Subject for Fake {
    type Executor = Scripted;

    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        Self { scripted: scripted(), folder }
    }

    fn executor(&self) -> &Scripted {
        &self.scripted
    }

    fn spec(&self, orders: &str) -> ContainerSpec {
        crate::world::spec(self.folder.path(), orders)
    }

    fn restarted(self) -> Self {
        Self { scripted: self.scripted.clone(), folder: self.folder }
    }

    fn hear(&self, spec: &ContainerSpec, told: &str, container: &Container) -> String {
        let address = self.scripted.addresses(&spec.id)[0];
        let mut agent = std::net::TcpStream::connect(address).expect("somebody listens");
        let (mut connection, _) = container.listeners[0].accept().expect("the agent connects");
        connection.write_all(told.as_bytes()).expect("the agent listens");
        drop(connection);
        std::io::read_to_string(&mut agent).expect("the agent hears")
    }
}

/// A promise, with its name.
pub(crate) type Promise = (&'static str, fn());

/// All promises, for one implementation; a [`World`] has its containers made as is said.
pub(crate) fn promises<S: Subject + 'static>(name: &str, maker: &Maker) -> Vec<Trial> {
    let trial = |(promise, check): Promise| {
        let maker = maker.clone();
        Trial::test(format!("{name}::{promise}"), move || {
            with_maker(maker, check);
            Ok(())
        })
    };
    list::<S>().map(trial).into_iter().collect()
}

/// The promises.
pub(crate) fn list<S: Subject>() -> [Promise; 12] {
    [
        ("a_container_does_what_its_orders_say", || a_container_does_what_its_orders_say::<S>()),
        ("the_end_is_told_as_often_as_one_asks", || the_end_is_told_as_often_as_one_asks::<S>()),
        ("a_signal_is_told_from_an_exit", || a_signal_is_told_from_an_exit::<S>()),
        ("one_id_never_runs_twice", || one_id_never_runs_twice::<S>()),
        ("an_ended_container_is_not_started_again", || {
            an_ended_container_is_not_started_again::<S>();
        }),
        ("many_launches_of_one_id_make_one_container", || {
            many_launches_of_one_id_make_one_container::<S>();
        }),
        ("a_destroyed_container_may_be_launched_anew", || {
            a_destroyed_container_may_be_launched_anew::<S>();
        }),
        ("destroy_ends_what_runs_and_may_be_repeated", || {
            destroy_ends_what_runs_and_may_be_repeated::<S>();
        }),
        ("watching_ends_when_the_container_is_destroyed", || {
            watching_ends_when_the_container_is_destroyed::<S>();
        }),
        ("what_never_was_is_never_started", || what_never_was_is_never_started::<S>()),
        ("listeners_are_served_and_survive_the_service", || {
            listeners_are_served_and_survive_the_service::<S>();
        }),
        ("containers_outlive_the_service", || containers_outlive_the_service::<S>()),
    ]
}

fn journal(spec: &ContainerSpec) -> String {
    fs::read_to_string(&spec.journal).expect("a journal")
}

fn a_container_does_what_its_orders_say<S: Subject>() {
    let subject = S::new();
    let spec = subject.spec("say hello\nsay world\nexit 3");
    block_on(async {
        let executor = subject.executor();
        let container = executor.launch(&spec).await.expect("a container");
        assert!(container.listeners.is_empty());
        assert_eq!(watch(executor, &spec.id).await, Exit::Exited { code: Some(3) });
        assert_eq!(journal(&spec), "hello\nworld\n");
        executor.destroy(&spec.id).await.expect("an end");
    });
}

fn the_end_is_told_as_often_as_one_asks<S: Subject>() {
    let subject = S::new();
    let spec = subject.spec("exit 0");
    block_on(async {
        let executor = subject.executor();
        executor.launch(&spec).await.expect("a container");
        let (one, two) = tokio::join!(watch(executor, &spec.id), watch(executor, &spec.id));
        let three = watch(executor, &spec.id).await;
        let ended = Exit::Exited { code: Some(0) };
        assert_eq!([one, two, three], [ended.clone(), ended.clone(), ended]);
        executor.destroy(&spec.id).await.expect("an end");
    });
}

fn a_signal_is_told_from_an_exit<S: Subject>() {
    let subject = S::new();
    let spec = subject.spec("abort");
    block_on(async {
        let executor = subject.executor();
        executor.launch(&spec).await.expect("a container");
        let exit = watch(executor, &spec.id).await;
        assert!(matches!(exit, Exit::Killed { .. }), "{exit:?}");
        executor.destroy(&spec.id).await.expect("an end");
    });
}

fn one_id_never_runs_twice<S: Subject>() {
    let subject = S::new();
    let spec = subject.spec("say once\nwait");
    block_on(async {
        let executor = subject.executor();
        for _ in 0..3 {
            executor.launch(&spec).await.expect("a container");
        }
        wait_for_text(&spec.journal, "once\n").await;
        assert_eq!(executor.list().await.expect("a list"), std::slice::from_ref(&spec.id));
        executor.destroy(&spec.id).await.expect("an end");
        assert_eq!(journal(&spec), "once\n");
    });
}

fn an_ended_container_is_not_started_again<S: Subject>() {
    let subject = S::new();
    let spec = subject.spec("say once\nexit 1");
    block_on(async {
        let executor = subject.executor();
        executor.launch(&spec).await.expect("a container");
        let ended = watch(executor, &spec.id).await;
        let again = executor.launch(&spec).await.expect("the same container");
        assert!(again.listeners.is_empty());
        assert_eq!(watch(executor, &spec.id).await, ended);
        assert_eq!(executor.list().await.expect("a list"), std::slice::from_ref(&spec.id));
        executor.destroy(&spec.id).await.expect("an end");
        assert_eq!(journal(&spec), "once\n");
    });
}

fn many_launches_of_one_id_make_one_container<S: Subject>() {
    let subject = S::new();
    let spec = subject.spec("say once\nwait");
    block_on(async {
        let executor = subject.executor();
        let (a, b, c, d) = tokio::join!(
            executor.launch(&spec),
            executor.launch(&spec),
            executor.launch(&spec),
            executor.launch(&spec)
        );
        for launched in [a, b, c, d] {
            launched.expect("the one container");
        }
        wait_for_text(&spec.journal, "once\n").await;
        executor.destroy(&spec.id).await.expect("an end");
        assert_eq!(journal(&spec), "once\n");
    });
}

fn a_destroyed_container_may_be_launched_anew<S: Subject>() {
    let subject = S::new();
    let spec = subject.spec("say again\nexit 0");
    block_on(async {
        let executor = subject.executor();
        for round in 1..=2 {
            executor.launch(&spec).await.expect("a container");
            watch(executor, &spec.id).await;
            executor.destroy(&spec.id).await.expect("an end");
            assert_eq!(journal(&spec), "again\n".repeat(round));
        }
    });
}

fn destroy_ends_what_runs_and_may_be_repeated<S: Subject>() {
    let subject = S::new();
    let spec = subject.spec("say running\nwait");
    block_on(async {
        let executor = subject.executor();
        executor.launch(&spec).await.expect("a container");
        wait_for_text(&spec.journal, "running").await;
        executor.destroy(&spec.id).await.expect("an end");
        executor.destroy(&spec.id).await.expect("no second end");
        assert_eq!(watch(executor, &spec.id).await, Exit::NeverStarted);
        assert_eq!(executor.list().await.expect("a list"), []);
    });
}

fn watching_ends_when_the_container_is_destroyed<S: Subject>() {
    let subject = S::new();
    let spec = subject.spec("wait");
    block_on(async {
        let executor = subject.executor();
        executor.launch(&spec).await.expect("a container");
        let (exit, destroyed) = tokio::join!(watch(executor, &spec.id), async {
            tokio::task::yield_now().await;
            executor.destroy(&spec.id).await
        });
        destroyed.expect("an end");
        assert!(matches!(exit, Exit::Killed { signal: 9 } | Exit::NeverStarted), "{exit:?}");
    });
}

fn what_never_was_is_never_started<S: Subject>() {
    let subject = S::new();
    let id = ContainerId::new("never").expect("an id");
    block_on(async {
        let executor = subject.executor();
        assert_eq!(watch(executor, &id).await, Exit::NeverStarted);
        executor.destroy(&id).await.expect("nothing to do");
        assert_eq!(executor.list().await.expect("a list"), []);
    });
}

fn listeners_are_served_and_survive_the_service<S: Subject>() {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let address = "169.254.170.2:80";
    let mut subject = S::new();
    let mut spec = subject.spec(&format!("connect {address}\nconnect {address}\nwait"));
    spec.listen =
        vec![address.parse().expect("an address"), SocketAddrV4::new([127, 0, 0, 1].into(), 8080)];
    let container = block_on(subject.executor().launch(&spec)).expect("a container");
    assert_eq!(container.listeners.len(), 2);
    for _ in 0..2 {
        let told = format!("message {}\n", COUNT.fetch_add(1, Ordering::Relaxed));
        let heard = subject.hear(&spec, &told, &container);
        assert!(heard.ends_with(&told), "{heard:?}");
        subject = subject.restarted();
        let again = block_on(subject.executor().launch(&spec)).expect("the same container");
        assert_eq!(again.listeners.len(), 2);
    }
    block_on(subject.executor().destroy(&spec.id)).expect("an end");
}

fn containers_outlive_the_service<S: Subject>() {
    let subject = S::new();
    let (running, ended) = (subject.spec("say running\nwait"), subject.spec("say ended\nexit 5"));
    block_on(async {
        for spec in [&running, &ended] {
            subject.executor().launch(spec).await.expect("a container");
        }
        wait_for_text(&running.journal, "running").await;
        watch(subject.executor(), &ended.id).await;
    });
    let subject = subject.restarted();
    block_on(async {
        let executor = subject.executor();
        let mut expected = vec![running.id.clone(), ended.id.clone()];
        expected.sort();
        assert_eq!(executor.list().await.expect("a list"), expected);
        assert_eq!(watch(executor, &ended.id).await, Exit::Exited { code: Some(5) });
        executor.launch(&running).await.expect("the same container");
        assert_eq!(journal(&running), "running\n");
        for spec in [&running, &ended] {
            executor.destroy(&spec.id).await.expect("an end");
        }
        assert_eq!(executor.list().await.expect("a list"), []);
    });
}
