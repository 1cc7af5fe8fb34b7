//! Runs the checks, and asks everybody who has something to report.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::check::{Ask, InTime};
use super::report::{LINE_BYTES, cut};
use super::status::Verdict;
use super::{Health, Inner, Report};
use crate::clock;
use crate::notice::{self, Notice};
use crate::thread::Worker;

/// Checks that were replaced while they hung hold threads beside those there are.
const MOST_THREADS: usize = 128;

impl Health {
    /// How well the program is now. Runs the checks whose results have aged, and waits for them,
    /// each at most for its limit: for a program's own threads. For what must not wait there is
    /// [`latest`](Self::latest).
    pub fn report(&self) -> Report {
        self.inner.start_due();
        self.inner.wait_for_runs();
        self.inner.assemble()
    }

    /// How well the program was when its checks last ended. Waits for nothing, and starts the
    /// checks whose results have aged. A check that never ended is degraded, `not checked yet`.
    pub fn latest(&self) -> Report {
        self.inner.start_due();
        self.inner.assemble()
    }
}

impl Inner {
    fn start_due(self: &Arc<Self>) {
        let now = self.clock.now();
        let due = self.change(|state| state.begin_due(now));
        for (check, run) in due {
            let failed = match Ended::count_up(self) {
                None => "check not run: too many checks hang",
                Some(ended) => {
                    let (name, ask) = (check.name.clone(), Arc::clone(&check.ask));
                    let worker =
                        Worker::spawn("nissa-check", move |_| ended.after(&name, run, &ask));
                    if worker.is_ok() {
                        continue;
                    }
                    "check not run: the system refused a thread"
                }
            };
            notice::process().count(Notice::CheckNotRun, &check.name);
            self.end(&check.name, run, Verdict::critical(failed));
            drop(check);
        }
    }

    fn end(&self, name: &str, run: u64, verdict: Verdict) {
        let now = self.clock.now();
        self.change(|state| {
            let ended = state.checked(name).and_then(|checked| checked.end(run, now, verdict));
            if let Some(InTime(false)) = ended {
                state.notices.push((Notice::CheckTimedOut, name.to_owned()));
            }
        });
        self.ended.notify_all();
    }

    /// Until every run has ended or is late.
    fn wait_for_runs(&self) {
        let mut state = self.state.lock();
        let now = self.clock.now();
        let longest = state.checks().filter_map(|checked| checked.awaited(now)).max();
        let Some(longest) = longest else { return };
        // Past the limit, and not at it, a run is late.
        let wait = longest.saturating_sub(now).saturating_add(Duration::from_millis(1));
        let Some(deadline) = clock::now().checked_add(wait) else { return };
        while state.checks().any(|checked| checked.awaited(self.clock.now()).is_some()) {
            if self.ended.wait_until(&mut state, deadline).timed_out() {
                return;
            }
        }
    }

    fn assemble(&self) -> Report {
        let (mut report, sources) = {
            let state = self.state.lock();
            (state.report(self.clock.now(), self.clock.unix()), state.sources.clone())
        };
        // Not under the lock: a source may set a component.
        for source in sources {
            if catch_unwind(AssertUnwindSafe(|| source(&mut report))).is_err() {
                notice::process().count(Notice::SourcePanicked, "");
            }
        }
        report
    }
}

/// A run's thread, counted from before it starts until it has ended, however it does.
struct Ended(Weak<Inner>);

impl Ended {
    fn count_up(inner: &Arc<Inner>) -> Option<Self> {
        let mut state = inner.state.lock();
        if state.threads >= MOST_THREADS {
            return None;
        }
        state.threads += 1;
        Some(Self(Arc::downgrade(inner)))
    }

    fn after(self, name: &str, run: u64, ask: &Ask) {
        let verdict = catch_unwind(AssertUnwindSafe(|| ask())).unwrap_or_else(|_| {
            notice::process().count(Notice::CheckPanicked, name);
            Verdict::critical("check panicked")
        });
        let verdict = Verdict::new(verdict.status(), cut(verdict.details(), LINE_BYTES));
        if let Some(inner) = self.0.upgrade() {
            inner.end(name, run, verdict);
        }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            inner.state.lock().threads -= 1;
        }
    }
}
