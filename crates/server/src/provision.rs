//! From a request to what the executor and the agent need: the container's spec and the orders.
//!
//! A function of the request, the occasion and the configuration alone, so that a service that was
//! restarted makes the same spec again.

mod variables;

use crate::{
    build_request::{BuildRequest, compute, compute_types_like},
    config::Config,
    identity::{Claims, Identity},
    local_caches::Lease,
    sources::{self, Location, Scheme, Ssh},
};
use agent_protocol::{
    ArtifactsOrder, BuildspecLocation, CacheOrder, ComputeOrder, ComputeType, Credentials,
    GitSettings, LocalCache, LocalMode, NamespaceType, ObjectStore, Orders, PROTOCOL_VERSION,
    Packaging, RuntimesOrder, S3Cache, S3Location, SecondarySource, Source, Timestamp, Variable,
};
use executor::{ContainerId, ContainerSpec, Image, Limits, Mount, MountKind, Network, Privileges};
use std::{
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    sync::Arc,
};
use wire::codebuild::{
    ArtifactNamespace, ArtifactPackaging, ArtifactsType, CacheMode, CacheType, ProjectArtifacts,
    ProjectSource, SourceType,
};

/// Where the service answers inside every environment.
pub const SERVICE_ADDRESS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 4566);

/// Where the container credentials are. AWS: the same address in every environment.
pub const CREDENTIALS_ADDRESS: SocketAddrV4 =
    SocketAddrV4::new(Ipv4Addr::new(169, 254, 170, 2), 80);

/// Where builds find the programs that CodeBuild's images have. AWS: the same folder.
const PROGRAMS: &str = "/codebuild/user/bin";

/// Where a shell's variables are from one command to the next. AWS: the same folder.
const SHELL_STATE: &str = "/codebuild/output/tmp";

/// Where a build's local cache is. AWS: the same folder.
const LOCAL_CACHE: &str = "/codebuild/local-cache";

const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Makes specs.
pub struct Provision {
    /// The configuration.
    pub config: Arc<Config>,
    /// Issues the builds' credentials.
    pub identity: Arc<Identity>,
    /// What builds need for sources on hosts of ssh.
    pub ssh: Option<Ssh>,
    /// The folder with the programs that builds find on their `PATH`.
    pub programs: PathBuf,
}

/// What is known of a build only once it was accepted.
pub struct Occasion {
    /// Its number.
    pub number: u64,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// When its credentials end.
    pub expires_at: Timestamp,
    /// Its image.
    pub image: Image,
    /// The variables that the image sets for whatever runs in it.
    pub image_environment: Vec<(String, String)>,
    /// The folder of its local cache, if it has one.
    pub local_cache: Option<Lease>,
}

impl Provision {
    /// Makes the container's spec.
    pub fn spec(
        &self,
        request: &BuildRequest,
        occasion: &Occasion,
        id: ContainerId,
        journal: PathBuf,
    ) -> ContainerSpec {
        let environment = request.environment();
        let orders = self.orders(request, occasion);
        let size = compute(&environment.compute_type);
        let local = local_mounts(request, &orders).into_iter();
        let cache = occasion.local_cache.iter().map(|lease| Mount {
            host: lease.folder.clone(),
            container: LOCAL_CACHE.into(),
            kind: MountKind::ReadWrite,
        });
        let programs = std::iter::once(Mount {
            host: self.programs.clone(),
            container: PROGRAMS.into(),
            kind: MountKind::ReadOnly,
        });
        let mounts = local.chain(self.repositories(request)).chain(cache).chain(programs);
        let builds = &self.config.builds;
        ContainerSpec {
            id,
            image: occasion.image.clone(),
            mounts: mounts.collect(),
            folders_in_memory: vec![SHELL_STATE.into()],
            limits: Limits {
                cpu_millis: size.processors * 1_000,
                memory_bytes: size.memory_gib << 30,
                processes_max: builds.processes_max,
                open_files_max: builds.open_files_max,
                disk_bytes: size.disk_gib.min(builds.disk_gib_max.unwrap_or(u64::MAX)) << 30,
            },
            privileges: match environment.privileged_mode {
                Some(true) => Privileges::Own,
                Some(false) | None => Privileges::Few,
            },
            network: if builds.network { Network::Outbound } else { Network::None },
            egress: self.config.egress.of(request.id().project().as_str()),
            listen: vec![SERVICE_ADDRESS, CREDENTIALS_ADDRESS],
            journal,
            orders: serde_json::to_vec(&orders).expect("orders have only text keys"),
        }
    }

