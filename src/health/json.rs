//! A report as JSON.
//!
//! Written by hand: a dozen members need no serializer, which every program with a monitor would
//! have to compile.

use std::fmt::Write;
use std::time::Duration;

use super::report::Report;
use super::status::Verdict;

/// The document that `/health` answers with.
pub(super) fn document(report: &Report) -> String {
    let mut out = String::with_capacity(512);
    let _ = write!(out, "{{\"overall_status\":\"{}\",\"timestamp\":\"", report.overall());
    rfc3339(report.unix, &mut out);
    let _ = write!(out, "\",\"uptime_seconds\":{:.3},\"version\":", report.uptime.as_secs_f64());
    string(&report.version, &mut out);
    out.push_str(",\"resources\":{");
    list(&mut out, report.resources(), |resource, out| {
        string(&resource.name, out);
        let (status, used, threshold) = (resource.status, resource.used, resource.threshold);
        let _ = write!(
            out,
            ":{{\"status\":\"{status}\",\"used_ratio\":{used},\"threshold\":{threshold}}}"
        );
    });
    out.push_str("},\"components\":{");
    list(&mut out, report.components(), |(name, verdict), out| component(name, verdict, out));
    out.push_str("},\"anomalies\":[");
    list(&mut out, report.anomalies(), |anomaly, out| {
        out.push_str("{\"name\":");
        string(&anomaly.name, out);
        let _ = write!(out, ",\"status\":\"{}\",\"details\":", anomaly.status);
        string(&anomaly.details, out);
        out.push('}');
    });
    out.push_str("],\"recommendations\":[");
    list(&mut out, report.recommendations(), |line, out| string(line, out));
    out.push_str("]}\n");
    out
}

fn component(name: &str, verdict: &Verdict, out: &mut String) {
    string(name, out);
    let _ = write!(out, ":{{\"status\":\"{}\",\"details\":", verdict.status());
    string(verdict.details(), out);
    out.push('}');
}

fn list<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut one: impl FnMut(T, &mut String),
) {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        one(item, out);
    }
}

fn string(text: &str, out: &mut String) {
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

/// A time since the Unix epoch as `2026-11-20T09:41:07.250Z`; the last day of the year 9999 for
/// what has no such form.
pub(crate) fn rfc3339(unix: Duration, out: &mut String) {
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
            rfc3339(unix, &mut out);
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

    proptest! {
        #[test]
        fn any_text_arrives(text in any::<String>()) {
            let mut out = String::new();
            string(&text, &mut out);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
