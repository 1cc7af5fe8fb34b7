//! What went wrong in one round: counted by call, and told to who collects.

use super::panel::describe_counter;
use crate::collect::Failures;
use crate::registry::Registry;

pub(super) struct Trouble<'a> {
    registry: &'a Registry,
    failures: Failures,
}

impl<'a> Trouble<'a> {
    pub(super) fn new(registry: &'a Registry) -> Self {
        Self { registry, failures: Failures::new() }
    }

    /// Counts a failure. Calls are few and have fixed names.
    pub(super) fn note(&mut self, call: &'static str, error: String) {
        self.count(call);
        self.failures.add(call, error);
    }

    /// Counts that so many had no room, if there were any.
    pub(super) fn leave_out(&mut self, call: &'static str, count: usize, most: usize) {
        if count > 0 {
            self.count(call);
            self.failures.leave_out(call, count, most);
        }
    }

    fn count(&self, call: &'static str) {
        describe_counter(self.registry, "gpu_collect_errors_total");
        self.registry.counter("gpu_collect_errors_total", &[("call", call)]).increment(1);
    }

    pub(super) fn into_result(self) -> Result<(), Failures> {
        self.failures.into_result()
    }
}