    /// Makes the build's credentials, as its orders and its credentials endpoint give them.
    pub fn credentials(&self, request: &BuildRequest, expires_at: Timestamp) -> Credentials {
        self.identity.issue(Claims {
            access_key_id: String::new(),
            build_arn: request.arn(),
            session_arn: request.session_arn(),
            region: request.region.clone(),
            expires_at: expires_at.millis() / 1_000,
        })
    }

    /// The path of a build's credentials at [`CREDENTIALS_ADDRESS`]; it cannot be guessed.
    pub fn credentials_path(&self, request: &BuildRequest) -> String {
        let id = self.derived_uuid("credentials-path", request.id().uuid());
        format!("/v2/credentials/{id}")
    }

    /// A UUID that is always the same for a text, and that nobody else can tell.
    fn derived_uuid(&self, purpose: &str, text: &str) -> String {
        let digits = self.identity.derived(purpose, text, 16);
        let (a, rest) = digits.split_at(8);
        let (b, rest) = rest.split_at(4);
        let (c, rest) = rest.split_at(4);
        let (d, e) = rest.split_at(4);
        format!("{a}-{b}-{c}-{d}-{e}")
    }

    /// The path of the credentials of a build's sources, beside [`Provision::credentials_path`].
    pub fn source_credentials_path(&self, request: &BuildRequest) -> String {
        let id = self.identity.derived("source-credentials-path", request.id().uuid(), 16);
        format!("/v2/source-credentials/{id}")
    }

    fn orders(&self, request: &BuildRequest, occasion: &Occasion) -> Orders {
        let source = request.source();
        let asked = request.source_version.as_deref();
        let project = &request.project;
        let environment = request.environment();
        let (variables, references) =
            variables::variables(environment.environment_variables.unwrap_or_default());
        let secondary = project.secondary_artifacts.iter().flatten();
        Orders {
            protocol: PROTOCOL_VERSION,
            build_arn: request.arn(),
            build_uuid: request.id().uuid().to_owned(),
            source: match &request.local {
                Some(_) => Source::Mounted,
                None => source_order(&source, asked, request.source_commit.as_deref()),
            },
            source_dir: source_dir(request),
            secondary_sources: secondary_sources(request),
            git: self.git_settings(request),
            buildspec: buildspec_location(source.buildspec.as_deref()),
            base_variables: self.base_variables(request, occasion),
            variables,
            references,
            runtimes: self.runtimes(&occasion.image),
            course: request.local.as_ref().map(|local| local.course).unwrap_or_default(),
            compute: Some(self.compute_order(&environment.compute_type)),
            auto_retry_number: request.retry.as_ref().map_or(0, |retry| retry.number),
            artifacts: artifacts_order(&request.artifacts(), request),
            secondary_artifacts: secondary
                .filter_map(|artifacts| artifacts_order(artifacts, request))
                .collect(),
            cache: cache_order(request, occasion.local_cache.as_ref()),
            object_store: ObjectStore {
                endpoint: format!("http://{SERVICE_ADDRESS}"),
                region: request.region.clone(),
                credentials: self.credentials(request, occasion.expires_at),
            },
        }
    }

    fn runtimes(&self, image: &Image) -> RuntimesOrder {
        match image {
            Image::Host => {
                let folders = self.config.host_image.folders.iter();
                let folders = folders.map(|folder| folder.display().to_string()).collect();
                let takes_nearest = self.config.host_image.nearest_versions;
                RuntimesOrder::Machine { folders, takes_nearest }
            }
            Image::Rootfs(_) | Image::OciLayout { .. } | Image::Stored(_) => RuntimesOrder::Image,
        }
    }

    fn compute_order(&self, compute_type: &wire::codebuild::ComputeType) -> ComputeOrder {
        let types = compute_types_like(compute_type).iter().map(|known| {
            let size = compute(known);
            ComputeType {
                name: known.as_str().to_owned(),
                processors: size.processors,
                memory_bytes: size.memory_gib << 30,
            }
        });
        ComputeOrder {
            name: compute_type.as_str().to_owned(),
            types: types.collect(),
            is_advised: self.config.builds.compute_advice,
        }
    }

    fn git_settings(&self, request: &BuildRequest) -> GitSettings {
        let certificate = request.environment().certificate.filter(|place| !place.is_empty());
        GitSettings {
            credentials_url: format!(
                "http://{CREDENTIALS_ADDRESS}{}",
                self.source_credentials_path(request)
            ),
            certificate: certificate.map(|place| s3_location(&place, None)),
            stalled_seconds_max: self.config.sources.stalled_seconds_max,
            allow_file: !self.config.sources.folders.is_empty(),
            ssh_known_hosts: self.ssh.as_ref().map(|ssh| ssh.known_hosts.clone()),
        }
    }

