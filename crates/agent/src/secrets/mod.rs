//! The variables whose values services keep: Parameter Store and Secrets Manager.

mod client;
mod fetch;
mod parameters;
mod secret_values;
mod sigv4;

pub(crate) use fetch::{Held, fetch};
