//! Days and months, as the service counts them: in UTC.

use jiff::civil::Date;
use std::{fmt, ops::Range};
use wire::Timestamp;

const DAY_MILLIS: i64 = 24 * 3_600_000;

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(i64);

impl Day {
    /// The day with this number; the first of 1970 has 0.
    pub(super) const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The day of a moment.
    pub(super) fn of(moment: Timestamp) -> Self {
        Self(moment.millis().div_euclid(DAY_MILLIS))
    }

    /// Its number.
    pub(super) const fn number(self) -> i64 {
        self.0
    }

    fn date(self) -> Date {
        let at = jiff::Timestamp::from_millisecond(self.0.saturating_mul(DAY_MILLIS));
        jiff::tz::TimeZone::UTC.to_datetime(at.unwrap_or_default()).date()
    }

    /// `2026-11-26`.
    pub(super) fn iso(self) -> String {
        self.date().to_string()
    }
}

impl fmt::Display for Day {
    /// `26 Nov`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date().strftime("%-d %b"))
    }
}

/// A month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Month {
    first: Date,
}

impl Month {
    /// The month of a day.
    pub(super) fn of(day: Day) -> Self {
        Self { first: day.date().first_of_month() }
    }

    /// The month that a text like `2026-11` names.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let (year, month): (i16, i8) = (year.parse().ok()?, month.parse().ok()?);
        // What there are no builds from need not be asked for.
        (1970..=9998).contains(&year).then_some(())?;
        Date::new(year, month, 1).ok().map(|first| Self { first })
    }

    /// `2026-11`.
    pub(super) fn key(self) -> String {
        self.first.strftime("%Y-%m").to_string()
    }

    /// The numbers of its days.
    pub(super) fn days(self) -> Range<i64> {
        self.begin()..self.next().begin()
    }

    fn begin(self) -> i64 {
        let epoch = Date::constant(1970, 1, 1);
        (self.first - epoch).get_days().into()
    }

    /// The month after it.
    pub(super) fn next(self) -> Self {
        let day = self.first.last_of_month().tomorrow();
        Self { first: day.unwrap_or(self.first) }
    }

    /// The month before it.
    pub(super) fn previous(self) -> Self {
        let day = self.first.yesterday().unwrap_or(self.first);
        Self { first: day.first_of_month() }
    }
}

impl fmt::Display for Month {
    /// `November 2026`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first.strftime("%B %Y"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Day, Month};

    #[test]
    fn days_have_names_and_numbers() {
        let day = Day::new(20_783);
        assert_eq!((day.to_string().as_str(), day.iso().as_str()), ("26 Nov", "2026-11-26"));
        assert_eq!(Day::of(wire::Timestamp::from_millis(20_783 * 86_400_000 + 1)), day);
    }

    #[test]
    fn months_know_their_days_and_neighbours() {
        let month = Month::of(Day::new(20_783));
        assert_eq!(
            (month.to_string().as_str(), month.key().as_str()),
            ("November 2026", "2026-11")
        );
        assert_eq!(month.days(), 20_758..20_788);
        assert_eq!(month.next().key(), "2026-12");
        assert_eq!(month.next().next().key(), "2027-01");
        assert_eq!(month.previous().key(), "2026-10");
        assert_eq!(Month::parse("2026-11"), Some(month));
        for wrong in ["", "2026", "2026-13", "x-1", "99999-01"] {
            assert_eq!(Month::parse(wrong), None);
        }
    }
}
