//! Build minutes by project and compute type, with what they cost: a month of them as a page, and
//! by day as CSV.

use super::shown;
use crate::{
    console::{
        answer::{NoPage, page},
        calendar::{Day, Month},
        frame::{Frame, Section},
        session::Visitor,
        words,
    },
    http::Front,
    prices::{Amount, Prices},
};
use askama::Template;
use axum::{
    Router,
    extract::{Query, State},
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use std::{fmt::Write, sync::Arc};
use store::Metered;

pub(super) fn routes() -> Router<Arc<Front>> {
    Router::new()
        .route("/console/minutes", get(minutes))
        .route("/console/minutes.csv", get(minutes_csv))
}

#[derive(Template)]
#[template(path = "minutes.html")]
struct Minutes {
    frame: Frame,
    bill: Bill,
    has_prices: bool,
    previous: Option<Month>,
    next: Option<Month>,
}

/// What the builds of a month took.
pub(super) struct Bill {
    pub(super) month: Month,
    pub(super) rows: Vec<BillRow>,
    /// All of it together.
    pub(super) builds: String,
    pub(super) minutes: String,
    pub(super) cost: Option<String>,
    /// Whether there are minutes without a price beside those with one.
    pub(super) is_partly: bool,
    /// The minutes of the row that has most of them.
    pub(super) most: u64,
}

/// What the builds of a project took of one compute type.
pub(super) struct BillRow {
    pub(super) project: String,
    pub(super) path: String,
    pub(super) class: String,
    pub(super) builds: String,
    pub(super) failed: String,
    pub(super) count: u64,
    pub(super) minutes: String,
    pub(super) price: Option<String>,
    pub(super) cost: Option<String>,
}

impl Bill {
    /// The bill of a region.
    pub(super) async fn of(front: &Front, region: &str, month: Month) -> Result<Self, NoPage> {
        let metered = front.codebuild.store.ended_by_project(region, month.days()).await?;
        Ok(Self::new(&front.codebuild.config.prices, month, &metered))
    }

    fn new(prices: &Prices, month: Month, metered: &[Metered]) -> Self {
        let sum = |of: fn(&Metered) -> u64| metered.iter().map(of).sum::<u64>();
        let costs: Vec<Option<Amount>> = metered
            .iter()
            .map(|row| prices.of(&row.class).map(|price| price.times(row.minutes)))
            .collect();
        let cost = costs.iter().flatten().copied().reduce(Amount::plus);
        let rows = metered.iter().zip(&costs).map(|(row, cost)| BillRow {
            path: shown::project_path(&row.project),
            project: row.project.clone(),
            class: row.class.clone(),
            builds: words::count(row.counts.builds()),
            failed: words::count(row.counts.failed),
            count: row.minutes,
            minutes: words::count(row.minutes),
            price: prices.of(&row.class).map(|price| price.to_string()),
            cost: cost.map(Amount::rounded),
        });
        let said = |cost: Amount| format!("{} {}", cost.rounded(), prices.currency);
        Self {
            month,
            rows: rows.collect(),
            builds: words::count(sum(|row| row.counts.builds())),
            minutes: words::count(sum(|row| row.minutes)),
            is_partly: cost.is_some() && costs.iter().any(Option::is_none),
            cost: cost.map(said),
            most: metered.iter().map(|row| row.minutes).max().unwrap_or_default().max(1),
        }
    }

    /// Whether nothing was built.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The same with the first rows only, and the sum of all.
    pub(super) fn largest(mut self, rows: usize) -> Self {
        self.rows.truncate(rows);
        self
    }
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    month: String,
}

impl Wanted {
    fn month(&self) -> Result<Month, NoPage> {
        match self.month.as_str() {
            "" => Ok(Month::of(Day::of(shown::now()))),
            text => Month::parse(text)
                .ok_or_else(|| NoPage::missing(format!("{text} is no month as in 2026-11."))),
        }
    }
}

async fn minutes(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, NoPage> {
    let month = wanted.month()?;
    let region = visitor.caller.region.clone();
    let bill = Bill::of(&front, &region, month).await?;
    let first = front.codebuild.store.ended_since(&region).await?;
    let today = Day::of(shown::now()).number();
    let has_earlier = first.is_some_and(|first| first < month.days().start);
    let has_later = month.days().end <= today;
    let title = format!("Build minutes of {month}");
    let frame = Frame::new(&front, visitor, title, Section::Yard).await;
    Ok(page(Minutes {
        frame,
        bill,
        has_prices: !front.codebuild.config.prices.per_minute.is_empty(),
        previous: has_earlier.then(|| month.previous()),
        next: has_later.then(|| month.next()),
    }))
}

/// What was counted on each day of the month, for a table of the reader's own.
async fn minutes_csv(
    State(front): State<Arc<Front>>,
    visitor: Visitor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, NoPage> {
    let month = wanted.month()?;
    let region = &visitor.caller.region;
    let metered = front.codebuild.store.ended_by_day(region, month.days()).await?;
    let text = csv(&front.codebuild.config.prices, region, &metered);
    let attachment = format!("attachment; filename=\"build-minutes-{}.csv\"", month.key());
    let kind = "text/csv; charset=utf-8".to_owned();
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, attachment)], text).into_response())
}

