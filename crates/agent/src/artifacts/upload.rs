//! Brings every artifact that the project and the buildspec agree on to its bucket.

use crate::artifacts::key::{Place, file_key};
use crate::artifacts::pack::pack;
use crate::artifacts::select::{Selected, Wanted, select};
use crate::digest::Checksums;
use crate::fault::{Doing, plain};
use crate::log;
use crate::object_store::{Condition, Destination};
use crate::outcome::Stop;
use crate::parallel;
use crate::run::Build;
use crate::shell::Shell;
use agent_protocol::{ArtifactUploaded, ArtifactsOrder, Fact, Packaging};
use buildspec::{Artifacts, Buildspec};
use std::fs::File;
use std::path::Path;

/// AWS: begins what the user reads when an artifact cannot be kept.
const FAILED: &str = "Failed to upload artifacts: ";

/// Uploads what the project and the buildspec agree on, or says why the phase fails.
pub(crate) fn upload(build: &Build, buildspec: &Buildspec, shell: &Shell) -> Result<(), Stop> {
    if !buildspec.reports.is_empty() {
        build.journal.line(log::NO_REPORTS);
    }
    let orders = &build.orders;
    // AWS: a project that wants artifacts of a buildspec without any succeeds.
    let Some(wanted) = &buildspec.artifacts else { return Ok(()) };
    if let Some(order) = &orders.artifacts {
        upload_one(build, shell, order, wanted)?;
    }
    for order in &orders.secondary_artifacts {
        let identifier = order.identifier.as_deref().unwrap_or_default();
        let found = wanted.secondary.iter().find(|(known, _)| known == identifier);
        let (_, secondary) = found.ok_or_else(|| {
            Stop::client(format!(
                "no definition for secondary artifact {identifier} found in the buildspec"
            ))
        })?;
        upload_one(build, shell, order, secondary)?;
    }
    Ok(())
}

fn upload_one(
    build: &Build,
    shell: &Shell,
    order: &ArtifactsOrder,
    wanted: &Artifacts,
) -> Result<(), Stop> {
    let evaluated = |text: &Option<String>| {
        let evaluated = text.as_deref().map(|text| shell.evaluate(text)).transpose();
        evaluated.map_err(|error| upload_failed(plain(&error)))
    };
    let base = evaluated(&wanted.base_directory)?.unwrap_or_else(|| ".".to_owned());
    let name = if order.override_artifact_name { evaluated(&wanted.name)? } else { None };
    let place = Place {
        order,
        buildspec_name: name.as_deref().filter(|name| !name.is_empty()),
        s3_prefix: wanted.s3_prefix.as_deref(),
        build_uuid: &build.orders.build_uuid,
    };
    let wanted = Wanted { artifacts: wanted, base: &base, packaging: order.packaging };
    let files = select(&build.journal, Path::new(&build.orders.source_dir), &wanted)?;
    let upload = ArtifactUpload { build, order, files: &files, key: place.key() };
    let checksums = match order.packaging {
        Packaging::None => upload.loose().map(|()| None)?,
        Packaging::Zip => upload.zip().map(Some)?,
    };
    let (md5, sha256) =
        checksums.map(|Checksums { md5, sha256 }| (Some(md5), Some(sha256))).unwrap_or_default();
    let uploaded = ArtifactUploaded {
        identifier: order.identifier.clone(),
        bucket: order.bucket.clone(),
        key: upload.key,
        md5,
        sha256,
    };
    build.journal.append(|batch| batch.fact(&Fact::ArtifactUploaded(uploaded)));
    Ok(())
}

struct ArtifactUpload<'a> {
    build: &'a Build,
    order: &'a ArtifactsOrder,
    files: &'a [Selected],
    key: String,
}

impl ArtifactUpload<'_> {
    fn loose(&self) -> Result<(), Stop> {
        let client = self.build.store();
        let metadata = [self.whose()];
        parallel::for_each(self.files, |selected| {
            let at = || format!("{FAILED}{}: ", selected.path.display());
            let name = selected.name.to_str().ok_or_else(|| {
                Stop::client(at() + "an object's key is UTF-8, which the file's name is not")
            })?;
            let file = File::open(&selected.path).map_err(|e| Stop::client(at() + &plain(&e)))?;
            let key = file_key(&self.key, name);
            let to = self.destination(&key, &metadata);
            client.upload(&to, &file).map_err(|error| error.stop(FAILED))
        })
    }

    fn zip(&self) -> Result<Checksums, Stop> {
        if self.key.is_empty() {
            return Err(upload_failed("a ZIP needs a name"));
        }
        let build = self.build;
        let file = build.layout.nameless_file().doing(|| "make a file for the ZIP".to_owned())?;
        let packed = pack(self.files, &file);
        let checksums = packed.map_err(|error| upload_failed(plain(&error)))?;
        let metadata = [
            self.whose(),
            ("codebuild-content-md5", checksums.md5.clone()),
            ("codebuild-content-sha256", checksums.sha256.clone()),
        ];
        let to = self.destination(&self.key, &metadata);
        build.store().upload(&to, &file).map_err(|error| error.stop(FAILED))?;
        Ok(checksums)
    }

    fn destination<'b>(
        &'b self,
        key: &'b str,
        metadata: &'b [(&'static str, String)],
    ) -> Destination<'b> {
        Destination { bucket: &self.order.bucket, key, metadata, condition: Condition::None }
    }

    fn whose(&self) -> (&'static str, String) {
        ("codebuild-buildarn", self.build.orders.build_arn.clone())
    }
}

fn upload_failed(error: impl std::fmt::Display) -> Stop {
    Stop::client(format!("{FAILED}{error}"))
}
