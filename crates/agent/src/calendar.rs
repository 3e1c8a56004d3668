//! Days and dates of the Gregorian calendar. Pure.
//!
//! Years are counted from March, so that the leap day is a year's last; 400 years have 146,097
//! days.

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_EPOCH: u64 = 719_468;

/// Year, month and day of a day counted from 1970-01-01.
pub(crate) fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + DAYS_BEFORE_EPOCH;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// The day of a date, counted from 1970-01-01; none before that and for months that are none.
pub(crate) fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = year.checked_sub(u64::from(month <= 2))?;
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(DAYS_BEFORE_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        let mut last = date(0);
        assert_eq!(last, (1970, 1, 1));
        for day in 1..150_000 {
            let next = date(day);
            assert!(next > last, "{next:?} follows {last:?}");
            assert_eq!(days(next.0, next.1, next.2), Some(day));
            last = next;
        }
        assert_eq!((days(1969, 12, 31), days(2000, 13, 1), days(2000, 0, 1)), (None, None, None));
    }
}
