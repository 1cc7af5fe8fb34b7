//! What every open page shows now: all series once, and then at each tick those that changed.
//!
//! A series is known by its place in the snapshot, for as long as no series comes or goes; the
//! version says for how long. A page that missed a tick, by its number, asks for everything again.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::SharedClock;
use crate::json;
use crate::registry::Registry;
use crate::snapshot::{Series, Snapshot, Value};

/// Ticks that are kept up after somebody asked, for pages that ask again and hold no stream.
const WATCHED_TICKS: u32 = 20;

/// The last two ticks, while somebody looks.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// What there is to see, and when, before a tick has come.
    pub(super) source: Option<(Registry, SharedClock)>,
    pub(super) interval: Duration,
    /// Ticks left until nobody is thought to look.
    watched: u32,
    /// Counts changes of the set of series.
    version: u64,
    /// Counts ticks.
    number: u64,
    unix: Duration,
    now: Snapshot,
    before: Snapshot,
    /// The tick as JSON, once somebody asked for it: written once, whoever reads it.
    written: Option<Arc<str>>,
}

impl Live {
    /// Takes a tick, if somebody looks; nobody has to pay for a page that is closed.
    pub(super) fn after(&mut self, snapshot: &Snapshot, unix: Duration, readers: usize) -> bool {
        let look = readers > 0 || self.watched > 0;
        self.watched = self.watched.saturating_sub(1);
        if look {
            self.take(snapshot.clone(), unix);
        } else {
            (self.now, self.before, self.written) = Default::default();
        }
        readers > 0
    }

    fn take(&mut self, snapshot: Snapshot, unix: Duration) {
        self.before = std::mem::replace(&mut self.now, snapshot);
        self.number += 1;
        self.version += u64::from(!self.now.same_series(&self.before));
        self.unix = unix;
        self.written = None;
    }

    /// Somebody looks: what there is now, if no tick came since the last one looked away.
    fn watch(&mut self) {
        self.watched = WATCHED_TICKS;
        if self.now.families().len() == 0 {
            if let Some((registry, clock)) = &self.source {
                let (snapshot, unix) = (registry.snapshot(), clock.unix());
                self.take(snapshot, unix);
            }
        }
    }

    /// The tick as a server-sent event.
    pub(super) fn event(&mut self) -> String {
        format!("event: tick\ndata: {}\n\n", self.tick())
    }

    /// What changed at this tick.
    pub(super) fn tick(&mut self) -> Arc<str> {
        self.watch();
        if let Some(written) = &self.written {
            return Arc::clone(written);
        }
        let written = Arc::from(self.write_tick());
        self.written = Some(Arc::clone(&written));
        written
    }

    fn write_tick(&self) -> String {
        let mut out = self.head();
        out.push_str(",\"d\":[");
        if self.now.same_series(&self.before) {
            let pairs = self.now.all_series().zip(self.before.all_series()).enumerate();
            let changed = pairs.filter(|(_, (now, before))| now.cells != before.cells);
            json::list(&mut out, changed, |out, (index, (now, _))| {
                out.push('[');
                json::number(out, index as f64);
                values(out, &now);
                out.push(']');
            });
        }
        out.push_str("]}");
        out
    }

    /// Every series with its labels and value.
    pub(super) fn series(&mut self) -> Arc<str> {
        self.watch();
        let mut out = self.head();
        out.push_str(",\"interval\":");
        json::number(&mut out, self.interval.as_secs_f64());
        out.push_str(",\"families\":[");
        json::list(&mut out, self.now.families(), |out, family| {
            out.push_str("{\"name\":");
            json::string(out, family.name());
            out.push_str(",\"kind\":");
            json::string(out, family.kind().as_str());
            if let Some(unit) = family.unit() {
                out.push_str(",\"unit\":");
                json::string(out, unit.as_str());
            }
            if let Some(help) = family.help() {
                out.push_str(",\"help\":");
                json::string(out, help);
            }
            out.push_str(",\"series\":[");
            json::list(out, family.series(), |out, series| {
                out.push_str("[{");
                json::list(out, series.labels(), |out, (name, value)| {
                    json::string(out, &name);
                    out.push(':');
                    json::string(out, &value);
                });
                out.push('}');
                values(out, &series);
                out.push(']');
            });
            out.push_str("]}");
        });
        out.push_str("]}");
        out.into()
    }

