//! A build shown on a terminal.
