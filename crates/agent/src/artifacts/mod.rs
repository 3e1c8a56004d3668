//! UPLOAD_ARTIFACTS: the files that the build leaves behind.

mod key;
mod pack;
mod select;
mod upload;

pub(crate) use upload::upload;
