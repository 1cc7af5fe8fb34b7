//! One GPU with the lane it is read in, and what is shown of it.

use std::time::{Duration, Instant};

use super::lane::{Lane, Turn};
use super::nvidia::step_name;
use super::panel::Panel;
use super::source::{Found, Identity, Progress, Readings, Source};
use super::trouble::Trouble;
use crate::clock;
use crate::registry::Registry;

pub(super) struct Unit {
    panel: Panel,
    /// `None` while the GPU is gone: nothing asks it then.
    lane: Option<Lane<Order, Readings>>,
    progress: Progress,
    /// At home between two readings.
    readings: Readings,
    state: State,
}

struct Order {
    is_slow: bool,
    readings: Readings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Found, and not read yet.
    New,
    Up,
    /// Its lane has not come back for long.
    Stuck,
    Gone,
}

impl Unit {
    /// A GPU that is there and cannot be asked.
    pub(super) fn unreachable(registry: &Registry, gpu: String) -> Self {
        let identity = Identity { gpu, ..Identity::default() };
        Self::with(Panel::new(registry, identity, Vec::new()))
    }

    /// A GPU that was found.
    pub(super) fn new(registry: &Registry, found: Found, trouble: &mut Trouble<'_>) -> Self {
        let Found { identity, source } = found;
        let mut unit = Self::with(Panel::new(registry, identity, source.metrics()));
        unit.start(source, trouble);
        unit
    }

    fn with(panel: Panel) -> Self {
        Self {
            panel,
            lane: None,
            progress: Progress::default(),
            readings: Readings::default(),
            state: State::Gone,
        }
    }

    pub(super) fn identity(&self) -> &Identity {
        self.panel.identity()
    }

    pub(super) fn memory(&self) -> Option<f64> {
        self.panel.memory()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    pub(super) fn is_new(&self) -> bool {
        self.state == State::New
    }

    fn start(&mut self, mut source: Box<dyn Source>, trouble: &mut Trouble<'_>) {
        let progress = self.progress.clone();
        let lane = Lane::start("nissa-gpu", move |Order { is_slow, mut readings }| {
            source.read(is_slow, &progress, &mut readings);
            readings
        });
        match lane {
            Ok(lane) => {
                self.lane = Some(lane);
                self.state = State::New;
            }
            Err(error) => trouble.note("thread", error.to_string()),
        }
    }

    /// Has it read. The first time everything, since nothing is known yet.
    pub(super) fn tell(&mut self, is_slow: bool) {
        let Some(lane) = self.lane.as_mut().filter(|lane| lane.is_idle()) else { return };
        let is_slow = is_slow || self.state == State::New;
        lane.tell(Order { is_slow, readings: std::mem::take(&mut self.readings) });
    }

    /// Shows what was read if it comes until then, and nothing if the lane has been away for
    /// longer than `patience`.
    pub(super) fn gather(&mut self, until: Instant, patience: Duration, trouble: &mut Trouble<'_>) {
        let Some(lane) = &mut self.lane else { return };
        // Nobody waits for one that is known to be stuck.
        let until = if self.state == State::Stuck { clock::now() } else { until };
        match lane.wait(until) {
            Turn::Done(readings) => self.take(readings, trouble),
            Turn::Busy(since) if since > patience && self.state != State::Stuck => {
                self.state = State::Stuck;
                self.panel.clear();
                let call = step_name(self.progress.at());
                trouble.note(call, format!("has not returned for {} s", since.as_secs()));
            }
            Turn::Dead => {
                trouble.note("panic", "the thread that reads the GPU panicked".to_owned());
                self.lose();
            }
            Turn::Busy(_) | Turn::Idle => {}
        }
    }

    fn take(&mut self, mut readings: Readings, trouble: &mut Trouble<'_>) {
        for (call, error) in readings.faults.drain(..) {
            trouble.note(call, error);
        }
        self.panel.count_xids(&readings.xids);
        if readings.lost {
            self.lose();
        } else if self.state == State::Stuck {
            // Read long ago, half of it before the call that hung. The next will do, and tells
            // all.
            self.state = State::New;
        } else {
            self.state = State::Up;
            self.panel.show(&readings, trouble);
        }
        self.readings = readings;
    }

    fn lose(&mut self) {
        match self.state {
            // Gone still, or gone again before it was read once: no second loss.
            State::New | State::Gone => self.panel.clear(),
            State::Up | State::Stuck => self.panel.lose(),
        }
        self.state = State::Gone;
        self.lane = None;
    }
}
