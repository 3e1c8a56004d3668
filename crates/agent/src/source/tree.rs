//! Names of files that somebody else chose, and what of them may become a path below a folder.
//! Pure.

use std::path::{Component, Path, PathBuf};

/// The path below a folder that a name means, or none when it leads out of the folder.
///
/// It never has a `..` in it, so it stays below the folder as long as no folder on the way is a
/// symbolic link.
pub(super) fn inside(name: &str) -> Option<PathBuf> {
    if name.contains('\0') || name.starts_with('/') {
        return None;
    }
    let mut path = PathBuf::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part => path.push(part),
        }
    }
    Some(path)
}

/// The target that a symbolic link at `link` may have, or none when it leads out of the folder.
///
/// What is given goes up first and then only down. Every step up is from a real folder, and every
/// link on the way down was judged the same way, so following it stays inside.
pub(crate) fn target_inside(link: &Path, target: &str) -> Option<PathBuf> {
    let target = Path::new(target);
    let mut ups = 0;
    let mut downs: Vec<&std::ffi::OsStr> = Vec::new();
    for component in target.components() {
        match component {
            Component::Prefix(_) | Component::RootDir => return None,
            Component::CurDir => {}
            Component::ParentDir => {
                if downs.pop().is_none() {
                    ups += 1;
                }
            }
            Component::Normal(part) => downs.push(part),
        }
    }
    let depth = link.components().count().checked_sub(1)?;
    if ups > depth {
        return None;
    }
    let mut path: PathBuf = std::iter::repeat_n("..", ups).collect();
    path.extend(downs);
    if path.as_os_str().is_empty() {
        path.push(".");
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_are_refused() {
        for name in ["../x", "a/../../x", "a/..", "/etc/passwd", "//x", "a\0b", ".."] {
            assert_eq!(inside(name), None, "{name:?}");
        }
        for (name, path) in [("a//b/./c", "a/b/c"), ("./a", "a"), ("..a/b..", "..a/b.."), ("", "")]
        {
            assert_eq!(inside(name), Some(PathBuf::from(path)), "{name:?}");
        }
    }

    #[test]
    fn links_that_lead_out_are_refused() {
        for (link, target) in [
            ("a", "../x"),
            ("a/b", "../../x"),
            ("a", "/etc"),
            ("a/b", "c/../../../x"),
            ("a/b", ".././../x"),
        ] {
            assert_eq!(target_inside(Path::new(link), target), None, "{link} -> {target}");
        }
        for (link, target, kept) in [
            ("a", "b", "b"),
            ("a/b", "../c", "../c"),
            ("a/b/c", "../../d/e", "../../d/e"),
            ("a/b", "c/../d", "d"),
            ("a/b", "..", ".."),
            ("a", ".", "."),
            ("a", "b/..", "."),
        ] {
            let expected = Some(PathBuf::from(kept));
            assert_eq!(target_inside(Path::new(link), target), expected, "{link} -> {target}");
        }
    }
}
