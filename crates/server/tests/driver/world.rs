//! A service without its front: it can be started, asked, ended and started again on one folder.

use crate::journal::journal;
use agent_protocol::Orders;
use build_core::{Build, BuildId, Event, ProjectName, queue::Capacity};
use executor::{
    ContainerId, ContainerSpec, Executor, Exit, Images, ImagesConfig, Script, Scripted,
};
use server::{
    build_request::BuildRequest,
    config::Config,
    driver::{Counts, Driver, Grounds, JournalWatch, Submission, SubmitError, Survey, ThisMachine},
    executors::{ExecutorName, Workshop},
    identity::Identity,
    images::{BuildImages, Names},
    local_caches::LocalCaches,
    provision::Provision,
    tally::Tally,
};
use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use store::{
    Change, Metered, Store,
    logs::{Direction, LogStore, ReadRequest, TimeRange},
};
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
    time::timeout,
};
use wire::codebuild::{Project, ProjectEnvironment};

pub(crate) const REGION: &str = "us-east-1";

/// How long anything may take before the test fails.
const LIMIT: Duration = Duration::from_secs(30);

/// A service, its folder and the containers that outlive it.
pub(crate) struct World {
    pub(crate) scripted: Scripted,
    scripts: Arc<Mutex<BTreeMap<String, Script>>>,
    launches: Arc<Mutex<Vec<String>>>,
    capacity: Capacity,
    service: Option<Service>,
    builds: u32,
    folder: TempDir,
}

/// What ends with the process.
struct Service {
    driver: Driver,
    store: Store,
    logs: LogStore,
    grounds: Arc<Grounds>,
    runtime: Runtime,
}

impl World {
    /// A service that runs `builds_max` builds at once.
    pub(crate) fn new(builds_max: usize) -> Self {
        let scripts: Arc<Mutex<BTreeMap<String, Script>>> = Arc::default();
        let launches: Arc<Mutex<Vec<String>>> = Arc::default();
        let (scripts_of, launched) = (Arc::clone(&scripts), Arc::clone(&launches));
        let scripted = Scripted::new(move |spec| {
            let project = project_of(spec);
            launched.lock().unwrap().push(project.clone());
            let script = scripts_of.lock().unwrap().get(&project).cloned();
            script.unwrap_or_else(|| running(&["hello", "+DOWNLOAD_SOURCE"]))
        });
        let mut world = Self {
            scripted,
            scripts,
            launches,
            capacity: Capacity { builds_max, memory_bytes: 1 << 50 },
            service: None,
            builds: 0,
            folder: TempDir::new().unwrap(),
        };
        fs::create_dir(world.journals()).unwrap();
        world.begin();
        world
    }

    /// Says how a project's containers behave from now on; without it they begin DOWNLOAD_SOURCE.
    pub(crate) fn script(&self, project: &str, script: Script) {
        self.scripts.lock().unwrap().insert(project.into(), script);
    }

    /// Starts a build.
    pub(crate) fn start_build(&mut self, project: &str) -> BuildId {
        self.submit(project, None).unwrap().submitted.id
    }

    /// Starts a build of a project that has failed builds started again so often.
    pub(crate) fn start_retried_build(&mut self, project: &str, limit: i32) -> BuildId {
        self.submit_with(project, None, Some(limit)).unwrap().submitted.id
    }

    /// Starts a build of a project that may have so many builds under way.
    pub(crate) fn submit(
        &mut self,
        project: &str,
        concurrent_max: Option<u32>,
    ) -> Result<Build, SubmitError> {
        self.submit_with(project, concurrent_max, None)
    }

    fn submit_with(
        &mut self,
        project: &str,
        concurrent_max: Option<u32>,
        auto_retry_limit: Option<i32>,
    ) -> Result<Build, SubmitError> {
        self.builds += 1;
        let uuid = format!("00000000-0000-4000-8000-{:012}", self.builds);
        let name = ProjectName::new(project).unwrap();
        let environment = ProjectEnvironment { image: "host".into(), ..Default::default() };
        let request = Arc::new(BuildRequest {
            account_id: "000000000000".into(),
            region: REGION.into(),
            id: BuildId::new(name, uuid).unwrap(),
            initiator: "tester".into(),
            project: Project {
                environment: Some(environment),
                auto_retry_limit,
                ..Default::default()
            },
            source_version: None,
            source_commit: None,
            timeout_minutes: 60,
            queued_timeout_minutes: 480,
            debug_session: false,
            retry: None,
            cache_invalidated_at: None,
            executor: ExecutorName::Sandbox,
            local: None,
        });
        let service = self.service();
        let submission = Submission { request, concurrent_max, with: Vec::new() };
        service.runtime.block_on(service.driver.submit(submission))
    }

