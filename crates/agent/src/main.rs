//! The environment's first process: source, phases, artifacts, journal.

fn main() {}
