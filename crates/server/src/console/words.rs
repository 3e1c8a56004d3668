//! How times, durations and sizes are said.

use wire::Timestamp;

/// A moment: in words for whoever reads it soon, and exactly.
pub(super) struct Moment {
    /// `3 minutes ago`.
    pub(super) ago: String,
    /// For the browser, which shows it in the reader's zone.
    pub(super) exact: String,
}

/// Says a moment, as seen at `now`.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> Moment {
    Moment { ago: ago(now.millis() - at.millis()), exact: at.to_iso8601() }
}

fn ago(millis: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let seconds = millis / 1_000;
    let (count, unit) = match seconds {
        ..5 => return "just now".to_owned(),
        5..MINUTE => (seconds, "second"),
        MINUTE..HOUR => (seconds / MINUTE, "minute"),
        HOUR..DAY => (seconds / HOUR, "hour"),
        DAY.. => (seconds / DAY, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

/// Says how long something took: `0.4 s`, `1 min 2 s`, `3 h 5 min`.
pub(super) fn duration(millis: i64) -> String {
    let millis = millis.max(0);
    let seconds = millis / 1_000;
    match seconds {
        0 if millis < 100 => format!("{millis} ms"),
        0..10 => format!("{}.{} s", seconds, millis % 1_000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// Says how many bytes: `512 B`, `4.1 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut tenths = bytes * 10 / 1_024;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1_024;
        unit += 1;
    }
    match tenths {
        0..100 => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
        _ => format!("{} {}", tenths / 10, UNITS[unit]),
    }
}

/// A number with its thousands apart: `1,000,000`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut said = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            said.push(',');
        }
        said.push(digit);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_as_people_say_them() {
        for (millis, said) in [
            (-1, "0 ms"),
            (42, "42 ms"),
            (940, "0.9 s"),
            (1_240, "1.2 s"),
            (41_700, "41 s"),
            (62_000, "1 min 2 s"),
            (11_100_000, "3 h 5 min"),
        ] {
            assert_eq!(duration(millis), said);
        }
    }

    #[test]
    fn sizes_and_counts_are_said_as_people_say_them() {
        for (bytes, said) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (4_300_000, "4.1 MiB"),
            (217_000, "211 KiB"),
            (1 << 40, "1.0 TiB"),
        ] {
            assert_eq!(size(bytes), said);
        }
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000_000), "1,000,000");
    }

    #[test]
    fn moments_are_said_from_now() {
        let said = |at: i64| moment(Timestamp::from_millis(at), Timestamp::from_millis(0)).ago;
        assert_eq!(said(0), "just now");
        assert_eq!(said(-61_000), "1 minute ago");
        assert_eq!(said(-7_200_000), "2 hours ago");
        assert_eq!(said(-86_400_000 * 3), "3 days ago");
    }
}