    /// Asks a build to stop.
    pub(crate) fn stop(&self, id: &BuildId) {
        let service = self.service();
        service.runtime.block_on(service.driver.stop(id.clone())).unwrap();
    }

    /// Waits until a build has begun a phase.
    pub(crate) fn wait_for(&self, id: &BuildId, phase: &str) -> Build {
        self.wait(id, phase, |build| {
            build.phases.iter().any(|record| record.phase.as_str() == phase)
        })
    }

    /// Waits until a build is over.
    pub(crate) fn wait_until_ended(&self, id: &BuildId) -> Build {
        let build = self.wait(id, "the end", |build| build.status().is_some());
        // An answer means that the turn which kept the end is over, with all that it does.
        self.counts();
        build
    }

    fn wait(&self, id: &BuildId, what: &str, holds: impl Fn(&Build) -> bool) -> Build {
        let service = self.service();
        service.runtime.block_on(async {
            let mut changed = service.grounds.changed.subscribe();
            let waiting = async {
                loop {
                    let build = service.build(id).await;
                    if holds(&build) {
                        return build;
                    }
                    changed.changed().await.unwrap();
                }
            };
            let Ok(build) = timeout(LIMIT, waiting).await else {
                panic!("{id} waits in vain for {what}:\n{}", told(&service.build(id).await));
            };
            build
        })
    }

    /// What was asked for, as it is stored.
    pub(crate) fn request(&self, id: &BuildId) -> BuildRequest {
        let service = self.service();
        let stored = service.runtime.block_on(service.store.build(REGION, &id.to_string()));
        serde_json::from_str(&stored.unwrap().expect("the build is stored").request).unwrap()
    }

    /// The build as it is stored.
    pub(crate) fn build(&self, id: &BuildId) -> Build {
        let service = self.service();
        service.runtime.block_on(service.build(id))
    }

    /// The events of a build, after making sure that each is there once and that they tell
    /// what is stored as its state.
    pub(crate) fn events(&self, id: &BuildId) -> Vec<Event> {
        let service = self.service();
        let stored = service.runtime.block_on(service.store.events(REGION, &id.to_string()));
        let parse = |stored: &store::Event| serde_json::from_str(&stored.event).unwrap();
        let events: Vec<Event> = stored.unwrap().iter().map(parse).collect();
        assert_eq!(Build::replay(&events), Some(self.build(id)));
        for (count, event) in events.iter().enumerate() {
            assert!(!events[..count].contains(event), "twice: {event:?}");
        }
        events
    }

    /// The lines in a build's log; none when it has no log.
    pub(crate) fn lines(&self, id: &BuildId) -> Vec<String> {
        let logs = &self.service().logs;
        let Some(group) = logs.group(REGION, &format!("/aws/codebuild/{}", id.project())).unwrap()
        else {
            return Vec::new();
        };
        let stream = logs.stream_id(group.id, id.uuid()).unwrap();
        let request = ReadRequest {
            range: TimeRange::ALL,
            token: None,
            direction: Direction::Forward,
            limit: 10_000,
        };
        let page = logs.read(stream, &request).unwrap();
        page.events.into_iter().map(|event| event.message.trim_end().to_owned()).collect()
    }

