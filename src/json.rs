//! JSON, written by hand: the documents here have a dozen members each, and a serializer is more
//! than all the rest to compile for those who want none of them.

use std::fmt::Write;
use std::time::Duration;

/// A string in quotes.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// A number, the shortest that reads back as the same; what JSON has no number for is the string
/// that Prometheus writes.
pub(crate) fn number(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("\"NaN\"");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "\"+Inf\"" } else { "\"-Inf\"" });
    } else if value.trunc() == value && value.abs() < 1e15 && value.to_bits() != (-0.0f64).to_bits()
    {
        out.push_str(itoa::Buffer::new().format(value as i64));
    } else {
        out.push_str(zmij::Buffer::new().format_finite(value));
    }
}

/// Items with commas between them.
pub(crate) fn list<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut one: impl FnMut(&mut String, T),
) {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        one(out, item);
    }
}

/// A time since the Unix epoch as `2026-11-20T09:41:07.250Z`; the last day of the year 9999 for
/// what has no such form.
#[allow(dead_code, reason = "of stages, which features bring")]
pub(crate) fn rfc3339(out: &mut String, unix: Duration) {
    const LAST_SECOND: u64 = 253_402_300_799;
    let seconds = unix.as_secs().min(LAST_SECOND);
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let millis = unix.subsec_millis();
    let _ =
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z");
}

/// Year, month and day of a day since the Unix epoch.
///
/// Counts from the first of March of the year 0, so that a leap day is the last of its year, in
/// eras of 400 years, which all have 146,097 days (Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms", `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments() {
        let written = |unix| {
            let mut out = String::new();
            rfc3339(&mut out, unix);
            out
        };
        assert_eq!(written(Duration::ZERO), "1970-01-01T00:00:00.000Z");
        assert_eq!(written(Duration::from_millis(951_782_400_250)), "2000-02-29T00:00:00.250Z");
        assert_eq!(written(Duration::from_secs(1_709_251_199)), "2024-02-29T23:59:59.000Z");
        assert_eq!(written(Duration::from_secs(4_107_542_400)), "2100-03-01T00:00:00.000Z");
        assert_eq!(written(Duration::from_secs(u64::MAX)), "9999-12-31T23:59:59.000Z");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = |year, month| match month {
            2 => 28 + u64::from(leap(year)),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let mut expected = (1970, 1, 1);
        for days in 0..200_000 {
            assert_eq!(civil(days), expected);
            let (year, month, day) = expected;
            expected = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (month, day) if day == length(year, month) => (year, month + 1, 1),
                (month, day) => (year, month, day + 1),
            };
        }
    }

    #[test]
    fn what_is_no_number_is_a_string() {
        let mut out = String::new();
        let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 3.0, 0.1, 1e300];
        list(&mut out, values, number);
        assert_eq!(out, r#""NaN","+Inf","-Inf",-0.0,3,0.1,1e+300"#);
    }

    proptest! {
        #[test]
        fn any_text_arrives(text in any::<String>()) {
            let mut out = String::new();
            string(&mut out, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }

        #[test]
        fn any_finite_number_arrives(value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO) {
            let mut out = String::new();
            number(&mut out, value);
            let read: serde_json::Value = serde_json::from_str(&out).unwrap();
            prop_assert!((read.as_f64().unwrap() - value).abs() <= value.abs() * 4.0 * f64::EPSILON);
            prop_assert_eq!(out.parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }
}
