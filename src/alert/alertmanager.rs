//! Alerts sent to Prometheus's Alertmanager, API v2.
//!
//! <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>: a list of alerts,
//! each with labels that say which it is, annotations for people, and when it began and ended. An
//! alert that is not sent again is taken to be over, so what is firing is repeated.

use std::sync::Arc;
use std::time::Duration;

use super::Alert;
use super::endpoint::{Connected, Endpoint, sends_over_http};
use super::sender::{Outcome, Sink};
use super::stage::Alerts;
use crate::client::Target;
use crate::error::Error;
use crate::monitor::Builder;
use crate::{clock, escape, json, key};

/// An Alertmanager that alerts are sent to.
///
/// ```
/// use std::time::Duration;
/// use nissa::alert::Alertmanager;
///
/// let manager = Alertmanager::new("http://localhost:9093")?
///     .label("cluster", "north")
///     .repeat(Duration::from_secs(30));
/// assert!(Alertmanager::new("localhost:9093").unwrap_err().is_setting());
/// # let _ = manager;
/// # Ok::<(), nissa::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "an Alertmanager is sent nothing until a builder gets it"]
pub struct Alertmanager {
    endpoint: Endpoint,
    labels: Vec<(String, String)>,
    repeat: Duration,
}

impl Alertmanager {
    /// The Alertmanager at this URL, without the path of its API.
    ///
    /// # Errors
    ///
    /// If it is not an `http` or `https` URL ([`Error::is_setting`]).
    pub fn new(url: &str) -> Result<Self, Error> {
        let endpoint = Endpoint::new(Target::parse(url)?.below("/api/v2/alerts"));
        Ok(Self { endpoint, labels: Vec::new(), repeat: Duration::from_secs(60) })
    }

    /// A label of every alert, as a Prometheus's `external_labels`. Those of a series win, as do
    /// `alertname`, `metric` and `severity`.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// How often what is firing is sent again (1 min; 100 ms to a day). Without news for four
    /// times as long, Alertmanager takes it to be over.
    pub fn repeat(mut self, every: Duration) -> Self {
        self.repeat = every.clamp(Duration::from_millis(100), Duration::from_secs(86_400));
        self
    }
}

sends_over_http!(Alertmanager);

impl Builder {
    /// Sends alerts to an Alertmanager: when they fire, while they do, and when they are resolved.
    ///
    /// On a thread of its own, with a queue of 1,000 alerts. While the Alertmanager does not
    /// answer, attempts are made at growing intervals, the oldest alerts go when the queue is
    /// full, and the host notices nothing: see `nissa_alerts_sent_total`.
    pub fn alertmanager(self, manager: Alertmanager) -> Self {
        self.change_stage(|alerts: &mut Alerts| {
            let Alertmanager { endpoint, labels, repeat } = manager;
            alerts.sinks.push(Box::new(move || {
                let sink = Sending { connected: endpoint.connect()?, labels, repeat };
                Ok(Box::new(sink) as Box<dyn Sink>)
            }));
        })
    }
}

struct Sending {
    connected: Connected,
    labels: Vec<(String, String)>,
    repeat: Duration,
}

impl Sink for Sending {
    fn name(&self) -> &'static str {
        "alertmanager"
    }

    fn repeat(&self) -> Option<Duration> {
        Some(self.repeat)
    }

    fn send(&mut self, alerts: &[Arc<Alert>], stopping: bool) -> Outcome {
        let now = clock::unix();
        let mut body = String::from("[");
        json::list(&mut body, alerts, |out, alert| self.write(out, alert, now));
        body.push(']');
        self.connected.post(body, &[], stopping)
    }
}

impl Sending {
    fn write(&self, out: &mut String, alert: &Alert, now: Duration) {
        out.push_str("{\"labels\":{");
        let known = [
            ("alertname", alert.rule()),
            ("metric", alert.metric()),
            ("severity", alert.severity().as_str()),
        ];
        let own = |name: &str| known.iter().any(|(known, _)| *known == name);
        let taken = |name: &str| own(name) || alert.label(name).is_some();
        let series = alert.labels().iter().map(|(name, value)| {
            let exported = own(name).then(|| exported(name, taken));
            (exported.unwrap_or_else(|| legal(name)), value.as_str())
        });
        let rest = self.labels.iter().filter(|(name, _)| !taken(name));
        let rest = rest.map(|(name, value)| (legal(name), value.as_str()));
        let labels = known.into_iter().map(|(n, v)| (n.to_owned(), v)).chain(series).chain(rest);
        // Two names may become one; the first has it.
        let mut names: Vec<String> = Vec::new();
        let labels = labels.filter(|(name, value)| {
            let new = !value.is_empty() && !names.contains(name);
            names.push(name.clone());
            new
        });
        json::list(out, labels.collect::<Vec<_>>(), |out, (name, value)| pair(out, &name, value));
        out.push_str("},\"annotations\":{");
        let value = alert.value().to_string();
        let annotations = [
            ("summary", Some(alert.to_string())),
            ("description", Some(alert.reason().to_owned())),
            ("value", Some(value)),
            ("action", alert.action().map(str::to_owned)),
        ];
        let there = annotations.into_iter().filter_map(|(name, text)| Some((name, text?)));
        json::list(out, there.filter(|(_, text)| !text.is_empty()), |out, (name, text)| {
            pair(out, name, &text);
        });
        // What ends before it begins is refused, and what ends later than now is not over; the wall
        // clock may have been set since.
        let end =
            if alert.is_firing() { now + self.repeat * 4 } else { alert.last_seen().min(now) };
        let start = alert.first_seen().min(now).min(end);
        out.push_str("},\"startsAt\":\"");
        json::rfc3339(out, start);
        out.push_str("\",\"endsAt\":\"");
        json::rfc3339(out, end);
        out.push_str("\"}");
    }
}

/// What a label of a series is called whose name an alert needs for itself: as Prometheus does it.
fn exported(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut name = name.to_owned();
    while taken(&name) {
        name.insert_str(0, "exported_");
    }
    name
}

/// As Alertmanager takes label names: it refuses a whole batch for one that is not.
fn legal(name: &str) -> String {
    escape::underscores(name, key::is_legal_label).into_owned()
}

fn pair(out: &mut String, name: &str, value: &str) {
    json::string(out, name);
    out.push(':');
    json::string(out, value);
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn nothing_ends_before_it_begins_whatever_the_wall_clock_did() {
        let manager = Alertmanager::new("http://localhost:9093").unwrap().repeat(Duration::MAX);
        let Alertmanager { endpoint, labels, repeat } = manager;
        let sink = Sending { connected: endpoint.connect().unwrap(), labels, repeat };
        let day = Duration::from_secs(86_400);
        for state in [State::Firing, State::Resolved] {
            // It began on the third day; then the clock was set back by a day.
            let alert = Alert::of_test(state, day * 2);
            let mut out = String::new();
            sink.write(&mut out, &alert, day + Duration::from_secs(1));
            let time = |name: &str| {
                let at = out.find(name).unwrap() + name.len() + 3;
                out.get(at..at + 20).unwrap().to_owned()
            };
            assert!(time("startsAt") <= time("endsAt"), "{out}");
            let over = *time("endsAt") <= *"1970-01-02T00:00:01.";
            assert_eq!(over, state == State::Resolved, "{out}");
        }
    }
}
