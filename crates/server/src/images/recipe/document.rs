//! A recipe's file, in TOML, and the recipes that come with the program.

use super::{mirrors, runtimes, runtimes::RuntimeOfRecipe};
use anyhow::{Context, bail};
use executor::{Recipe, Reference};
use jiff::Timestamp;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The recipes that come with the program.
const OWN: [(&str, &str); 2] = [
    ("base", include_str!("../../../../../images/base/recipe.toml")),
    ("standard", include_str!("../../../../../images/standard/recipe.toml")),
];
/// A recipe's file in its folder.
const FILE: &str = "recipe.toml";
/// Where an image says which versions of runtimes it has. AWS: the same file.
const RUNTIMES_FILE: &str = "/codebuild/image/config/runtimes.yml";
/// A recipe that extends another that extends another, at most.
const EXTENDED_MAX: usize = 8;

/// A recipe as it stands in its file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeDocument {
    /// What its images are called: `buildyard/NAME`.
    name: String,
    /// The recipe that comes first: one of the program's, or a path from this one's folder.
    #[serde(default)]
    extends: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    suite: Option<String>,
    #[serde(default)]
    components: Vec<String>,
    #[serde(default)]
    packages: Vec<String>,
    #[serde(default)]
    leave_out: Vec<String>,
    #[serde(default)]
    keep: Vec<String>,
    #[serde(default)]
    commands: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    runtimes: BTreeMap<String, RuntimeOfRecipe>,
}

/// What the command line says in the place of the recipe.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The image's only name.
    pub name: Option<Reference>,
    /// The release of Debian.
    pub suite: Option<String>,
    /// URLs, or lines of apt's `sources.list`.
    pub mirrors: Vec<String>,
}

impl RecipeDocument {
    /// The recipe with this name, or in this folder or file, with those that it extends.
    pub fn find(name: &str) -> anyhow::Result<Self> {
        Self::read(name, Path::new(""), EXTENDED_MAX)
    }

    fn read(name: &str, beside: &Path, extended_max: usize) -> anyhow::Result<Self> {
        let own = OWN.iter().find(|(own, _)| *own == name);
        let (text, called, folder) = match own {
            Some((_, text)) => ((*text).to_owned(), name.to_owned(), PathBuf::new()),
            None => {
                let file = file(&beside.join(name))?;
                let text = fs::read_to_string(&file)
                    .with_context(|| format!("failed to read {}", file.display()))?;
                let folder = file.parent().unwrap_or(Path::new("")).to_owned();
                (text, file.display().to_string(), folder)
            }
        };
        let document: Self =
            toml::from_str(&text).with_context(|| format!("the recipe {called} is no recipe"))?;
        document.check().with_context(|| format!("the recipe {called}"))?;
        match &document.extends {
            None => Ok(document),
            Some(_) if extended_max == 0 => bail!("the recipe {called} extends too many others"),
            Some(first) => {
                let first = Self::read(first, &folder, extended_max - 1)
                    .with_context(|| format!("the recipe {called} extends {first}"))?;
                Ok(first.and_then(document))
            }
        }
    }

    /// This recipe with what another says beside it or in its place.
    fn and_then(self, upper: Self) -> Self {
        let both = |mut first: Vec<String>, second: Vec<String>| {
            first.extend(second);
            first
        };
        let components = match upper.components.is_empty() {
            true => self.components,
            false => upper.components,
        };
        Self {
            name: upper.name,
            extends: None,
            description: upper.description,
            suite: upper.suite.or(self.suite),
            components,
            packages: both(self.packages, upper.packages),
            leave_out: both(self.leave_out, upper.leave_out),
            keep: both(self.keep, upper.keep),
            commands: both(self.commands, upper.commands),
            environment: self.environment.into_iter().chain(upper.environment).collect(),
            runtimes: self.runtimes.into_iter().chain(upper.runtimes).collect(),
        }
    }

    /// Refuses what would mean something else to a program that is told it.
    fn check(&self) -> anyhow::Result<()> {
        let word = |text: &str| {
            let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
            first && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._:=/~*?".contains(&b))
        };
        let words = self.packages.iter().chain(&self.components).chain(&self.suite);
        if let Some(bad) = words.into_iter().find(|text| !word(text)) {
            bail!("{bad:?} names no package, component or suite");
        }
        let names = self.environment.keys();
        if let Some(bad) = names.into_iter().find(|name| !is_variable(name)) {
            bail!("{bad:?} is no variable's name");
        }
        let paths = self.leave_out.iter().chain(&self.keep);
        if let Some(bad) = paths.into_iter().find(|path| !path.starts_with('/')) {
            bail!("the path {bad:?} is not absolute");
        }
        self.own_name("latest").map(drop)
    }