    /// How many builds are where.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let service = self.service();
        let Counts { queued, running, .. } = service.runtime.block_on(service.driver.counts());
        (queued, running)
    }

    /// What is under way.
    pub(crate) fn survey(&self) -> Survey {
        let service = self.service();
        service.runtime.block_on(service.driver.survey(REGION))
    }

    /// What was counted of the builds that have ended.
    pub(crate) fn ended(&self) -> Vec<Metered> {
        let service = self.service();
        let counts = service.store.ended_by_project(REGION, 0..i64::MAX);
        service.runtime.block_on(counts).unwrap()
    }

    /// The projects whose containers were made, in the order of their making.
    pub(crate) fn launches(&self) -> Vec<String> {
        self.launches.lock().unwrap().clone()
    }

    /// The containers there are.
    pub(crate) fn containers(&self) -> Vec<ContainerId> {
        self.service().runtime.block_on(self.scripted.list()).unwrap()
    }

    /// Commits past the driver.
    pub(crate) fn commit(&self, change: Change) {
        let service = self.service();
        service.runtime.block_on(service.store.commit(vec![change])).unwrap();
    }

    /// The agent of a build that runs writes on.
    pub(crate) fn append(&self, id: &BuildId, bytes: &[u8]) {
        self.scripted.append(&container(id), bytes).unwrap();
    }

    /// The container of a build that runs ends.
    pub(crate) fn end(&self, id: &BuildId, exit: Exit) {
        self.scripted.end(&container(id), exit);
    }

    /// The folder of the journals.
    pub(crate) fn journals(&self) -> PathBuf {
        self.folder.path().join("journals")
    }

    /// The service ends as a killed process does: whatever it was doing stays undone.
    pub(crate) fn kill(&mut self) {
        let service = self.service.take().expect("it runs");
        let Service { runtime, .. } = service;
        drop(runtime);
    }

    /// A service takes up what the one before has left.
    pub(crate) fn begin(&mut self) {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let _inside = runtime.enter();
        let folder = self.folder.path();
        let store = Store::open(&folder.join("state.db")).unwrap();
        let logs = LogStore::open(&folder.join("logs")).unwrap();
        let identity = Arc::new(Identity::open(folder, None).unwrap());
        let grounds = Arc::new(Grounds {
            workshop: Workshop::with(ExecutorName::Sandbox, Arc::new(self.scripted.clone())),
            images: images(folder),
            machine: Arc::new(ThisMachine {
                store: store.clone(),
                logs: logs.clone(),
                watch: JournalWatch::start().unwrap(),
                journals: self.journals(),
                caches: Arc::new(LocalCaches::open(folder.join("caches"), u64::MAX).unwrap()),
                containers: "this boot".into(),
            }),
            provision: Provision {
                config: Arc::new(Config::default()),
                identity,
                ssh: None,
                programs: folder.join("programs"),
            },
            serve: Box::new(|_, _| {}),
            tally: Tally::default(),
            changed: watch::Sender::new(0),
            observer: None,
        });
        let start = Driver::start(Arc::clone(&grounds), self.capacity);
        let driver = runtime.block_on(start).unwrap();
        self.service = Some(Service { driver, store, logs, grounds, runtime });
    }

    fn service(&self) -> &Service {
        self.service.as_ref().expect("it runs")
    }
}

impl Service {
    async fn build(&self, id: &BuildId) -> Build {
        let stored = self.store.build(REGION, &id.to_string()).await.unwrap();
        serde_json::from_str(&stored.expect("the build is stored").state).unwrap()
    }
}

/// A container that has written `words` and runs on.
pub(crate) fn running(words: &[&str]) -> Script {
    Script::Run { journal: journal(words), end: None }
}

/// The name of a build's container.
pub(crate) fn container(id: &BuildId) -> ContainerId {
    ContainerId::new(id.uuid()).unwrap()
}

/// A build's phases and its end, without times.
pub(crate) fn told(build: &Build) -> String {
    let mut text = String::new();
    for record in &build.phases {
        text.push_str(record.phase.as_str());
        if let Some((_, outcome)) = &record.ended {
            let context = outcome.context();
            write!(text, " {}", outcome.status.as_str()).unwrap();
            if !context.status_code.is_empty() {
                write!(text, " {}: {}", context.status_code, context.message).unwrap();
            }
        }
        text.push('\n');
    }
    let status = build.status().map_or("under way", |status| status.as_str());
    writeln!(text, "= {status}").unwrap();
    text
}

fn project_of(spec: &ContainerSpec) -> String {
    let orders: Orders = serde_json::from_slice(&spec.orders).unwrap();
    let id = orders.build_arn.rsplit_once('/').expect("an ARN names the build").1;
    BuildId::parse(id).unwrap().project().to_string()
}

/// No images but those that are named by a place on this machine.
pub(crate) fn images(folder: &Path) -> BuildImages {
    let images = Images::open(ImagesConfig::in_folder(folder.join("images"))).unwrap();
    BuildImages::new(images, Names::new(BTreeMap::new()), None)
}
