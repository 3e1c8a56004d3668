//! Where the artifacts of a build go: out of the object store and into a folder.

use super::BUCKET;
use crate::app::App;
use anyhow::Context;
use std::{
    fs,
    path::{Component, Path, PathBuf},
};
use store::objects::{ListingItem, ListingQuery, Target};

/// Copies the artifacts into a folder, and says which files there are.
pub(super) async fn copy_out(app: &App, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut paths, mut after) = (Vec::new(), None);
    loop {
        let query = ListingQuery { prefix: String::new(), delimiter: None, limit: 1_000 };
        let listing = app.objects.list(BUCKET, query, after).await?;
        for item in &listing.items {
            let ListingItem::Entry(listed) = item else { continue };
            // A build may put what it likes into its bucket: nothing leaves the folder.
            let Some(path) = below(folder, &listed.key) else { continue };
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let file = fs::File::create(&path)
                .with_context(|| format!("failed to write {}", path.display()))?;
            app.objects.copy_to(Target::newest(BUCKET, listed.key.clone()), file).await?;
            paths.push(path);
        }
        let last = listing.items.last().and_then(|item| match item {
            ListingItem::Entry(listed) => Some(store::objects::After::Key(listed.key.clone())),
            _ => None,
        });
        match last.filter(|_| listing.is_truncated) {
            Some(last) => after = Some(last),
            None => return Ok(paths),
        }
    }
}

/// The path of a key below a folder; none for a key that would lead out of it.
fn below(folder: &Path, key: &str) -> Option<PathBuf> {
    let relative = Path::new(key);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !key.is_empty()).then(|| folder.join(relative))
}

#[cfg(test)]
mod tests {
    use super::below;
    use std::path::Path;

    #[test]
    fn artifacts_stay_in_their_folder() {
        let folder = Path::new("/out");
        assert_eq!(below(folder, "a/b.jar").as_deref(), Some(Path::new("/out/a/b.jar")));
        for key in ["../x", "/etc/passwd", "a/../../x", ""] {
            assert_eq!(below(folder, key), None, "{key}");
        }
    }
}