    fn own_name(&self, tag: &str) -> anyhow::Result<Reference> {
        let Self { name, .. } = self;
        let reference = format!("buildyard/{name}:{tag}").parse::<Reference>();
        match reference {
            Ok(reference) if !name.contains([':', '@']) => Ok(reference),
            Ok(_) | Err(_) => bail!("{name:?} cannot be an image's name"),
        }
    }

    /// The recipe with every name looked up: where packages come from, and the date of those.
    pub fn resolve(self, overrides: &Overrides) -> anyhow::Result<Recipe> {
        let suite = overrides.suite.clone().or_else(|| self.suite.clone());
        let suite = suite.context("the recipe names no suite: say which with --suite")?;
        let components = match self.components.is_empty() {
            true => vec!["main".to_owned()],
            false => self.components.clone(),
        };
        let sources = mirrors::sources(&overrides.mirrors, &suite, &components)?;
        let date = mirrors::date(&sources, &suite)?;
        let names = match &overrides.name {
            Some(name) => vec![name.clone()],
            None => vec![self.own_name(&suite)?, self.own_name("latest")?],
        };
        let mut commands = self.commands.clone();
        commands.extend(runtimes::checks(&self.runtimes));
        let mut files = Vec::new();
        if !self.runtimes.is_empty() {
            files.push((PathBuf::from(RUNTIMES_FILE), runtimes::file(&self.runtimes)));
        }
        let mut labels = vec![("org.opencontainers.image.title".to_owned(), self.name.clone())];
        labels.extend(
            self.description
                .clone()
                .map(|text| ("org.opencontainers.image.description".to_owned(), text)),
        );
        Ok(Recipe {
            names,
            suite,
            sources,
            packages: self.packages,
            left_out: self.leave_out,
            kept: self.keep,
            commands,
            environment: self.environment.into_iter().collect(),
            files,
            labels,
            date: u64::try_from(date.as_second()).unwrap_or_default(),
            created: Timestamp::from_second(date.as_second())?.to_string(),
        })
    }
}

fn is_variable(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    first && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The file of a recipe, which is that or its folder.
fn file(path: &Path) -> anyhow::Result<PathBuf> {
    if path.is_dir() {
        return Ok(path.join(FILE));
    }
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let own: Vec<&str> = OWN.iter().map(|(name, _)| *name).collect();
    bail!(
        "{} is neither a recipe's folder or file nor one of the program's own: {}",
        path.display(),
        own.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::{Overrides, RecipeDocument};
    use std::fs;

    #[test]
    fn the_programs_own_recipes_are_recipes() {
        let base = RecipeDocument::find("base").expect("base");
        let standard = RecipeDocument::find("standard").expect("standard");
        assert_eq!(standard.suite, base.suite);
        assert!(standard.packages.starts_with(&base.packages));
        assert!(standard.commands.starts_with(&base.commands));
        let kits = &standard.runtimes["java"];
        assert!(kits.versions.len() > 1, "more than one JDK");
    }

    #[test]
    fn a_recipe_of_ones_own_extends_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "name = \"tool\"\nextends = \"base\"\npackages = [\"make\"]\n\
                    [environment]\nLANG = \"C\"\n";
        fs::write(folder.path().join("recipe.toml"), text).expect("written");
        let path = folder.path().to_str().expect("text");
        let recipe = RecipeDocument::find(path).expect("a recipe");
        let overrides = Overrides {
            suite: Some("sid".to_owned()),
            mirrors: vec!["file:/nowhere/debian".to_owned()],
            ..Overrides::default()
        };
        assert_eq!(recipe.environment["LANG"], "C");
        assert_eq!(recipe.packages.last().map(String::as_str), Some("make"));
        // Its mirror is asked before anything is made.
        let refused = recipe.resolve(&overrides).expect_err("there is no such mirror");
        assert!(refused.to_string().contains("file:/nowhere/debian"), "{refused}");
    }

    #[test]
    fn what_is_no_recipe_is_told() {
        for (text, word) in [
            ("nam = \"x\"", "nam"),
            ("name = \"x\"\npackages = [\"--hook=rm\"]", "--hook=rm"),
            ("name = \"x\"\npackages = [\"a,b\"]", "a,b"),
            ("name = \"UPPER\"", "UPPER"),
            ("name = \"x:1\"", "x:1"),
            ("name = \"x\"\nextends = \"missing\"", "missing"),
            ("name = \"x\"\nleave_out = [\"usr\"]", "usr"),
            ("name = \"x\"\n[environment]\n\"A=B\" = \"\"", "A=B"),
            ("name = \"x\"\nextends = \".\"", "too many"),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join("recipe.toml"), text).expect("written");
            let refused = RecipeDocument::find(folder.path().to_str().expect("text"));
            let told = format!("{:#}", refused.expect_err(text));
            assert!(told.contains(word), "{text}: {told}");
        }
    }
}
