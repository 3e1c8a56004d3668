//! What an image's name means here.

use executor::{Image, Reference};
use std::{collections::BTreeMap, path::PathBuf};

/// How the names of CodeBuild's own images begin.
const CURATED: &str = "aws/codebuild/";
/// Where these images are, unless the table has them. AWS: its own registry for everybody. As they
/// stand, the names would be somebody else's in Docker's registry.
const CURATED_REPOSITORIES: &str = "public.ecr.aws/codebuild/";

/// What names mean here, where it is not what they say.
#[derive(Clone, Debug)]
pub struct Names {
    table: BTreeMap<String, String>,
}

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageName {
    /// Something of this machine.
    Here(Image),
    /// An image with a name, which may have to be pulled.
    Named(Reference),
}

impl Names {
    /// Names as they are, but for those of this table, whose keys may end with `*`, and for those of
    /// CodeBuild's own images.
    pub fn new(table: BTreeMap<String, String>) -> Self {
        Self { table }
    }

    /// What a name means. The error is a sentence about the name.
    pub fn meaning(&self, name: &str) -> Result<ImageName, String> {
        if let Some(meant) = self.in_table(name) {
            return read(meant);
        }
        match name.strip_prefix(CURATED) {
            Some(rest) => read(&format!("{CURATED_REPOSITORIES}{rest}")),
            None => read(name),
        }
    }

    /// The names that the table has, without those that stand for others.
    pub fn told(&self) -> impl Iterator<Item = &str> {
        self.table.keys().map(String::as_str).filter(|key| !key.ends_with('*'))
    }

    /// The name of CodeBuild's own image that is meant by a name in AWS's public registry, if it is
    /// meant here, too.
    pub fn curated(&self, reference: &Reference) -> Option<String> {
        let whole = reference.to_string();
        let name = format!("{CURATED}{}", whole.strip_prefix(CURATED_REPOSITORIES)?);
        self.in_table(&name).is_none().then_some(name)
    }

    /// What the table has for a name: the name itself before a beginning, a longer one before a
    /// shorter.
    fn in_table(&self, name: &str) -> Option<&str> {
        if let Some(meant) = self.table.get(name) {
            return Some(meant);
        }
        let beginnings = self.table.iter().filter_map(|(key, meant)| {
            let beginning = key.strip_suffix('*')?;
            name.starts_with(beginning).then_some((beginning.len(), meant))
        });
        beginnings.max_by_key(|(length, _)| *length).map(|(_, meant)| meant.as_str())
    }
}

/// Reads `host`, `rootfs:/path`, `oci:/path` with an optional `:tag`, or an image's name.
fn read(name: &str) -> Result<ImageName, String> {
    if name == "host" {
        return Ok(ImageName::Here(Image::Host));
    }
    if let Some(path) = name.strip_prefix("rootfs:") {
        return absolute(path).map(Image::Rootfs).map(ImageName::Here);
    }
    if let Some(layout) = name.strip_prefix("oci:") {
        let (path, tag) = match layout.split_once(':') {
            Some((path, tag)) => (path, Some(tag.to_owned())),
            None => (layout, None),
        };
        let folder = absolute(path)?;
        return Ok(ImageName::Here(Image::OciLayout { folder, tag }));
    }
    name.parse()
        .map(ImageName::Named)
        .map_err(|error: executor::NoReference| format!("CannotPullContainerError: {error}"))
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(format!("The image's path {} is not absolute.", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::{ImageName, Names};
    use executor::Image;
    use std::collections::BTreeMap;

    fn meaning(table: &[(&str, &str)], name: &str) -> String {
        let pair = |(key, meant): &(&str, &str)| ((*key).to_owned(), (*meant).to_owned());
        let names = Names::new(table.iter().map(pair).collect::<BTreeMap<_, _>>());
        match names.meaning(name).unwrap() {
            ImageName::Here(Image::Host) => "host".to_owned(),
            ImageName::Here(other) => format!("{other:?}"),
            ImageName::Named(reference) => reference.to_string(),
        }
    }

    #[test]
    fn codebuilds_own_names_are_in_awss_public_registry() {
        assert_eq!(
            meaning(&[], "aws/codebuild/standard:7.0"),
            "public.ecr.aws/codebuild/standard:7.0"
        );
    }

    #[test]
    fn a_name_of_awss_public_registry_is_one_of_codebuilds_own() {
        let names = |table: &[(&str, &str)]| {
            let pair = |(key, meant): &(&str, &str)| ((*key).to_owned(), (*meant).to_owned());
            Names::new(table.iter().map(pair).collect())
        };
        let of = |names: &Names, name: &str| names.curated(&name.parse().unwrap());
        let plain = names(&[]);
        let there = "public.ecr.aws/codebuild/standard:7.0";
        assert_eq!(of(&plain, there).as_deref(), Some("aws/codebuild/standard:7.0"));
        assert_eq!(of(&plain, "debian:12"), None);
        let other = names(&[("aws/codebuild/*", "host"), ("tool", "host")]);
        assert_eq!(of(&other, there), None);
        assert_eq!(other.told().collect::<Vec<_>>(), ["tool"]);
    }

    #[test]
    fn the_table_says_what_a_name_means() {
        let table = [
            ("aws/codebuild/standard:7.0", "host"),
            ("aws/codebuild/*", "example.org/ours:1"),
            ("aws/codebuild/amazonlinux*", "example.org/amazon:1"),
        ];
        assert_eq!(meaning(&table, "aws/codebuild/standard:7.0"), "host");
        assert_eq!(meaning(&table, "aws/codebuild/standard:6.0"), "example.org/ours:1");
        let amazon = "aws/codebuild/amazonlinux-x86_64-standard:5.0";
        assert_eq!(meaning(&table, amazon), "example.org/amazon:1");
        assert_eq!(meaning(&table, "debian:12"), "docker.io/library/debian:12");
    }
}
