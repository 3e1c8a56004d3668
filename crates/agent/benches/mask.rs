//! What masking costs: a line for each kind of text and of secrets, in megabytes per second.

#![expect(clippy::print_stdout, reason = "the lines are the result")]
#![allow(dead_code, reason = "the module is the agent's, of which a part is measured")]

#[path = "../src/mask/mod.rs"]
mod mask;

use mask::Mask;
use std::hint::black_box;
use std::time::Instant;

/// As much as is read from the output's pipe at once.
const PIECE_BYTES: usize = 64 * 1024;
const TEXT_BYTES: usize = 64 << 20;
const RUNS: usize = 5;

fn main() {
    let prose =
        text("[INFO] Compiling module demo-api v1.2.3 (/codebuild/output/src42/src) in 12ms\n");
    let capitals = text("A KIA ASI AKI SECRET_ACCESS=AAAAAAAAAA BUILD_GENERAL1_SMALL ASIA AKIA\n");
    let one = vec!["correct-horse-battery-staple".to_owned()];
    let few: Vec<String> = (0..20).map(|n| format!("{n:x}Zk9-{}", n * 7_919)).collect();
    let long: Vec<String> =
        (0..20).map(|n| format!("{n}{}", "0123456789abcdef".repeat(1_000))).collect();
    let common = vec!["Compiling module demo-web".to_owned(), "[INFO] Compiled".to_owned()];
    let found = vec!["demo-api".to_owned()];
    measure("no secrets, prose", &[], &prose);
    measure("no secrets, capitals", &[], &capitals);
    measure("one secret, prose", &one, &prose);
    measure("20 secrets, prose", &few, &prose);
    measure("20 secrets of 16 KB, prose", &long, &prose);
    measure("secrets that nearly are in every line", &common, &prose);
    measure("a secret in every line", &found, &prose);
}

fn text(line: &str) -> Vec<u8> {
    line.bytes().cycle().take(TEXT_BYTES).collect()
}

fn measure(name: &str, values: &[String], text: &[u8]) {
    let mut rates: Vec<f64> = (0..RUNS).map(|_| rate(values, text)).collect();
    rates.sort_by(f64::total_cmp);
    println!("{name:40} {:8.0} MB/s (slowest {:.0})", rates[RUNS / 2], rates[0]);
}

fn rate(values: &[String], text: &[u8]) -> f64 {
    let mut mask = Mask::default();
    if !values.is_empty() {
        mask.hide(values.iter().map(String::as_str));
    }
    let mut out = Vec::with_capacity(2 * PIECE_BYTES);
    let began = Instant::now();
    for piece in text.chunks(PIECE_BYTES) {
        out.clear();
        mask.push(piece, &mut out);
        black_box(&out);
    }
    text.len() as f64 / 1e6 / began.elapsed().as_secs_f64()
}