    fn head(&self) -> String {
        let mut out = String::from("{\"v\":");
        json::number(&mut out, self.version as f64);
        out.push_str(",\"n\":");
        json::number(&mut out, self.number as f64);
        out.push_str(",\"t\":");
        json::number(&mut out, self.unix.as_secs_f64());
        out
    }
}

/// The value, or a distribution's count and sum, after what stands before.
fn values(out: &mut String, series: &Series<'_>) {
    let mut value = |value| {
        out.push(',');
        json::number(out, value);
    };
    match series.value() {
        Value::Distribution(distribution) => {
            value(distribution.count() as f64);
            value(distribution.sum());
        }
        other => value(other.as_f64().unwrap_or(f64::NAN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use serde_json::{Value as Json, json};

    fn parsed(text: impl AsRef<str>) -> Json {
        serde_json::from_str(text.as_ref()).unwrap()
    }

    fn live(registry: &Registry) -> Live {
        let clock = SharedClock(Arc::new(SystemClock::new()));
        Live { source: Some((registry.clone(), clock)), ..Live::default() }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_page_gets_everything_once_and_then_what_changed() {
        let registry = Registry::new();
        let jobs = registry.counter("jobs_total", &[("queue", "\"><script>")]);
        registry.gauge("workers", &[]).set(4);
        let latency = registry.histogram("latency_seconds", &[]);
        let mut live = live(&registry);
        assert!(!live.after(&registry.snapshot(), at(1), 0), "nobody looks");

        let all = parsed(live.series());
        assert_eq!(all["families"][0]["series"], json!([[{"queue": "\"><script>"}, 0]]));
        assert_eq!(all["families"][1]["series"], json!([[{}, 0, 0]]), "count and sum");
        assert_eq!(
            all["families"][2],
            json!({"name": "workers", "kind": "gauge", "series": [[{}, 4]]})
        );

        jobs.increment(3);
        latency.record(0.5);
        assert!(live.after(&registry.snapshot(), at(2), 1));
        let event = live.event();
        let tick = parsed(&event["event: tick\ndata: ".len()..]);
        assert_eq!(tick["d"], json!([[0, 3], [1, 1, 0.5]]), "the gauge did not change");
        assert_eq!(tick["v"], all["v"]);
        assert_eq!(tick["n"], all["n"].as_u64().unwrap() + 1);

        registry.gauge("workers", &[("kind", "new")]).set(1);
        assert!(live.after(&registry.snapshot(), at(3), 1));
        let tick = parsed(live.tick());
        assert_ne!(tick["v"], all["v"], "places have changed");
        assert_eq!(tick["d"], json!([]));
    }

    #[test]
    fn a_tick_is_written_once_however_many_read_it() {
        let registry = Registry::new();
        let jobs = registry.counter("jobs_total", &[]);
        let mut live = live(&registry);
        live.series();
        jobs.increment(1);
        live.after(&registry.snapshot(), at(1), 1_000);
        let event = live.event();
        let first = live.tick();
        assert!(event.contains(&*first));
        assert!((0..1_000).all(|_| Arc::ptr_eq(&live.tick(), &first)));
        jobs.increment(1);
        live.after(&registry.snapshot(), at(2), 1_000);
        assert!(!Arc::ptr_eq(&live.tick(), &first), "another tick is another text");
    }

    #[test]
    fn who_looked_away_costs_nothing() {
        let registry = Registry::new();
        registry.gauge("workers", &[]).set(4);
        let mut live = live(&registry);
        live.series();
        for second in 0..u64::from(WATCHED_TICKS) {
            live.after(&registry.snapshot(), at(second), 0);
            assert_eq!(live.now.families().len(), 1);
        }
        live.after(&registry.snapshot(), at(100), 0);
        assert_eq!(live.now.families().len(), 0);
        assert_eq!(parsed(live.tick())["d"], json!([]));
    }
}
