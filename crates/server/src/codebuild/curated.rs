//! ListCuratedEnvironmentImages: what this machine offers, by system and language.

use super::CodeBuildService;
use crate::images::CuratedImage;
use std::collections::BTreeMap;
use wire::{
    Caller, ServiceError,
    codebuild::{
        EnvironmentImage, EnvironmentLanguage, EnvironmentPlatform, LanguageType,
        ListCuratedEnvironmentImagesOutput, PlatformType,
    },
};

/// The systems that AWS has names for, by theirs in `os-release`.
const PLATFORMS: [(&str, PlatformType); 3] = [
    ("amzn", PlatformType::AmazonLinux),
    ("debian", PlatformType::Debian),
    ("ubuntu", PlatformType::Ubuntu),
];
/// The languages that AWS has names for, by their runtimes'.
const LANGUAGES: [(&str, LanguageType); 9] = [
    ("android", LanguageType::Android),
    ("docker", LanguageType::Docker),
    ("dotnet", LanguageType::Dotnet),
    ("golang", LanguageType::Golang),
    ("java", LanguageType::Java),
    ("nodejs", LanguageType::NodeJs),
    ("php", LanguageType::Php),
    ("python", LanguageType::Python),
    ("ruby", LanguageType::Ruby),
];

/// Lists the images by platform and language. AWS: an image for several languages stands under each.
pub(super) async fn list(
    service: &CodeBuildService,
    caller: &Caller,
) -> Result<ListCuratedEnvironmentImagesOutput, ServiceError> {
    let images = service.images.clone();
    let listed = tokio::task::spawn_blocking(move || images.list()).await;
    let listed = listed.map_err(|error| service.fault(caller, &error))?;
    let listed = listed.map_err(|error| service.fault(caller, &error))?;
    Ok(ListCuratedEnvironmentImagesOutput { platforms: Some(grouped(listed)) })
}

fn grouped(listed: Vec<CuratedImage>) -> Vec<EnvironmentPlatform> {
    let mut platforms: BTreeMap<String, BTreeMap<String, Vec<EnvironmentImage>>> = BTreeMap::new();
    for image in listed {
        let languages = platforms.entry(platform(&image.system).as_str().to_owned()).or_default();
        for language in languages_of(&image) {
            languages.entry(language.as_str().to_owned()).or_default().push(EnvironmentImage {
                name: Some(image.name.clone()),
                description: Some(image.description.clone()),
                versions: Some(image.versions.clone()),
            });
        }
    }
    let language = |(language, images): (String, _)| EnvironmentLanguage {
        language: Some(LanguageType::from(language.as_str())),
        images: Some(images),
    };
    let platform = |(platform, languages): (String, BTreeMap<_, _>)| EnvironmentPlatform {
        platform: Some(PlatformType::from(platform.as_str())),
        languages: Some(languages.into_iter().map(language).collect()),
    };
    platforms.into_iter().map(platform).collect()
}

/// Systems without a name in AWS stand with Debian, so that no client meets a name that it does not
/// know.
fn platform(system: &str) -> PlatformType {
    let found = PLATFORMS.iter().find(|(known, _)| *known == system);
    found.map_or(PlatformType::Debian, |(_, platform)| platform.clone())
}

fn languages_of(image: &CuratedImage) -> Vec<LanguageType> {
    let has = |name: &str| image.runtimes.iter().any(|runtime| runtime == name);
    let found: Vec<LanguageType> = LANGUAGES
        .iter()
        .filter(|(runtime, _)| has(runtime))
        .map(|(_, language)| language.clone())
        .collect();
    if found.is_empty() { vec![LanguageType::Base] } else { found }
}