    /// The folders of this machine that sources of the build are cloned from.
    fn repositories(&self, request: &BuildRequest) -> Vec<Mount> {
        let secondary = request.project.secondary_sources.iter().flatten();
        let all = request.project.source.iter().chain(secondary);
        let mut mounts: Vec<Mount> = Vec::new();
        for source in all.filter(|source| sources::is_git(&source.r#type)) {
            let location = Location::parse(source.location.as_deref().unwrap_or_default());
            let Some(location) = location.filter(|location| location.scheme == Scheme::File) else {
                continue;
            };
            let submodules = source.git_submodules_config.as_ref();
            let submodules = submodules.is_some_and(|config| config.fetch_submodules);
            let mount = sources::mount(&self.config.sources.folders, &location, submodules);
            mounts.extend(mount.filter(|mount| !mounts.contains(mount)));
        }
        mounts
    }

    fn base_variables(&self, request: &BuildRequest, occasion: &Occasion) -> Vec<Variable> {
        let mut variables: Vec<Variable> = Vec::with_capacity(40);
        let mut set = |name: &str, value: &str| {
            variables.retain(|variable| variable.name != name);
            variables.push(Variable { name: name.into(), value: value.into() });
        };
        set("PATH", PATH_DEFAULT);
        for (name, value) in &occasion.image_environment {
            set(name, value);
        }
        if occasion.image == Image::Host {
            // AWS: the curated images of today set the same.
            set("LC_CTYPE", "C.UTF-8");
            for (name, value) in &self.config.host_image.variables {
                set(name, value);
            }
        }
        set("HOME", "/root");
        for (name, value) in self.service_variables(request, occasion) {
            set(&name, &value);
        }
        if let Some(path) = variables.iter_mut().find(|variable| variable.name == "PATH") {
            path.value = format!("{}:{PROGRAMS}", path.value);
        }
        variables
    }

    // AWS: the documented variables, and of the others those that tools are known to look at.
    fn service_variables(
        &self,
        request: &BuildRequest,
        occasion: &Occasion,
    ) -> Vec<(String, String)> {
        let (project, id) = (&request.project, request.id());
        let (region, account) = (&request.region, &request.account_id);
        let source = request.source();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let project_arn = format!("arn:aws:codebuild:{region}:{account}:project/{}", id.project());
        let mut variables = vec![
            ("AWS_DEFAULT_REGION", region.clone()),
            ("AWS_REGION", region.clone()),
            ("AWS_ENDPOINT_URL", format!("http://{SERVICE_ADDRESS}")),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", self.credentials_path(request)),
            ("AWS_EXECUTION_ENV", "AWS_ECS_EC2".into()),
            ("CODEBUILD_BUILD_ARN", request.arn()),
            ("CODEBUILD_BUILD_ID", id.to_string()),
            ("CODEBUILD_BUILD_IMAGE", request.environment().image),
            ("CODEBUILD_BUILD_NUMBER", occasion.number.to_string()),
            ("CODEBUILD_BUILD_SUCCEEDING", "1".into()),
            ("CODEBUILD_BUILD_URL", console_url(region, &id.to_string())),
            ("CODEBUILD_CI", "true".into()),
            ("CODEBUILD_CONTAINER_NAME", "default".into()),
            ("CODEBUILD_INITIATOR", request.initiator.clone()),
            ("CODEBUILD_KMS_KEY_ID", text(&project.encryption_key)),
            ("CODEBUILD_LAST_EXIT", "0".into()),
            ("CODEBUILD_LOG_PATH", request.log_target().map(|log| log.stream).unwrap_or_default()),
            ("CODEBUILD_PROJECT_ARN", project_arn.clone()),
            ("CODEBUILD_PROJECT_UUID", self.derived_uuid("project", &project_arn)),
            ("CODEBUILD_AUTH_TOKEN", self.derived_uuid("agent-token", id.uuid())),
            ("CODEBUILD_EXECUTION_ROLE_BUILD", String::new()),
            ("CODEBUILD_FE_REPORT_ENDPOINT", format!("http://{SERVICE_ADDRESS}/")),
            ("CODEBUILD_SOURCE_REPO_URL", text(&source.location)),
            ("CODEBUILD_SOURCE_VERSION", text(&request.source_version)),
            ("CODEBUILD_START_TIME", occasion.received_at.millis().to_string()),
            ("CODEBUILD_GOPATH", output_dir(request)),
            ("GOPATH", format!("/go:{}", output_dir(request))),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect::<Vec<_>>();
        variables.push(("CODEBUILD_SRC_DIR".into(), source_dir(request)));
        for (secondary, order) in
            project.secondary_sources.iter().flatten().zip(secondary_sources(request))
        {
            let identifier = &order.identifier;
            variables.push((format!("CODEBUILD_SRC_DIR_{identifier}"), order.source_dir.clone()));
            variables.push((
                format!("CODEBUILD_SOURCE_REPO_URL_{identifier}"),
                text(&secondary.location),
            ));
            let version = secondary_version(request, identifier).unwrap_or_default();
            variables.push((format!("CODEBUILD_SOURCE_VERSION_{identifier}"), version));
        }
        variables
    }
}

fn cache_order(request: &BuildRequest, lease: Option<&Lease>) -> CacheOrder {
    let Some(cache) = &request.project.cache else { return CacheOrder::NoCache };
    match &cache.r#type {
        CacheType::NoCache | CacheType::Unknown(_) => CacheOrder::NoCache,
        CacheType::S3 => {
            let place = s3_location(cache.location.as_deref().unwrap_or_default(), None);
            CacheOrder::S3(S3Cache {
                bucket: place.bucket,
                prefix: place.key.trim_matches('/').to_owned(),
                project: format!("{}/{}", request.region, request.id().project()),
                namespace: cache.cache_namespace.clone().filter(|name| !name.is_empty()),
                invalidated_at: request.cache_invalidated_at,
            })
        }
        CacheType::Local => {
            let mode = |wanted: &CacheMode| match cache.modes.iter().flatten().any(|m| m == wanted)
            {
                true => LocalMode::On,
                false => LocalMode::Off,
            };
            let docker_layers = mode(&CacheMode::LocalDockerLayerCache);
            let (Some(lease), Some(id)) = (lease, request.local_cache_id()) else {
                return match docker_layers {
                    LocalMode::On => CacheOrder::DockerLayers,
                    LocalMode::Off => CacheOrder::NoCache,
                };
            };
            CacheOrder::Local(LocalCache {
                folder: LOCAL_CACHE.to_owned(),
                id,
                custom: mode(&CacheMode::LocalCustomCache),
                source: mode(&CacheMode::LocalSourceCache),
                docker_layers,
                state: lease.state.clone(),
            })
        }
    }
}

/// The address of a build's page. AWS: the same shape, in its own console.
fn console_url(region: &str, id: &str) -> String {
    format!(
        "https://{region}.console.aws.amazon.com/codebuild/home?region={region}#/builds/{}/view/new",
        id.replace(':', "%3A")
    )
}

/// The folder that holds a build's sources. AWS: its digits are drawn by lot; ours follow from the
/// build's id, so that they stay the same over a restart.
fn output_dir(request: &BuildRequest) -> String {
    let digits = request.id().uuid().get(..8).unwrap_or_default();
    let number = u32::from_str_radix(digits, 16).unwrap_or_default();
    format!("/codebuild/output/src{number:09}")
}

/// The primary source's folder. AWS: a repository's has the repository's place in its path.
fn source_dir(request: &BuildRequest) -> String {
    let folder = format!("{}/src", output_dir(request));
    match &request.local {
        Some(_) => folder,
        None => match repository(&request.source()) {
            Some(location) => format!("{folder}/{}", location.place()),
            None => folder,
        },
    }
}

/// The folder of this machine that is a secondary source; none for one that is fetched.
fn local_folder<'a>(request: &'a BuildRequest, identifier: &str) -> Option<&'a PathBuf> {
    request.local.as_ref()?.secondary_sources.get(identifier)
}

