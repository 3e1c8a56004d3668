//! UPLOAD_ARTIFACTS: the files that the build leaves behind.

mod deflate;
mod key;
mod pack;
mod select;
mod upload;
mod zip_format;

pub(crate) use upload::upload;
