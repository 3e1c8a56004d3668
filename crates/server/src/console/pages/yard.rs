//! The whole yard: what runs, what waits and why, what has ended last, and how the last month went.

use super::{
    minutes::Bill,
    shown::{self, BuildRow, Mark},
};
use crate::{
    build_request::compute,
    console::{
        answer::{NoPage, page},
        calendar::{Day, Month},
        chart::Chart,
        frame::{Frame, Pulse, Section},
        session::Visitor,
        words::{self, Moment},
    },
    driver::Survey,
    http::Front,
};
use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use build_core::{BuildId, queue::Wait};
use std::{ops::Range, sync::Arc};
use store::EndedCounts;
use wire::codebuild;

/// Builds that have ended, that run, and that wait, on this page.
const ENDED_MAX: usize = 10;
const RUNNING_MAX: usize = 50;
const WAITING_MAX: usize = 20;
/// The last days that the charts are about.
const DAYS: i64 = 30;
/// Projects in the list of those with the most minutes.
const PROJECTS_MAX: usize = 6;

const HOUR_MILLIS: i64 = 3_600_000;
const HOURS_OF_DAY: i64 = 24;

pub(super) fn routes() -> Router<Arc<Front>> {
    Router::new().route("/console", get(yard)).route("/console/now", get(now))
}

#[derive(Template)]
#[template(path = "yard.html")]
struct Yard {
    frame: Frame,
    now: Now,
    ended: Ended,
    month: Option<LastMonth>,
}

/// What changes from moment to moment.
#[derive(Template)]
#[template(path = "now.html")]
struct Now {
    pulse: Pulse,
    at_once_max: usize,
    memory: String,
    memory_max: String,
    /// In thousandths of what there is.
    memory_used: u64,
    waiting_since: Option<Moment>,
    day: EndedCounts,
    day_took: String,
    under_way: Vec<UnderWay>,
    /// Builds under way of this region that are not shown, and those of others.
    more: usize,
    elsewhere: usize,
    draining: bool,
}

/// What has ended last.
#[derive(Template)]
#[template(path = "ended.html")]
struct Ended {
    builds: Vec<BuildRow>,
    /// Nothing is under way either.
    is_quiet: bool,
}

/// The same for the page that has it already.
#[derive(Template)]
#[template(
    source = r#"{{ now.pulse|safe }}<div id="now">{{ now|safe }}</div><div id="ended">{{ ended|safe }}</div>"#,
    ext = "html"
)]
struct Fresh {
    now: Now,
    ended: Ended,
}

/// A build under way.
struct UnderWay {
    row: BuildRow,
    /// Its phase, or why it waits.
    what: String,
}

/// The last days, and what the builds of this month took.
struct LastMonth {
    total: String,
    percent_failed: u64,
    builds: Chart,
    failures: Chart,
    bill: Bill,
}

async fn yard(State(front): State<Arc<Front>>, visitor: Visitor) -> Result<Response, NoPage> {
    let month = last_month(&front, &visitor).await?;
    let (now, ended) = what_is_now(&front, &visitor).await?;
    let frame = Frame::new(&front, visitor, "The yard", Section::Yard).await;
    Ok(page(Yard { frame, now, ended, month }))
}

/// The parts of the page that change, which it asks for while it is looked at.
async fn now(State(front): State<Arc<Front>>, visitor: Visitor) -> Result<Response, NoPage> {
    let (now, ended) = what_is_now(&front, &visitor).await?;
    Ok(page(Fresh { now, ended }))
}

async fn what_is_now(front: &Arc<Front>, visitor: &Visitor) -> Result<(Now, Ended), NoPage> {
    let region = &visitor.caller.region;
    let survey = front.codebuild.driver.survey(region).await;
    let now = shown::now();
    let hour = now.millis() / HOUR_MILLIS;
    let day = sum(&hours(front, region, hour + 1 - HOURS_OF_DAY..hour + 1).await?);
    let ended = front.codebuild.store.ended_build_ids(region, ENDED_MAX).await?;
    let ended = shown::builds(front, &visitor.caller, ended).await?;
    let (under_way, more) = under_way(front, visitor, &survey).await?;
    let here = survey.running.len() + survey.waiting.len();
    let capacity = front.capacity;
    let ended = Ended {
        builds: ended.iter().map(|build| BuildRow::new(build, now)).collect(),
        is_quiet: under_way.is_empty(),
    };
    let now = Now {
        pulse: Pulse::from(&survey.counts),
        at_once_max: capacity.builds_max,
        memory: words::size(survey.memory_bytes),
        memory_max: words::size(capacity.memory_bytes),
        memory_used: (survey.memory_bytes.saturating_mul(1_000) / capacity.memory_bytes.max(1))
            .min(1_000),
        waiting_since: survey.counts.queued_since.map(|since| {
            let since = wire::Timestamp::from_millis(i64::try_from(since.millis()).unwrap_or(0));
            words::moment(since, now)
        }),
        day_took: words::duration(i64::try_from(day.millis).unwrap_or(i64::MAX)),
        day,
        under_way,
        more,
        elsewhere: (survey.counts.running + survey.counts.queued).saturating_sub(here),
        draining: survey.draining,
    };
    Ok((now, ended))
}

