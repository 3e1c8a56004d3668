//! The section `reports`.

use super::reader::Reader;
use crate::model::{Report, ReportFormat};
use crate::problem::{Problem, Value};
use crate::yaml::{Entry, Node};

const REPORT_KEYS: &[&str] = &["files", "file-format", "base-directory", "discard-paths"];
/// How many report groups a build may have.
const REPORTS_MAX: usize = 5;

impl Reader<'_> {
    pub(super) fn reports(&mut self, section: &Entry) -> Vec<Report> {
        let entries = self.section(section, "reports");
        if let Some(extra) = entries.get(REPORTS_MAX) {
            self.problem(Problem::too_many_reports(extra.key_place, REPORTS_MAX));
        }
        entries.iter().map(|entry| self.report(entry)).collect()
    }

    fn report(&mut self, entry: &Entry) -> Report {
        let path = format!("reports.{}", entry.key);
        let mut report = Report {
            group: entry.key.to_string(),
            files: Vec::new(),
            file_format: ReportFormat::default(),
            base_directory: None,
            discard_paths: false,
        };
        let entries = self.mapping(&entry.value, &path);
        for inner in entries {
            let value = &inner.value;
            match &*inner.key {
                "files" => report.files = self.patterns(value, &format!("{path}.files")),
                "file-format" => {
                    report.file_format = self.report_format(value, &format!("{path}.file-format"));
                }
                "base-directory" => {
                    let base = self.optional_text(value, &format!("{path}.base-directory"));
                    report.base_directory = base;
                }
                "discard-paths" => {
                    let flag = self.flag(value, &format!("{path}.discard-paths"));
                    report.discard_paths = flag.unwrap_or_default();
                }
                _ => {
                    self.unknown_key(inner, &path, REPORT_KEYS);
                }
            }
        }
        let is_mapping = entry.value.is_null() || entry.value.entries().is_some();
        if is_mapping && !entries.iter().any(|inner| &*inner.key == "files") {
            self.problem(Problem::required(entry.key_place, &path, "files"));
        }
        report
    }

    /// A format that nothing reads is the default one: no report makes a build fail.
    fn report_format(&mut self, node: &Node, path: &str) -> ReportFormat {
        let Some(text) = self.optional_text(node, path) else { return ReportFormat::default() };
        let written = text.trim();
        let mut known = ReportFormat::ALL.into_iter();
        known.find(|format| format.name().eq_ignore_ascii_case(written)).unwrap_or_else(|| {
            let known = ReportFormat::ALL.map(ReportFormat::name);
            self.problem(Problem::unknown_format(node.place, Value { path, text: &text }, &known));
            ReportFormat::default()
        })
    }
}
