//! A problem as a person reads it in a terminal.

use crate::problem::{Problem, Severity};
use std::fmt::Write;

/// How much of a long line is shown.
const WINDOW: usize = 100;
/// How much of it stands before the place.
const BEFORE: usize = 60;

impl Problem {
    /// The problem with its source line, a caret under the place, and what would be right.
    /// `text` is what was parsed.
    pub fn render(&self, file_name: &str, text: &str) -> String {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut out =
            format!("{file_name}:{}:{}: {severity}: {}\n", self.line, self.column, self.message);
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let line = nth_line(text, self.line);
        let margin = self.line.to_string().len();
        if let Some(line) = line.filter(|line| !line.trim().is_empty()) {
            let (shown, caret) = window(line, self.column, self.width);
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{:margin$} |", "");
            let _ = writeln!(out, "{} | {shown}", self.line);
            let _ = writeln!(out, "{:margin$} | {caret}", "");
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{:margin$} = help: {help}", "");
        }
        out
    }
}

/// A line as YAML counts them: `\r\n`, `\n` and a lone `\r` each end one.
fn nth_line(text: &str, number: usize) -> Option<&str> {
    let mut rest = text;
    for _ in 1..number {
        let end = rest.find(['\n', '\r'])?;
        let skipped = if rest[end..].starts_with("\r\n") { 2 } else { 1 };
        rest = &rest[end + skipped..];
    }
    Some(&rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())])
}

/// The part of a line around a column, and the carets under it.
fn window(line: &str, column: usize, width: usize) -> (String, String) {
    let fits = line.chars().nth(WINDOW).is_none();
    let skipped = if fits { 0 } else { column.saturating_sub(1).saturating_sub(BEFORE) };
    let mut chars = line.chars().skip(skipped);
    let mut shown: String = chars
        .by_ref()
        .take(WINDOW)
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    let shown_chars = shown.chars().count();
    let before = column.saturating_sub(1).saturating_sub(skipped).min(shown_chars);
    let carets = width.min(shown_chars.saturating_sub(before)).max(1);
    if chars.next().is_some() {
        shown.push('…');
    }
    let lead = if skipped > 0 { "…" } else { "" };
    let indent = before + lead.chars().count();
    (format!("{lead}{shown}"), format!("{:indent$}{}", "", "^".repeat(carets)))
}
