//! Checks: closures of the program's, which may take their time, hang or panic.
//!
//! A check runs on a thread of its own, one at a time, and only its result is looked at: whoever
//! asks gets the last one. A run that takes longer than its limit counts as failed, then and when
//! it ends at last; while it hangs the check is not started again, so a check holds at most one
//! thread.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::status::Verdict;

const LIMIT: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_secs(5);

/// A component that is asked how well it is.
///
/// ```
/// use std::time::Duration;
/// use nissa::health::{Check, Health, Status, Verdict};
///
/// let health = Health::new();
/// let replicas = 9;
/// let check = Check::new("database", move || match replicas {
///     10 => Verdict::healthy(),
///     few => Verdict::degraded(format!("{few} of 10 replicas")),
/// });
/// health.check(check.limit(Duration::from_millis(200)).every(Duration::from_secs(30)));
///
/// let report = health.report();
/// assert_eq!(report.overall(), Status::Degraded);
/// assert_eq!(report.find("database").unwrap().details(), "9 of 10 replicas");
/// ```
#[derive(Clone)]
#[must_use = "a check is asked once it is given to Health::check"]
pub struct Check {
    pub(super) name: String,
    pub(super) ask: Ask,
    pub(super) limit: Duration,
    pub(super) every: Duration,
}

pub(super) type Ask = Arc<dyn Fn() -> Verdict + Send + Sync>;

impl Check {
    /// A check with a limit of a second, run every five.
    pub fn new<V: Into<Verdict>>(
        name: impl Into<String>,
        ask: impl Fn() -> V + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), ask: Arc::new(move || ask().into()), limit: LIMIT, every: EVERY }
    }

    /// How long a run may take (1 s) before the component is critical: `check timed out`.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// How long a result is good for (5 s). The next run starts when somebody asks after that, or
    /// at the monitor's next tick.
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A check, and how it stands with it.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) check: Check,
    running: Option<Run>,
    /// When the last run ended, and what came of it.
    latest: Option<(Duration, Verdict)>,
}

/// A run that is under way.
#[derive(Debug)]
struct Run {
    number: u64,
    began: Duration,
    /// Whether somebody saw that it is late.
    late: bool,
}

impl Checked {
    pub(super) fn new(check: Check) -> Self {
        Self { check, running: None, latest: None }
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        let fresh = |(ended, _): &(Duration, _)| now < ended.saturating_add(self.check.every);
        self.running.is_none() && !self.latest.as_ref().is_some_and(fresh)
    }

    pub(super) fn begin(&mut self, run: u64, now: Duration) {
        self.running = Some(Run { number: run, began: now, late: false });
    }

    /// Whether a run is late, the first time this is asked of it.
    pub(super) fn is_newly_late(&mut self, now: Duration) -> bool {
        let awaited = self.awaited(now).is_some();
        let Some(run) = &mut self.running else { return false };
        !awaited && !std::mem::replace(&mut run.late, true)
    }

    /// Takes the result of a run, unless it is of another check that had this one's name. Says
    /// whether it came in time; a run that was seen to be late was counted, and says nothing.
    pub(super) fn end(&mut self, run: u64, now: Duration, verdict: Verdict) -> Option<InTime> {
        let run = self.running.take_if(|running| running.number == run)?;
        let in_time = now.saturating_sub(run.began) <= self.check.limit;
        self.latest = Some((now, if in_time { verdict } else { timed_out() }));
        (!run.late).then_some(InTime(in_time))
    }

    /// When a run is under way that may still end in time: the moment from which on it is late.
    pub(super) fn awaited(&self, now: Duration) -> Option<Duration> {
        let late = self.running.as_ref()?.began.saturating_add(self.check.limit);
        (now <= late).then_some(late)
    }

    /// Whether there is a result to show.
    pub(super) fn is_known(&self, now: Duration) -> bool {
        self.latest.is_some() || (self.running.is_some() && self.awaited(now).is_none())
    }

    pub(super) fn verdict(&self, now: Duration) -> Verdict {
        match (&self.running, &self.latest) {
            (Some(_), _) if self.awaited(now).is_none() => timed_out(),
            (_, Some((_, verdict))) => verdict.clone(),
            (_, None) => Verdict::degraded("not checked yet"),
        }
    }
}

/// Whether a run ended within its limit.
pub(super) struct InTime(pub(super) bool);

fn timed_out() -> Verdict {
    Verdict::critical("check timed out")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn checked() -> Checked {
        Checked::new(Check::new("x", || true).limit(seconds(2)).every(seconds(10)))
    }

    #[test]
    fn a_result_is_good_for_a_while() {
        let mut checked = checked();
        assert!(checked.is_due(seconds(0)) && !checked.is_known(seconds(0)));
        assert_eq!(checked.verdict(seconds(0)), Verdict::degraded("not checked yet"));
        checked.begin(1, seconds(0));
        assert!(!checked.is_due(seconds(1)));
        assert!(checked.end(1, seconds(2), Verdict::healthy()).unwrap().0);
        assert_eq!(checked.verdict(seconds(3)), Verdict::healthy());
        assert!(!checked.is_due(seconds(11)) && checked.is_due(seconds(12)));
    }

    #[test]
    fn a_run_that_is_late_has_failed_even_when_it_ends() {
        let mut checked = checked();
        checked.begin(1, seconds(0));
        assert_eq!(checked.verdict(seconds(2)), Verdict::degraded("not checked yet"));
        assert_eq!(checked.verdict(seconds(3)), timed_out());
        assert!(checked.is_known(seconds(3)) && !checked.is_due(seconds(3_600)));
        assert!(checked.is_newly_late(seconds(3)) && !checked.is_newly_late(seconds(4)));
        assert!(checked.end(1, seconds(3_600), Verdict::healthy()).is_none());
        assert_eq!(checked.verdict(seconds(3_601)), timed_out());
        checked.begin(2, seconds(3_700));
        checked.end(2, seconds(3_701), Verdict::healthy());
        assert_eq!(checked.verdict(seconds(3_701)), Verdict::healthy());
    }

    #[test]
    fn the_result_of_a_replaced_check_is_not_taken() {
        let mut checked = checked();
        checked.begin(2, seconds(0));
        assert!(checked.end(1, seconds(1), Verdict::critical("old")).is_none());
        assert!(checked.awaited(seconds(1)).is_some());
    }
}
