//! What runs, and is probably not what its author meant. It looks at one text at a time and must
//! know neither YAML nor places: what it finds, it finds as bytes of that text.

mod blank;
mod carry;
mod deploy;
mod dialect;
mod shell;
mod status;
mod value;

pub(crate) use carry::{Lost, lost};
pub(crate) use deploy::{asks_for_success, deploys, ecr_get_login};
pub use dialect::needs_bash;
pub(crate) use dialect::{bashism, is_powershell};
pub(crate) use shell::Script;
pub(crate) use status::{hidden_behind_pipe, hidden_status};
pub(crate) use value::{is_secret, loses_its_zero, names_set, reference};

#[cfg(test)]
mod tests;
