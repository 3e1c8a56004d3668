//! The fields of a project's form, in their order.

use serde_json::{Value, json};
use wire::codebuild::{
    ArtifactNamespace, ArtifactPackaging, ArtifactsType, CacheType, ComputeType, EnvironmentType,
    ImagePullCredentialsType, LogsConfigStatusType, SourceType,
};

/// Fields under a heading.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) fields: &'static [Field],
}

/// A member of the document that the form has a field for.
pub(super) struct Field {
    /// Where its value is in the document: a JSON pointer.
    pub(super) place: &'static str,
    pub(super) label: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A line of text.
    Text,
    /// A whole number.
    Number,
    /// Yes or no.
    Tick,
    /// One of these.
    Choice(&'static [&'static str]),
    /// Several words.
    List,
    /// A path, or a whole buildspec.
    Buildspec,
}

impl Field {
    /// The value of a field that was left empty: a member goes, unless the API must be told so.
    pub(super) fn cleared(&self, before: &Value, is_change: bool) -> Option<Value> {
        let was = is_change && before.pointer(self.place).is_some();
        match self.place {
            "/description" | "/sourceVersion" if was => Some(json!("")),
            // AWS: this number takes the limit away.
            "/concurrentBuildLimit" if was => Some(json!(-1)),
            "/autoRetryLimit" if was => Some(json!(0)),
            _ => None,
        }
    }

    /// What a choice is among.
    pub(super) fn choices(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Choice(choices) => choices,
            Kind::Text | Kind::Number | Kind::Tick | Kind::List | Kind::Buildspec => &[],
        }
    }
}

/// Members that are objects: what they have and the form has not is kept.
pub(super) const OBJECTS: &[&str] = &["source", "environment", "artifacts", "cache", "logsConfig"];

/// Members that stand in the last field, as JSON.
pub(super) const REST: &[&str] = &[
    "secondarySources",
    "secondarySourceVersions",
    "secondaryArtifacts",
    "vpcConfig",
    "fileSystemLocations",
    "buildBatchConfig",
    "tags",
];

const fn text(place: &'static str, label: &'static str, help: &'static str) -> Field {
    Field { place, label, help, kind: Kind::Text }
}

const fn number(place: &'static str, label: &'static str, help: &'static str) -> Field {
    Field { place, label, help, kind: Kind::Number }
}

const fn tick(place: &'static str, label: &'static str, help: &'static str) -> Field {
    Field { place, label, help, kind: Kind::Tick }
}

const fn choice(
    place: &'static str,
    label: &'static str,
    help: &'static str,
    choices: &'static [&'static str],
) -> Field {
    Field { place, label, help, kind: Kind::Choice(choices) }
}

/// All of them.
pub(super) const GROUPS: &[Group] = &[
    Group {
        title: "Project",
        fields: &[
            text("/name", "Name", "Letters, digits, hyphens and underscores."),
            text("/description", "Description", ""),
        ],
    },
    Group {
        title: "Source",
        fields: &[
            choice("/source/type", "Kind", "", SourceType::VALUES),
            text(
                "/source/location",
                "Location",
                "bucket/key.zip or bucket/folder/ for S3; a repository's URL for Git.",
            ),
            text("/sourceVersion", "Version", "The branch, tag or commit when a build names none."),
            number("/source/gitCloneDepth", "Clone depth", "Commits of history; empty for all."),
            tick("/source/gitSubmodulesConfig/fetchSubmodules", "Fetch submodules", ""),
            tick("/source/insecureSsl", "Accept any certificate of the host", ""),
        ],
    },
    Group {
        title: "Buildspec",
        fields: &[Field {
            place: "/source/buildspec",
            label: "Buildspec",
            help: "A path in the source, or the YAML itself; buildspec.yml when empty.",
            kind: Kind::Buildspec,
        }],
    },
    Group {
        title: "Environment",
        fields: &[
            text("/environment/image", "Image", "host, or an image's name."),
            choice("/environment/computeType", "Compute type", "", ComputeType::VALUES),
            choice("/environment/type", "Kind", "", EnvironmentType::VALUES),
            tick("/environment/privilegedMode", "Privileged", "For builds that make images."),
            choice(
                "/environment/imagePullCredentialsType",
                "Whose credentials pull the image",
                "",
                ImagePullCredentialsType::VALUES,
            ),
            text("/environment/certificate", "Certificate", "bucket/key of a PEM file."),
            text("/serviceRole", "Service role", ""),
        ],
    },
    Group {
        title: "Artifacts",
        fields: &[
            choice("/artifacts/type", "Kind", "", ArtifactsType::VALUES),
            text("/artifacts/location", "Bucket", ""),
            text("/artifacts/path", "Path", ""),
            choice("/artifacts/namespaceType", "Namespace", "", ArtifactNamespace::VALUES),
            text("/artifacts/name", "Name", "The project's own when empty."),
            choice("/artifacts/packaging", "Packaging", "", ArtifactPackaging::VALUES),
            tick("/artifacts/overrideArtifactName", "The buildspec may name it", ""),
            tick("/artifacts/encryptionDisabled", "Not encrypted", ""),
        ],
    },
    Group {
        title: "Cache",
        fields: &[
            choice("/cache/type", "Kind", "", CacheType::VALUES),
            text("/cache/location", "Bucket and prefix", "For a cache in S3."),
            Field {
                place: "/cache/modes",
                label: "Modes",
                help: "For a local cache: LOCAL_SOURCE_CACHE, LOCAL_CUSTOM_CACHE.",
                kind: Kind::List,
            },
        ],
    },
    Group {
        title: "Logs",
        fields: &[
            choice(
                "/logsConfig/cloudWatchLogs/status",
                "CloudWatch Logs",
                "",
                LogsConfigStatusType::VALUES,
            ),
            text(
                "/logsConfig/cloudWatchLogs/groupName",
                "Group",
                "/aws/codebuild/NAME when empty.",
            ),
            text("/logsConfig/cloudWatchLogs/streamName", "Stream prefix", ""),
        ],
    },
    Group {
        title: "Limits",
        fields: &[
            number("/timeoutInMinutes", "Time limit, minutes", "5 to 2160; 60 when empty."),
            number("/queuedTimeoutInMinutes", "Waiting limit, minutes", "480 when empty."),
            number("/concurrentBuildLimit", "Builds at once", "No limit when empty."),
            number("/autoRetryLimit", "Retries of a failed build", "None when empty."),
        ],
    },
];
