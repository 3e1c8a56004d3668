//! What commands use of the machine: read from the container's control group where it has one, from
//! the kernel's accounts of ended processes elsewhere.

mod advice;
mod group;
mod meter;
mod network;
mod sampler;

pub(crate) use advice::{advice, bytes};
pub(crate) use meter::Meter;
