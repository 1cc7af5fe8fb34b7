//! Calls collectors when they are due.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::failures::ErrorLog;
use super::{CollectionError, Collector, Collectors, Failures};
use crate::clock;
use crate::instrument::{Counter, Gauge};
use crate::registry::Registry;

/// A collector that panics is left alone for its interval, then twice as long, up to this.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// Collectors that share a thread, and when each is due. The builder runs them in threads of their
/// own; who wants no thread calls [`collect`](Self::collect) before each snapshot.
///
/// Each collector's calls are shown as `nissa_collector_duration_seconds`,
/// `nissa_collector_last_success_timestamp_seconds`, `nissa_collector_errors_total` (by source) and
/// `nissa_collector_skipped_total`.
///
/// ```
/// use std::time::{Duration, Instant};
/// use nissa::Registry;
/// use nissa::collect::{Collector, Failures, Runner};
///
/// struct Queue;
///
/// impl Collector for Queue {
///     fn name(&self) -> &str {
///         "queue"
///     }
///
///     fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
///         registry.gauge("queue_depth", &[]).set(3);
///         Ok(())
///     }
/// }
///
/// let registry = Registry::new();
/// let mut runner = Runner::new(&registry);
/// runner.add(Queue);
/// let next = runner.tick(Duration::ZERO); // the first sample is taken at once
/// assert_eq!(next, Some(Duration::from_secs(1)));
/// assert_eq!(registry.snapshot().value("queue_depth"), Some(3.0));
///
/// // Three seconds late: one call, and what was missed is counted.
/// assert_eq!(runner.tick(Duration::from_secs(4)), Some(Duration::from_secs(5)));
/// assert_eq!(registry.snapshot().value("nissa_collector_skipped_total"), Some(3.0));
/// ```
pub struct Runner {
    registry: Registry,
    slots: Vec<Slot>,
    errors: ErrorLog,
}

struct Slot {
    collector: Box<dyn Collector>,
    name: String,
    interval: Duration,
    /// `None` before the first call.
    due: Option<Duration>,
    panics: u32,
    own: OwnMetrics,
}

/// Handles of the metrics about one collector.
struct OwnMetrics {
    duration: Gauge,
    last_success: Option<Gauge>,
    skipped: Counter,
}

impl Runner {
    /// No collectors yet.
    pub fn new(registry: &Registry) -> Self {
        Self::reporting(registry, ErrorLog::default())
    }

    pub(crate) fn reporting(registry: &Registry, errors: ErrorLog) -> Self {
        Self { registry: registry.clone(), slots: Vec::new(), errors }
    }

    /// Takes on collectors, which are due at once.
    pub fn add(&mut self, collectors: impl Into<Collectors>) {
        let threads = collectors.into().threads;
        threads.into_iter().flatten().for_each(|collector| self.add_boxed(collector));
    }

    pub(crate) fn add_boxed(&mut self, collector: Box<dyn Collector>) {
        describe(&self.registry);
        let name = collector.name().to_owned();
        let labels = [("collector", &*name)];
        let own = OwnMetrics {
            duration: self.registry.gauge("nissa_collector_duration_seconds", &labels),
            last_success: None,
            skipped: self.registry.counter("nissa_collector_skipped_total", &labels),
        };
        // Not less than a thread can wait for.
        let interval = collector.interval().max(Duration::from_millis(1));
        self.slots.push(Slot { collector, name, interval, due: None, panics: 0, own });
    }

    /// Calls the collectors that are due at this moment, on a clock that only goes forward, and
    /// tells when the next is. `None` without collectors.
    ///
    /// Deadlines are absolute: a late call is made once, its successor keeps to the old beat, and
    /// the calls left out are counted.
    pub fn tick(&mut self, at: Duration) -> Option<Duration> {
        let mut now = clock::now();
        for slot in &mut self.slots {
            if slot.due.is_none_or(|due| due <= at) {
                let next = slot.in_time(at);
                if next.is_none() {
                    slot.skip_missed(at);
                }
                now = slot.call(now, &self.registry, &self.errors);
                match next.filter(|_| slot.panics < 2) {
                    Some(_) => slot.due = next,
                    None => slot.schedule(at),
                }
            }
        }
        self.slots.iter().filter_map(|slot| slot.due).min()
    }

