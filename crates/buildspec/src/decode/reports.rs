//! The section `reports`.

use super::reader::Reader;
use crate::model::{Report, ReportFormat};
use crate::problem::Problem;
use crate::yaml::Entry;

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
                    let known = ReportFormat::ALL.map(|format| (format.name(), format));
                    let format = self.one_of(value, &format!("{path}.file-format"), &known);
                    report.file_format = format.unwrap_or_default();
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
}
