//! The images of builds: from the name in a project to an image that this machine has.
//!
//! `names` says what a name means here; `builds` brings the image in for a build, with the credential
//! of its project; `settings` is what an operator says of images.

mod builds;
mod names;
mod settings;

pub use builds::{BuildImages, Provided, Pulling};
pub use names::{ImageName, Names};
pub use settings::ImagesSettings;