    /// Calls every collector now, due or not.
    pub fn collect(&mut self) {
        let mut now = clock::now();
        for slot in &mut self.slots {
            now = slot.call(now, &self.registry, &self.errors);
        }
    }

    /// The last failure of every source that ever failed.
    pub fn errors(&self) -> Vec<CollectionError> {
        self.errors.list()
    }
}

impl Slot {
    /// The next beat, if no beat was missed.
    fn in_time(&self, at: Duration) -> Option<Duration> {
        self.due.map(|due| due.saturating_add(self.interval)).filter(|next| at < *next)
    }

    /// Counts the calls that were due and will not be made up for.
    #[cold]
    #[inline(never)]
    fn skip_missed(&mut self, at: Duration) {
        let Some(due) = self.due else { return };
        let missed = nanos(at.saturating_sub(due)) / nanos(self.interval).max(1);
        if missed > 0 {
            self.own.skipped.increment(missed);
        }
    }

    /// Calls the collector. `start` is now, and so is what comes back.
    fn call(&mut self, start: Instant, registry: &Registry, errors: &ErrorLog) -> Instant {
        let collect = || self.collector.collect(registry);
        let outcome = catch_unwind(AssertUnwindSafe(collect));
        let end = clock::now();
        self.own.duration.set(end.saturating_duration_since(start));
        let unix = clock::unix();
        match outcome {
            Ok(outcome) => {
                self.panics = 0;
                let failures = outcome.err();
                if !failures.as_ref().is_some_and(Failures::has_failed) {
                    self.note_success(unix, registry);
                }
                if let Some(failures) = failures {
                    self.report(failures, registry, errors, unix);
                }
            }
            Err(panic) => {
                self.panics = self.panics.saturating_add(1);
                let mut failures = Failures::new();
                failures.add("panic", message(&*panic).to_owned());
                self.report(failures, registry, errors, unix);
                // A payload's destructor may panic as well.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
                // What it last showed is not so any more; absent, until it is called again.
                let _ = catch_unwind(AssertUnwindSafe(|| self.collector.clear()));
            }
        }
        end
    }

    fn note_success(&mut self, unix: Duration, registry: &Registry) {
        let name = "nissa_collector_last_success_timestamp_seconds";
        let labels = [("collector", &*self.name)];
        self.own.last_success.get_or_insert_with(|| registry.gauge(name, &labels)).set(unix);
    }

    fn report(&self, failures: Failures, registry: &Registry, errors: &ErrorLog, unix: Duration) {
        let note = |source: &str, text: String, times: u64| {
            let count = errors.note(&self.name, source, text.clone(), unix);
            let labels = [("collector", &*self.name), ("source", source)];
            registry.counter("nissa_collector_errors_total", &labels).increment(times);
            if count == 1 {
                crate::logging::warn!("nissa: collector {}: {source}: {text}", self.name);
            }
        };
        for (source, error) in failures.iter() {
            // The error is the collector's, and so is how it is written.
            let text = catch_unwind(AssertUnwindSafe(|| error.to_string()));
            let text = text.unwrap_or_else(|_| "an error that panics when written".to_owned());
            note(source, text, 1);
        }
        if failures.unsaid() > 0 {
            let text = format!("{} more failures of one call", failures.unsaid());
            note("further", text, failures.unsaid());
        }
    }

    /// The next beat after `at`; later for one that panics.
    #[cold]
    #[inline(never)]
    fn schedule(&mut self, at: Duration) {
        let interval = nanos(self.interval).max(1);
        let beat = match self.due {
            Some(due) => {
                let late = nanos(at.saturating_sub(due));
                at.saturating_add(Duration::from_nanos(interval - late % interval))
            }
            None => at.saturating_add(self.interval),
        };
        self.due = Some(match self.panics {
            0 | 1 => beat,
            panics => {
                let factor = 1_u32.checked_shl(panics - 1).unwrap_or(u32::MAX);
                let longest = LONGEST_BACK_OFF.max(self.interval);
                at.saturating_add(self.interval.saturating_mul(factor).min(longest))
            }
        });
    }
}

