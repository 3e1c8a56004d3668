//! The driver with everything real but the containers: store, logs, journals and inotify in a
//! temporary folder, and an executor that follows a script.

mod ends;
mod journal;
mod numbers;
mod queue;
mod restart;
mod world;