/// The builds under way, and how many more there are.
async fn under_way(
    front: &Arc<Front>,
    visitor: &Visitor,
    survey: &Survey,
) -> Result<(Vec<UnderWay>, usize), NoPage> {
    let waiting = survey.waiting.iter().map(|(id, wait)| (id, Some(*wait))).take(WAITING_MAX);
    let running = survey.running.iter().map(|id| (id, None)).take(RUNNING_MAX);
    let asked: Vec<(&BuildId, Option<Wait>)> = running.chain(waiting).collect();
    let more = survey.running.len() + survey.waiting.len() - asked.len();
    let ids = asked.iter().map(|(id, _)| id.to_string()).collect();
    let found = shown::builds(front, &visitor.caller, ids).await?;
    let now = shown::now();
    let rows = found.iter().map(|build| {
        let wait = asked.iter().find(|(id, _)| build.id.as_deref() == Some(&*id.to_string()));
        UnderWay {
            what: match wait.and_then(|(_, wait)| *wait) {
                None => build.current_phase.clone().unwrap_or_default(),
                Some(wait) => reason(front, survey, build, wait),
            },
            row: BuildRow::new(build, now),
        }
    });
    Ok((rows.collect(), more))
}

/// Why a build waits, in words.
fn reason(front: &Front, survey: &Survey, build: &codebuild::Build, wait: Wait) -> String {
    if survey.draining {
        return "The service is about to end".to_owned();
    }
    match wait {
        Wait::Nothing => "It is about to begin".to_owned(),
        Wait::Builds => match front.capacity.builds_max {
            1 => "The one place is taken".to_owned(),
            places => format!("All {places} places are taken"),
        },
        Wait::Memory => {
            let environment = build.environment.as_ref();
            let gib = environment.map_or(0, |it| compute(&it.compute_type).memory_gib);
            format!("Its {gib} GiB of memory do not fit beside what runs")
        }
        Wait::Behind(1) => "Another build of its project is before it".to_owned(),
        Wait::Behind(before) => {
            format!("{} builds of its project are before it", words::count(before as u64))
        }
    }
}

async fn last_month(front: &Arc<Front>, visitor: &Visitor) -> Result<Option<LastMonth>, NoPage> {
    let region = &visitor.caller.region;
    let today = Day::of(shown::now());
    let first = today.number() + 1 - DAYS;
    let hours =
        hours(front, region, first * HOURS_OF_DAY..(today.number() + 1) * HOURS_OF_DAY).await?;
    let total = sum(&hours);
    let bill = Bill::of(front, region, Month::of(today)).await?;
    if total.builds() == 0 && bill.is_empty() {
        return Ok(None);
    }
    let mut days: Vec<(Day, EndedCounts)> =
        (first..=today.number()).map(|number| (Day::new(number), EndedCounts::default())).collect();
    for (hour, counts) in &hours {
        let at = usize::try_from(hour.div_euclid(HOURS_OF_DAY) - first).unwrap_or(usize::MAX);
        if let Some((_, day)) = days.get_mut(at) {
            day.add(counts);
        }
    }
    Ok(Some(LastMonth {
        total: words::count(total.builds()),
        percent_failed: total.failed * 100 / total.builds().max(1),
        builds: Chart::builds(format!("Builds on each of the last {DAYS} days"), &days),
        failures: Chart::failures(format!("Failed builds on each of the last {DAYS} days"), &days),
        bill: bill.largest(PROJECTS_MAX),
    }))
}

async fn hours(
    front: &Front,
    region: &str,
    hours: Range<i64>,
) -> Result<Vec<(i64, EndedCounts)>, NoPage> {
    Ok(front.codebuild.store.ended_by_hour(region, hours).await?)
}

fn sum(hours: &[(i64, EndedCounts)]) -> EndedCounts {
    let mut sum = EndedCounts::default();
    for (_, counts) in hours {
        sum.add(counts);
    }
    sum
}