impl Drop for Slot {
    /// What a collector holds may panic when it is let go of; a driver's wrapper, say.
    fn drop(&mut self) {
        let collector = std::mem::replace(&mut self.collector, Box::new(Gone));
        let _ = catch_unwind(AssertUnwindSafe(|| drop(collector)));
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.slots.iter().map(|slot| &*slot.name).collect();
        f.debug_struct("Runner").field("collectors", &names).finish_non_exhaustive()
    }
}

/// Stands where a collector was.
struct Gone;

impl Collector for Gone {
    fn name(&self) -> &str {
        "gone"
    }

    fn collect(&mut self, _: &Registry) -> Result<(), Failures> {
        Ok(())
    }
}

/// As many as 64 bits hold, which is 584 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panicked")
}

fn describe(registry: &Registry) {
    use metrics::Unit::Seconds;
    registry.describe_gauge(
        "nissa_collector_duration_seconds",
        Some(Seconds),
        "How long the collector's last call took.",
    );
    registry.describe_gauge(
        "nissa_collector_last_success_timestamp_seconds",
        Some(Seconds),
        "When a call of the collector last met no failure.",
    );
    registry.describe_counter(
        "nissa_collector_errors_total",
        None,
        "What the collector could not read, by source.",
    );
    registry.describe_counter(
        "nissa_collector_skipped_total",
        None,
        "Calls that were due and left out because the collector was late.",
    );
}

#[cfg(all(test, feature = "host"))]
mod tests {
    use super::*;
    use crate::collect::Host;
    use crate::collect::probe::root_is_local;
    use crate::health;

    /// One of ours, as it would be if it panicked when told to.
    struct Shaky(Box<dyn Collector>, u32);

    impl Collector for Shaky {
        fn name(&self) -> &str {
            self.0.name()
        }

        fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
            self.1 += 1;
            let outcome = self.0.collect(registry);
            assert!(self.1 != 2, "as the test wants it");
            outcome
        }

        fn clear(&mut self) {
            self.0.clear();
        }
    }

    /// Has more than it shows, each time.
    struct Bounded;

    impl Collector for Bounded {
        fn name(&self) -> &str {
            "bounded"
        }

        fn collect(&mut self, _: &Registry) -> Result<(), Failures> {
            let mut failures = Failures::new();
            failures.leave_out("limit", 3, 2);
            failures.leave_out("other_limit", 0, 2);
            failures.into_result()
        }
    }

    #[test]
    fn what_is_left_out_is_told_and_the_call_has_not_failed() {
        let registry = Registry::new();
        let mut runner = Runner::new(&registry);
        runner.add(Bounded);
        runner.collect();
        let errors = runner.errors();
        let told: Vec<_> = errors.iter().map(|error| (&*error.source, &*error.error)).collect();
        assert_eq!(told, [("limit", "3 beyond the first 2 are left out")]);
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.value("nissa_collector_errors_total"), Some(1.0));
        assert!(snapshot.value("nissa_collector_last_success_timestamp_seconds").is_some());
    }

    #[test]
    fn what_our_own_collectors_showed_goes_with_their_panics_and_comes_back() {
        if !root_is_local() {
            return;
        }
        for portable in [false, true] {
            let host = Host::default().portable(portable).filesystems(["/"]).per_core(true);
            let health = health::Health::new();
            health.add_source(host.health());
            let registry = Registry::new();
            let mut runner = Runner::new(&registry);
            for collector in Collectors::from(host).threads.into_iter().flatten() {
                runner.add(Shaky(collector, 0));
            }
            let mut shown = || {
                runner.collect();
                let families = registry.snapshot();
                let names = families.families().map(|family| family.name().to_owned());
                let names: Vec<_> = names.filter(|name| !name.starts_with("nissa_")).collect();
                (names, health.report().resources().count())
            };
            let before = shown();
            assert!(before.0.len() > 20 && before.1 >= 3, "{before:?}");
            assert_eq!(shown(), (Vec::new(), 0));
            let after = shown();
            assert_eq!(after.0, before.0);
            assert_eq!(
                runner.errors().iter().filter(|error| error.source == "panic").count(),
                runner.slots.len()
            );
        }
    }
}
