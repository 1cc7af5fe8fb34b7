//! The alerts of late, newest first, and the questions that can be asked of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::report::{Alert, State};
use crate::anomaly::Severity;
use crate::json;
use crate::registry::Matcher;
use crate::route::{Request, Response};
use crate::sync::Mutex;

/// Alerts that are kept; the oldest goes, firing or not.
const MOST: usize = 1_000;

/// The last alerts, shared between the stage that writes and those who ask.
#[derive(Clone, Debug, Default)]
pub(super) struct History(Arc<Mutex<VecDeque<Arc<Alert>>>>);

impl History {
    /// Adds an alert, or replaces what it was before.
    pub(super) fn put(&self, alert: Arc<Alert>) {
        let mut alerts = self.0.lock();
        // What changes is mostly among the latest.
        match alerts.iter_mut().rev().find(|known| known.id == alert.id) {
            Some(known) => *known = alert,
            None => {
                if alerts.len() >= MOST {
                    alerts.pop_front();
                }
                alerts.push_back(alert);
            }
        }
    }

    /// Takes out what never fired.
    pub(super) fn remove(&self, id: u64) {
        self.0.lock().retain(|alert| alert.id != id);
    }

    /// What is firing, the worst first, and of those the origin of a group first.
    pub(super) fn firing(&self) -> Vec<Arc<Alert>> {
        let mut firing: Vec<_> =
            self.0.lock().iter().filter(|alert| alert.is_firing()).cloned().collect();
        firing.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), !alert.origin, alert.id));
        firing
    }

    /// Answers `GET /anomalies`.
    pub(super) fn answer(&self, request: &Request<'_>) -> Response {
        let parameters = match request.parameters() {
            Ok(parameters) => parameters,
            Err(refusal) => return refusal,
        };
        let query = match Query::parse(&parameters) {
            Ok(query) => query,
            Err(name) => {
                return Response::text(400, format!("bad parameter: {name}\n"));
            }
        };
        let alerts: Vec<_> = self.0.lock().iter().rev().cloned().collect();
        let mut out = String::from("{\"anomalies\":[");
        let found = alerts.iter().filter(|alert| query.takes(alert));
        json::list(&mut out, found, |out, alert| alert.json_into(out));
        out.push_str("]}\n");
        Response::json(200, out.into_bytes()).header("cache-control", "no-store")
    }
}

/// Which alerts are asked for.
#[derive(Debug, Default)]
struct Query {
    start: Option<Duration>,
    end: Option<Duration>,
    severity: Option<Severity>,
    metric: Option<Matcher>,
    state: Option<State>,
}

impl Query {
    /// The name of the first parameter that is unknown or makes no sense, otherwise.
    fn parse(parameters: &[(String, String)]) -> Result<Self, String> {
        let mut query = Self::default();
        for (name, value) in parameters {
            let understood = match name.as_str() {
                "start_time" => put(&mut query.start, time(value)),
                "end_time" => put(&mut query.end, time(value)),
                "severity" => put(&mut query.severity, value.parse().ok()),
                "metric" => put(&mut query.metric, Some(Matcher::name(value.as_str()))),
                "state" => put(&mut query.state, State::parse(value)),
                _ => false,
            };
            if !understood {
                return Err(name.chars().filter(|char| !char.is_control()).take(64).collect());
            }
        }
        Ok(query)
    }

    /// Alerts that were going on at some time of the range, both ends included.
    fn takes(&self, alert: &Alert) -> bool {
        self.start.is_none_or(|start| alert.last_seen >= start)
            && self.end.is_none_or(|end| alert.first_seen <= end)
            && self.severity.is_none_or(|severity| alert.severity == severity)
            && self.metric.as_ref().is_none_or(|metric| metric.matches_name(&alert.metric))
            && self.state.is_none_or(|state| alert.state == state)
    }
}

fn put<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let understood = value.is_some();
    *place = value;
    understood
}

/// Seconds since the epoch, or RFC 3339.
fn time(text: &str) -> Option<Duration> {
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => rfc3339(text),
    }
}

/// `2026-11-20T09:41:07.25Z`, or with an offset such as `+01:00`.
fn rfc3339(text: &str) -> Option<Duration> {
    let digits = |from: usize, to: usize| -> Option<i64> {
        let word = text.get(from..to)?;
        word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
    };
    let is = |at: usize, among: &[u8]| text.as_bytes().get(at).is_some_and(|b| among.contains(b));
    let marks = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    let in_range = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !marks || !in_range {
        return None;
    }
    let rest = text.get(19..)?;
    let end = rest.find(|char: char| char != '.' && !char.is_ascii_digit())?;
    let (fraction, zone) = rest.split_at(end);
    let nanos = match fraction.strip_prefix('.') {
        Some(digits) if !digits.is_empty() => {
            let digits: String = digits.chars().chain("000000000".chars()).take(9).collect();
            digits.parse::<u32>().ok()?
        }
        Some(_) => return None,
        None if fraction.is_empty() => 0,
        None => return None,
    };
    let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let seconds = u64::try_from(seconds - offset(zone)?).ok()?;
    Some(Duration::new(seconds, nanos))
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let two = |word: &str, below: i64| -> Option<i64> {
        let plain = word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_digit());
        word.parse().ok().filter(|number| plain && *number < below)
    };
    Some(sign * (two(hours, 24)? * 3_600 + two(minutes, 60)? * 60))
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Howard Hinnant's `days_from_civil`: years begin in March, so that the leap day is the last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_in_both_forms() {
        let seconds = |text| time(text).map(|time| time.as_secs_f64());
        assert_eq!(seconds("1795168867.25"), Some(1_795_168_867.25));
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0.0));
        assert_eq!(seconds("2024-02-29T12:00:00.5+01:00"), Some(1_709_204_400.5));
        assert_eq!(seconds("2000-03-01t00:00:00-00:30"), Some(951_870_600.0));
        for wrong in [
            "",
            "x",
            "-1",
            "NaN",
            "inf",
            "1e300",
            "2023-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00+1:00",
            "2024-01-01T00:00:00Zx",
            "1969-12-31T23:59:59Z",
            "2024-01-01T00:00:00é",
        ] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in 0u64..253_402_300_799, millis in 0u32..1000) {
            let at = Duration::new(seconds, millis * 1_000_000);
            let mut text = String::new();
            json::rfc3339(&mut text, at);
            prop_assert_eq!(time(&text), Some(at));
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC*", tail in ".{0,40}") {
            let _ = time(&text);
            let _ = time(&format!("2024-01-01T00:00:00{tail}"));
        }
    }
}
