//! Where in its bucket an artifact goes. Pure.

use agent_protocol::{ArtifactsOrder, NamespaceType};

/// What decides an artifact's key.
pub(super) struct Place<'a> {
    /// The project's side.
    pub(super) order: &'a ArtifactsOrder,
    /// The buildspec's name, evaluated; none when it has none.
    pub(super) buildspec_name: Option<&'a str>,
    /// The buildspec's `s3-prefix`.
    pub(super) s3_prefix: Option<&'a str>,
    /// The build's UUID.
    pub(super) build_uuid: &'a str,
}

impl Place<'_> {
    /// The key of a ZIP, or the folder of loose files; empty for the bucket's root.
    pub(super) fn key(&self) -> String {
        let (prefix, id) = match self.order.namespace_type {
            NamespaceType::None => ("", ""),
            NamespaceType::BuildId => (self.s3_prefix.unwrap_or_default(), self.build_uuid),
        };
        // AWS: a buildspec's name counts only where the project says so.
        let named = self.buildspec_name.filter(|_| self.order.override_artifact_name);
        let name = named.unwrap_or(&self.order.name);
        join([prefix, &self.order.path, id, name])
    }
}

/// The key of one loose file.
pub(super) fn file_key(folder: &str, file: &str) -> String {
    join([folder, file])
}

fn join<const N: usize>(parts: [&str; N]) -> String {
    let parts = parts.map(|part| part.trim_matches('/'));
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent_protocol::Packaging;

    struct Row {
        path: &'static str,
        namespace_type: NamespaceType,
        name: &'static str,
        buildspec_name: Option<&'static str>,
        s3_prefix: Option<&'static str>,
        key: &'static str,
    }

    const PLAIN: Row = Row {
        path: "",
        namespace_type: NamespaceType::None,
        name: "demo",
        buildspec_name: None,
        s3_prefix: None,
        key: "demo",
    };

    #[test]
    fn every_layout_of_the_key() {
        let by_id = Row { namespace_type: NamespaceType::BuildId, ..PLAIN };
        let rows = [
            PLAIN,
            Row { name: "MyArtifact.zip", key: "MyArtifact.zip", ..PLAIN },
            Row { path: "MyArtifacts", name: "a.zip", key: "MyArtifacts/a.zip", ..PLAIN },
            Row { path: "/My/Artifacts/", name: "a.zip", key: "My/Artifacts/a.zip", ..PLAIN },
            Row { path: "MyArtifacts", name: "a.zip", key: "MyArtifacts/uuid/a.zip", ..by_id },
            Row { name: "/", key: "", ..PLAIN },
            Row { path: "MyArtifacts", name: "/", key: "MyArtifacts/uuid", ..by_id },
            Row { key: "uuid/demo", ..by_id },
            Row { buildspec_name: Some("builds/24/mine"), key: "builds/24/mine", ..PLAIN },
            Row { s3_prefix: Some("pre/fix"), key: "pre/fix/uuid/demo", ..by_id },
            Row { s3_prefix: Some("pre/fix"), key: "demo", ..PLAIN },
        ];
        for row in rows {
            let mut order = ArtifactsOrder {
                identifier: None,
                bucket: "bucket".to_owned(),
                path: row.path.to_owned(),
                namespace_type: row.namespace_type,
                name: row.name.to_owned(),
                packaging: Packaging::None,
                override_artifact_name: true,
            };
            let key = |order: &ArtifactsOrder| {
                let Row { buildspec_name, s3_prefix, .. } = row;
                Place { order, buildspec_name, s3_prefix, build_uuid: "uuid" }.key()
            };
            assert_eq!(key(&order), row.key);
            order.override_artifact_name = false;
            let ignored = if row.buildspec_name.is_some() { "demo" } else { row.key };
            assert_eq!(key(&order), ignored);
        }
    }

    #[test]
    fn loose_files_are_below_the_key() {
        assert_eq!(file_key("demo", "a/b.txt"), "demo/a/b.txt");
        assert_eq!(file_key("", "a/b.txt"), "a/b.txt");
    }
}
