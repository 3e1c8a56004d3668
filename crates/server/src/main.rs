//! `buildyard`: the service and the command line in one program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The sandbox's helper is this program again. It must be the first thing that runs: it is
    // single-threaded, and knows nothing of the command line.
    if std::env::args_os().nth(1).is_some_and(|first| first == executor::HELPER_VERB) {
        return executor::helper_main();
    }
    server::cli::main()
}
