//! Runs commands so that each finds the folder and the variables that the one before it left.

mod exports;
mod run;
mod script;
mod state;
mod user;

pub(crate) use run::{
    Beginning, Ended, Interpreter, Ran, Shell, Started, Succeeding, find_program,
};
pub(crate) use script::Carried;
pub(crate) use user::User;
