//! What runs, and is probably not what its author meant. It looks at one text at a time and must
//! know neither YAML nor places.

/// Programs and first words that put something out into the world.
const DEPLOYS: &[&str] = &[
    "aws cloudformation deploy",
    "aws cloudformation create-stack",
    "aws cloudformation update-stack",
    "aws deploy create-deployment",
    "aws ecs update-service",
    "aws lambda update-function-code",
    "aws s3 sync",
    "cdk deploy",
    "docker push",
    "eb deploy",
    "firebase deploy",
    "gradle publish",
    "helm install",
    "helm upgrade",
    "kubectl apply",
    "kubectl set image",
    "mvn deploy",
    "npm publish",
    "sam deploy",
    "serverless deploy",
    "sls deploy",
    "terraform apply",
    "twine upload",
    "yarn publish",
];

/// Words that begin or go on with a compound command, in which `;` is grammar.
const GRAMMAR: &[&str] = &[
    "if", "then", "else", "elif", "fi", "for", "do", "done", "while", "until", "case", "esac",
    "select", "function", "{", "}", "(", "!",
];

/// The name of a variable that a value refers to, though values are never expanded.
pub(crate) fn reference(value: &str) -> Option<&str> {
    for (at, _) in value.match_indices('$') {
        let rest = &value[at + 1..];
        let name = rest.strip_prefix('{').unwrap_or(rest);
        let end = name.find(|char: char| !is_word(char)).unwrap_or(name.len());
        let closed = name.len() == rest.len() || name[end..].starts_with('}');
        let named = name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_');
        if named && closed {
            let braces = if name.len() == rest.len() { 0 } else { 2 };
            return Some(&value[at..at + 1 + end + braces]);
        }
    }
    None
}

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

/// Whether a version loses something when it is read as a number: `3.10` is 3.1.
pub(crate) fn loses_its_zero(version: &str) -> bool {
    let Some((whole, part)) = version.split_once('.') else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(part) && part.ends_with('0')
}

/// Whether a command uses `[[`, which a POSIX shell takes for a program.
pub(crate) fn uses_double_bracket(command: &str) -> bool {
    if command.contains("bash") || command.starts_with("#!") {
        return false;
    }
    let unquoted = unquoted(command);
    unquoted.split_whitespace().any(|word| word == "[[")
}

/// The command of a chain on one line whose exit status nobody sees.
pub(crate) fn hidden_status(command: &str) -> Option<&str> {
    let line = command.trim();
    if line.contains(['\n', '\r']) || line.contains("set -") || line.contains("trap ") {
        return None;
    }
    let unquoted = unquoted(line);
    let parts = parts(&unquoted, line);
    let (_, hidden) = parts.split_last()?;
    let grammar = |part: &&str| {
        let word = part.split_whitespace().next().unwrap_or_default();
        GRAMMAR.contains(&word) || part.contains("() {") || part.contains(";;")
    };
    if parts.iter().any(grammar) {
        return None;
    }
    hidden.iter().copied().find(|part| can_fail(part))
}

/// What is between the semicolons of `unquoted`, which is `line` with the same length.
fn parts<'t>(unquoted: &str, line: &'t str) -> Vec<&'t str> {
    let mut start = 0;
    let ends = unquoted.match_indices(';').map(|(at, _)| at).chain([line.len()]);
    let parts = ends.map(|end| {
        let part = line[start..end].trim();
        start = (end + 1).min(line.len());
        part
    });
    parts.filter(|part| !part.is_empty()).collect()
}

/// Whether a command's failure matters: printing and setting hardly fail.
fn can_fail(part: &str) -> bool {
    let word = part.split_whitespace().next().unwrap_or_default();
    let harmless = ["echo", "printf", "export", "true", ":", "unset", "sleep", "date", "pwd"];
    let assigns = word.split_once('=').is_some_and(|(name, _)| name.chars().all(is_word));
    let handled = part.contains("||");
    !(harmless.contains(&word) || assigns || handled)
}

/// What a command deploys with.
pub(crate) fn deploys(command: &str) -> Option<&'static str> {
    let unquoted = unquoted(command);
    let words: Vec<_> = unquoted.split_whitespace().collect();
    let plain = words.join(" ");
    DEPLOYS.iter().copied().find(|deploy| {
        plain.match_indices(deploy).any(|(at, _)| {
            let before = plain[..at].chars().next_back();
            let after = plain[at + deploy.len()..].chars().next();
            before.is_none_or(|char| matches!(char, ' ' | ';' | '&' | '(' | '/'))
                && after.is_none_or(|char| matches!(char, ' ' | ';' | '&' | ')'))
        })
    })
}

/// Whether a command asks if the build went well so far.
pub(crate) fn asks_for_success(command: &str) -> bool {
    command.contains("CODEBUILD_BUILD_SUCCEEDING")
}

/// The text with what stands in quotes, substitutions and comments made blank, byte for byte.
fn unquoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quote: Option<char> = None;
    let mut depth = 0_usize;
    let mut before = ' ';
    let mut chars = text.chars();
    let mut comment = false;
    while let Some(char) = chars.next() {
        let inside = quote.is_some() || depth > 0 || comment;
        match (char, quote) {
            ('\n', _) if comment => comment = false,
            _ if comment => {}
            ('\\', None | Some('"' | '`')) => {
                blank(&mut out, char);
                if let Some(escaped) = chars.next() {
                    blank(&mut out, escaped);
                }
                before = '\\';
                continue;
            }
            (_, Some(open)) if char == open => quote = None,
            (_, Some(_)) => {}
            ('\'' | '"' | '`', None) => quote = Some(char),
            ('(', None) if before == '$' || depth > 0 => depth += 1,
            (')', None) => depth = depth.saturating_sub(1),
            ('#', None) if before.is_whitespace() => comment = true,
            (_, None) => {}
        }
        let still = quote.is_some() || depth > 0 || comment;
        if inside || still {
            blank(&mut out, char);
        } else {
            out.push(char);
        }
        before = char;
    }
    out
}

/// As many blanks as the character has bytes; lines stay lines.
fn blank(out: &mut String, char: char) {
    if char == '\n' {
        out.push(char);
    } else {
        (0..char.len_utf8()).for_each(|_| out.push(' '));
    }
}

#[cfg(test)]
mod tests;
