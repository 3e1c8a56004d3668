//! What all pages have around them.

use super::{assets, session::Visitor};
use crate::{driver::Counts, http::Front};
use askama::Template;

/// The part of the console that a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// None of them.
    None,
    /// What runs.
    Yard,
    /// Projects and their builds.
    Projects,
    /// All builds.
    Builds,
    /// Log groups.
    Logs,
    /// Buckets.
    Objects,
    /// What is set, and how clients are set up.
    Settings,
}

/// A link of the bar at the top.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) is_here: bool,
}

/// What runs and what waits, in few words.
#[derive(Default, Template)]
#[template(path = "pulse.html")]
pub(super) struct Pulse {
    pub(super) running: usize,
    pub(super) queued: usize,
}

impl From<&Counts> for Pulse {
    fn from(counts: &Counts) -> Self {
        Self { running: counts.running, queued: counts.queued }
    }
}

/// What all pages have around them.
pub(super) struct Frame {
    /// What the page is about, for the browser's tab.
    pub(super) title: String,
    /// Nobody has signed in: there is no bar.
    pub(super) visitor: Option<Visitor>,
    pub(super) pulse: Pulse,
    section: Section,
}

impl Frame {
    /// The frame of a page that is somebody's.
    pub(super) async fn new(
        front: &Front,
        visitor: Visitor,
        title: impl Into<String>,
        section: Section,
    ) -> Self {
        let counts = front.codebuild.driver.counts().await;
        Self { title: title.into(), visitor: Some(visitor), pulse: Pulse::from(&counts), section }
    }

    /// The frame of a page for which nobody needs to have signed in.
    pub(super) fn of_nobody(title: impl Into<String>, section: Section) -> Self {
        Self { title: title.into(), visitor: None, pulse: Pulse::default(), section }
    }

    pub(super) fn entries(&self) -> [Entry; 6] {
        [
            ("Yard", "/console", Section::Yard),
            ("Projects", "/console/projects", Section::Projects),
            ("Builds", "/console/builds", Section::Builds),
            ("Logs", "/console/logs", Section::Logs),
            ("Objects", "/console/objects", Section::Objects),
            ("Settings", "/console/settings", Section::Settings),
        ]
        .map(|(name, path, section)| Entry {
            name,
            path,
            is_here: section == self.section,
        })
    }

    /// What each form of the page holds.
    pub(super) fn form_token(&self) -> &str {
        self.visitor.as_ref().map_or("", |visitor| &visitor.form_token)
    }

    pub(super) fn style(&self) -> String {
        assets::path("console.css")
    }

    pub(super) fn script(&self) -> String {
        assets::path("console.js")
    }
}
