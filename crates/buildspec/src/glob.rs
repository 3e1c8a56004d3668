//! Which files the patterns of artifacts, reports and caches mean. Paths come from the caller,
//! relative to where the patterns begin and with `/`; no disk is looked at.

use globset::{GlobBuilder, GlobMatcher};

/// A list of patterns, as `artifacts.files` or `exclude-paths` holds it.
///
/// `*` and `?` stay inside one folder, `**` crosses folders, and all match hidden files. A text
/// without these means one file, or a folder with all that is in it. A leading `./` and a trailing
/// `/` change nothing else. What leaves the base (`../x`, `/x`) matches nothing.
#[derive(Clone, Debug, Default)]
pub struct FilePatterns {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern {
    /// What the pattern says before its first wildcard, in whole folders, with `/` at its end.
    lead: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Everything,
    /// A file, or a folder with all that is in it.
    Name(String),
    Wild(GlobMatcher),
    Nothing,
}

impl FilePatterns {
    /// Makes ready to match. A pattern that is malformed (`[a`) stands for itself as a name.
    pub fn new(patterns: &[String]) -> Self {
        Self { patterns: patterns.iter().map(|text| Pattern::new(text)).collect() }
    }

    /// Whether there is no pattern at all.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether any pattern means this file.
    pub fn matches(&self, path: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(path))
    }

    /// The numbers, from 0, of the patterns that mean this file, in order. A pattern whose number
    /// never comes up matched nothing.
    pub fn matching(&self, path: &str) -> impl Iterator<Item = usize> {
        let numbered = self.patterns.iter().enumerate();
        numbered.filter(move |(_, pattern)| pattern.matches(path)).map(|(number, _)| number)
    }

    /// Whether a file in this folder, at any depth, could match. A folder for which this is false
    /// need not be walked. The empty text is the folder where the patterns begin.
    pub fn may_match_in(&self, folder: &str) -> bool {
        let mut folder = folder.trim_end_matches('/').to_owned();
        if !folder.is_empty() {
            folder.push('/');
        }
        self.patterns.iter().any(|pattern| match &pattern.kind {
            Kind::Everything => true,
            Kind::Nothing => false,
            Kind::Name(name) => {
                let name = format!("{name}/");
                name.starts_with(&folder) || folder.starts_with(&name)
            }
            Kind::Wild(_) => pattern.lead.starts_with(&folder) || folder.starts_with(&pattern.lead),
        })
    }
}

impl Pattern {
    fn new(text: &str) -> Self {
        let Some(text) = tidied(text) else {
            return Self { lead: String::new(), kind: Kind::Nothing };
        };
        if matches!(text.as_str(), "" | "**" | "**/*" | "**/**") {
            return Self { lead: String::new(), kind: Kind::Everything };
        }
        let wild = text.find(is_special);
        let folder_end = text[..wild.unwrap_or(0)].rfind('/').map_or(0, |slash| slash + 1);
        let lead = text[..folder_end].to_owned();
        let kind = match wild.and_then(|_| matcher(&text)) {
            Some(matcher) => Kind::Wild(matcher),
            None => Kind::Name(text),
        };
        Self { lead, kind }
    }

    fn matches(&self, path: &str) -> bool {
        match &self.kind {
            Kind::Everything => true,
            Kind::Nothing => false,
            Kind::Name(name) => path
                .strip_prefix(name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            Kind::Wild(matcher) => path.starts_with(&self.lead) && matcher.is_match(path),
        }
    }
}

/// Which folders `base-directory` means.
#[derive(Clone, Debug)]
pub struct BaseDirectory {
    kind: BaseKind,
}

#[derive(Clone, Debug)]
enum BaseKind {
    Name(String),
    Wild(GlobMatcher),
}

impl BaseDirectory {
    /// Reads a base directory. Variables of the shell must have been put in before.
    pub fn new(text: &str) -> Self {
        let tidy = tidied(text).unwrap_or_else(|| text.to_owned());
        let wild = tidy.contains(is_special).then(|| matcher(&tidy)).flatten();
        Self { kind: wild.map_or(BaseKind::Name(tidy), BaseKind::Wild) }
    }

    /// The one folder that is meant, if there is no wildcard: empty for where paths begin, and
    /// possibly absolute or with `..`, which the caller must judge.
    pub fn literal(&self) -> Option<&str> {
        match &self.kind {
            BaseKind::Name(name) => Some(name),
            BaseKind::Wild(_) => None,
        }
    }

    /// Whether this folder is meant. Folders inside one that is meant need not be asked about.
    pub fn matches(&self, folder: &str) -> bool {
        match &self.kind {
            BaseKind::Name(name) => name == folder,
            BaseKind::Wild(matcher) => matcher.is_match(folder),
        }
    }
}

fn is_special(char: char) -> bool {
    matches!(char, '*' | '?' | '[' | '{' | '\\')
}

fn matcher(text: &str) -> Option<GlobMatcher> {
    let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
    glob.ok().map(|glob| glob.compile_matcher())
}

/// Without `.` and empty parts; none when it leaves the base.
fn tidied(text: &str) -> Option<String> {
    let text = text.trim();
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return None;
    }
    let folder_meant = text.ends_with('/') && text.contains(is_special);
    let mut parts: Vec<_> =
        text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if folder_meant {
        parts.push("**");
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests;
