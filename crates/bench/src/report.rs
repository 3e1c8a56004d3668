//! The lines that are printed.

use std::{fs, io::Write, time::Duration};

/// How long something took, each time.
#[derive(Default)]
pub(crate) struct Times(pub(crate) Vec<Duration>);

impl Times {
    /// The time that `percent` of them were not above, in milliseconds.
    fn percentile(&self, percent: usize) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = sorted.len().checked_sub(1)? * percent / 100;
        Some(sorted[at].as_secs_f64() * 1_000.0)
    }
}

/// Prints each measure as soon as there is one.
#[derive(Default)]
pub(crate) struct Report;

impl Report {
    /// Says what the machine is, and whether it is idle.
    pub(crate) fn machine(&mut self) {
        line(&machine());
    }

    pub(crate) fn times(&mut self, what: &str, times: &Times) {
        let at = |percent| times.percentile(percent);
        let (Some(p10), Some(p50), Some(p90), Some(p99)) = (at(10), at(50), at(90), at(99)) else {
            return line(&format!("{what}: not measured"));
        };
        line(&format!(
            "{what}: {p50:.1} ms (p10 {p10:.1}, p90 {p90:.1}, p99 {p99:.1}; {} runs)",
            times.0.len()
        ));
    }

    pub(crate) fn ratio(&mut self, what: &str, these: &Times, those: &Times) {
        if let (Some(these), Some(those)) = (these.percentile(50), those.percentile(50)) {
            line(&format!("{what}: {:.2}", these / those));
        }
    }

    pub(crate) fn throughput(&mut self, what: &str, bytes: u64, times: &Times) {
        let rate = |percent| Some(bytes as f64 / 1_000.0 / times.percentile(percent)?);
        if let (Some(middle), Some(least), Some(most)) = (rate(50), rate(100), rate(0)) {
            line(&format!(
                "{what}: {middle:.0} MB/s (least {least:.0}, most {most:.0}; {} runs)",
                times.0.len()
            ));
        }
    }

    pub(crate) fn rate(&mut self, what: &str, count: usize, times: &[Duration]) {
        let mut rates: Vec<f64> =
            times.iter().map(|taken| count as f64 / taken.as_secs_f64()).collect();
        rates.sort_unstable_by(f64::total_cmp);
        let (Some(least), Some(most)) = (rates.first(), rates.last()) else { return };
        let median = rates[rates.len() / 2];
        line(&format!(
            "{what}: {median:.0} per second (least {least:.0}, most {most:.0}; {} runs)",
            rates.len()
        ));
    }

    pub(crate) fn size(&mut self, what: &str, bytes: u64) {
        line(&format!("{what}: {:.2} MiB", bytes as f64 / f64::from(1 << 20)));
    }
}

/// What the machine is, and how busy.
pub(crate) fn machine() -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name\t: "));
    let count = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory = read("/proc/meminfo");
    let memory = memory.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
    let load = read("/proc/loadavg");
    format!(
        "machine: {count} x {}, {} GiB, Linux {}, load {}",
        model.unwrap_or("processor"),
        memory.unwrap_or_default() >> 20,
        read("/proc/sys/kernel/osrelease").trim(),
        load.split(' ').next().unwrap_or_default(),
    )
}

fn line(text: &str) {
    writeln!(std::io::stdout(), "{text}").expect("somebody reads the report");
}
