//! The agent as the executor starts it: orders on fd 3, a journal on fd 4, real shells.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::needless_pass_by_value, reason = "`expect!` stands where its text is compared")]

mod agent;
mod artifacts;
mod caches;
mod contract;
mod git;
mod git_server;
mod keeper;
mod process;
mod retry;
mod runtimes;
mod secrets;
mod session;
mod shell;
mod source;
mod source_cache;
mod store;
