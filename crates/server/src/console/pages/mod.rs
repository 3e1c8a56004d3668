//! The pages, a file for each noun.

mod build;
mod builds;
mod log;
mod logs;
mod minutes;
mod objects;
mod project;
mod project_form;
mod projects;
mod settings;
mod shown;
mod start;
mod yard;

use crate::http::Front;
use axum::Router;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Front>> {
    Router::new()
        .merge(yard::routes())
        .merge(minutes::routes())
        .merge(projects::routes())
        .merge(project::routes())
        .merge(project_form::routes())
        .merge(start::routes())
        .merge(builds::routes())
        .merge(build::routes())
        .merge(log::routes())
        .merge(logs::routes())
        .merge(objects::routes())
        .merge(settings::routes())
}