/// The folders of this machine that are sources, for a build that nobody has described.
fn local_mounts(request: &BuildRequest, orders: &Orders) -> Vec<Mount> {
    let Some(local) = &request.local else { return Vec::new() };
    let secondary = orders.secondary_sources.iter().filter_map(|secondary| {
        Some((local.secondary_sources.get(&secondary.identifier)?, &secondary.source_dir))
    });
    std::iter::once((&local.source, &orders.source_dir))
        .chain(secondary)
        .map(|(host, folder)| Mount {
            host: host.clone(),
            container: folder.into(),
            kind: MountKind::CopyOnWrite,
        })
        .collect()
}

/// Where a source's repository is; none for a source that is not in Git.
fn repository(source: &ProjectSource) -> Option<Location> {
    let location = source.location.as_deref().unwrap_or_default();
    sources::is_git(&source.r#type).then(|| Location::parse(location)).flatten()
}

fn source_order(
    source: &ProjectSource,
    version: Option<&str>,
    known_commit: Option<&str>,
) -> Source {
    if let Some(location) = repository(source) {
        let asked = version.unwrap_or_default();
        return Source::Git(sources::order(source, &location, asked, known_commit));
    }
    let location = source.location.as_deref().unwrap_or_default();
    match source.r#type {
        SourceType::S3 => {
            let location = s3_location(location, version);
            if location.key.is_empty() || location.key.ends_with('/') {
                Source::S3Folder(location)
            } else {
                Source::S3Zip(location)
            }
        }
        _ => Source::NoSource,
    }
}

