//! What is kept: records and events in SQLite, logs and objects in files.

pub mod objects;
