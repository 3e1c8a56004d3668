//! The agent as the executor starts it: orders on fd 3, a journal on fd 4, real shells.

mod agent;
mod session;
mod shell;
