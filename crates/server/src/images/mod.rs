//! The images of builds: from the name in a project to an image that this machine has.
//!
//! `names` says what a name means here; `builds` brings the image in for a build, with the credential
//! of its project; `curated` finds the images that this machine offers; `recipe` is what images are made from here; `settings` is what an operator says of
//! images.

mod builds;
mod curated;
mod names;
mod recipe;
mod settings;

pub use builds::{BuildImages, Provided, Pulling};
pub use curated::{CuratedImage, CuratedImages};
pub use names::{ImageName, Names};
pub use recipe::{Overrides, RecipeDocument};
pub use settings::ImagesSettings;