fn csv(prices: &Prices, region: &str, metered: &[Metered]) -> String {
    let mut text = "day,region,project,compute_type,succeeded,failed,stopped,seconds,minutes,\
                    price_per_minute,cost,currency\r\n"
        .to_owned();
    let currency = field(&prices.currency);
    for row in metered {
        let counts = row.counts;
        let (day, seconds) = (Day::new(row.day).iso(), counts.millis / 1_000);
        let price = prices.of(&row.class);
        let price_text = price.map_or_else(String::new, |price| price.to_string());
        let cost = price.map_or_else(String::new, |price| price.times(row.minutes).to_string());
        let currency = if price.is_some() { currency.as_str() } else { "" };
        let (succeeded, failed, stopped) = (counts.succeeded, counts.failed, counts.stopped);
        let (project, class, minutes) = (field(&row.project), field(&row.class), row.minutes);
        let _ = write!(
            text,
            "{day},{region},{project},{class},{succeeded},{failed},{stopped},{seconds},{minutes},\
             {price_text},{cost},{currency}\r\n"
        );
    }
    text
}

/// A text as a field of CSV.
fn field(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{Bill, csv};
    use crate::{
        console::calendar::{Day, Month},
        prices::Prices,
    };
    use store::{EndedCounts, Metered};

    fn row(project: &str, class: &str, minutes: u64) -> Metered {
        Metered {
            day: 20_783,
            project: project.to_owned(),
            class: class.to_owned(),
            counts: EndedCounts { succeeded: 2, failed: 1, stopped: 0, millis: 61_500 },
            minutes,
        }
    }

    fn prices() -> Prices {
        let text = "currency = 'C,D'\nper_minute = { BUILD_GENERAL1_SMALL = 0.005 }";
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_bill_is_the_sum_of_what_has_a_price() {
        let rows =
            [row("shop", "BUILD_GENERAL1_SMALL", 1_043), row("shop", "BUILD_GENERAL1_LARGE", 5)];
        let bill = Bill::new(&prices(), Month::of(Day::new(20_783)), &rows);
        assert_eq!((bill.minutes.as_str(), bill.builds.as_str()), ("1,048", "6"));
        assert_eq!(bill.cost.as_deref(), Some("5.22 C,D"));
        assert!(bill.is_partly);
        assert_eq!(bill.rows[0].price.as_deref(), Some("0.005"));
        assert_eq!(bill.rows[1].cost, None);
        let bill = Bill::new(&Prices::default(), Month::of(Day::new(20_783)), &rows);
        assert_eq!((bill.cost, bill.is_partly), (None, false));
    }

    #[test]
    fn as_csv_each_day_has_a_line_and_costs_are_exact() {
        let rows = [row("shop", "BUILD_GENERAL1_SMALL", 43), row("shop", "other", 5)];
        let text = csv(&prices(), "eu-west-1", &rows);
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        assert_eq!(
            lines[1..],
            [
                "2026-11-26,eu-west-1,shop,BUILD_GENERAL1_SMALL,2,1,0,61,43,0.005,0.215,\"C,D\"",
                "2026-11-26,eu-west-1,shop,other,2,1,0,61,5,,,",
            ]
        );
        assert_eq!(lines[0].split(',').count(), 12);
    }
}
