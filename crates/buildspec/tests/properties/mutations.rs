//! Buildspecs of the corpus, damaged at random: for a few seconds with every test run, and for as
//! long as wanted with `BUILDSPEC_FUZZ_SECONDS=3600 cargo nextest run -p buildspec mutations`.
//!
//! Each run has texts of its own; a text that breaks a promise is printed whole.

use super::{PIECES, check};
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// How long the run is when nobody says so.
const SECONDS_DEFAULT: u64 = 3;
/// How long one text may take.
const TEXT_MAX: Duration = Duration::from_secs(5);

/// Numbers that look random: Marsaglia's xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % count.max(1) as u64).unwrap()
    }

    fn one<'t, T: ?Sized>(&mut self, of: &[&'t T]) -> &'t T {
        of[self.below(of.len())]
    }
}

fn seeds() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.extension().is_some_and(|end| end == "yml"));
    files.map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

/// A place in a text at which a character begins.
fn place(dice: &mut Dice, text: &str) -> usize {
    let at = dice.below(text.len() + 1);
    text.floor_char_boundary(at)
}

fn damaged(dice: &mut Dice, text: &str, other: &str) -> String {
    let at = place(dice, text);
    let (before, behind) = text.split_at(at);
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let line = dice.below(lines.len());
    match dice.below(10) {
        0 => return format!("{before}{}{behind}", dice.one(PIECES)),
        1 => return format!("{before}{}", behind.chars().skip(1).collect::<String>()),
        2 => return format!("{before}{}", &other[place(dice, other)..]),
        3 => return text.replace('\n', "\r\n"),
        4 => {
            let end = at + place(dice, behind);
            let twice = &text[at..end];
            return format!("{before}{twice}{behind}");
        }
        5 => drop(lines.remove(line)),
        6 => lines[line] = format!("{}{}", " ".repeat(dice.below(5)), lines[line]),
        7 => lines[line] = lines[line].chars().skip(dice.below(4)).collect(),
        8 => lines[line] = lines[line].replacen("  ", "\t", 1),
        _ => {
            let copy = lines[dice.below(lines.len())].clone();
            lines.insert(line, copy);
        }
    }
    lines.join("\n")
}

#[test]
fn no_damage_makes_it_panic_or_slow() {
    let seconds = std::env::var("BUILDSPEC_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS_DEFAULT, |seconds| seconds.parse().unwrap());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut dice = Dice(u64::from(now.subsec_nanos()) << 20 | 1);
    let seeds = seeds();
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut texts = seeds.clone();
    let mut runs = 0_u64;
    while Instant::now() < until {
        let (text, other) = (dice.below(texts.len()), dice.below(seeds.len()));
        let text = damaged(&mut dice, &texts[text], &seeds[other]);
        let start = Instant::now();
        let kept = catch_unwind(|| check(&text)).is_ok() && start.elapsed() < TEXT_MAX;
        assert!(kept, "a promise is broken, or kept too late, for {text:?}");
        // Damage adds up, but a text that is nothing but damage finds nothing new.
        let slot = dice.below(texts.len());
        let fresh = dice.below(4) == 0 || text.len() > 20_000;
        texts[slot] = if fresh { seeds[other].clone() } else { text };
        runs += 1;
    }
    println!("executions: {runs}");
}