/// Reads `bucket/key`, with or without `arn:aws:s3:::` before it.
fn s3_location(text: &str, version: Option<&str>) -> S3Location {
    let text = text.strip_prefix("arn:aws:s3:::").unwrap_or(text);
    let (bucket, key) = text.split_once('/').unwrap_or((text, ""));
    S3Location {
        bucket: bucket.into(),
        key: key.into(),
        version: version.filter(|version| !version.is_empty()).map(Into::into),
    }
}

fn secondary_version(request: &BuildRequest, identifier: &str) -> Option<String> {
    request
        .project
        .secondary_source_versions
        .iter()
        .flatten()
        .find(|version| version.source_identifier == identifier)
        .map(|version| version.source_version.clone())
}

fn secondary_sources(request: &BuildRequest) -> Vec<SecondarySource> {
    let secondary = request.project.secondary_sources.iter().flatten();
    secondary
        .enumerate()
        .map(|(index, source)| {
            let identifier = source.source_identifier.clone().unwrap_or_default();
            let version = secondary_version(request, &identifier);
            SecondarySource {
                source: match local_folder(request, &identifier) {
                    Some(_) => Source::Mounted,
                    None => source_order(source, version.as_deref(), None),
                },
                source_dir: secondary_dir(request, source, index + 1),
                identifier,
            }
        })
        .collect()
}

/// Secondary sources have a parent folder of their own, beside the primary source's; a repository
/// one for itself, as another version of it may be a source too.
fn secondary_dir(request: &BuildRequest, source: &ProjectSource, number: usize) -> String {
    let output = output_dir(request);
    match repository(source) {
        Some(location) => format!("{output}{number}/src/{}", location.place()),
        None => format!("{output}1/src/s3/{number:02}"),
    }
}

/// Tells an inline buildspec from a path or an object.
// AWS: how inline text is told apart is not documented; a newline or a mapping is taken for text.
pub fn is_inline_buildspec(text: &str) -> bool {
    text.contains('\n') || text.trim_start().starts_with('{') || text.contains(": ")
}

fn buildspec_location(buildspec: Option<&str>) -> BuildspecLocation {
    match buildspec.filter(|text| !text.trim().is_empty()) {
        None => BuildspecLocation::Path { path: "buildspec.yml".into() },
        Some(arn) if arn.starts_with("arn:") && arn.contains(":s3:::") => {
            let (_, place) = arn.split_once(":s3:::").unwrap_or_default();
            BuildspecLocation::S3(s3_location(place, None))
        }
        Some(text) if is_inline_buildspec(text) => BuildspecLocation::Inline { text: text.into() },
        Some(path) => BuildspecLocation::Path { path: path.into() },
    }
}

fn artifacts_order(artifacts: &ProjectArtifacts, request: &BuildRequest) -> Option<ArtifactsOrder> {
    if artifacts.r#type != ArtifactsType::S3 {
        return None;
    }
    let location = artifacts.location.as_deref().unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let name = text(&artifacts.name);
    Some(ArtifactsOrder {
        identifier: artifacts.artifact_identifier.clone(),
        bucket: location.strip_prefix("arn:aws:s3:::").unwrap_or(location).to_owned(),
        path: text(&artifacts.path),
        namespace_type: match artifacts.namespace_type {
            Some(ArtifactNamespace::BuildId) => NamespaceType::BuildId,
            _ => NamespaceType::None,
        },
        name: if name.is_empty() { request.id().project().as_str().to_owned() } else { name },
        packaging: match artifacts.packaging {
            Some(ArtifactPackaging::Zip) => Packaging::Zip,
            _ => Packaging::None,
        },
        override_artifact_name: artifacts.override_artifact_name.unwrap_or_default(),
    })
}
