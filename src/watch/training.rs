//! A watch over a training loop.

use std::sync::Arc;

use super::incident::{Incident, Turn};
use super::model::{KNOWN_AFTER, Model, Of, advice};
use super::recorder::Recorder;
use super::series::{SENSITIVITY, WARM_UP};
use super::terms::{Plateau, Slowdown};
use crate::anomaly::Anomaly;
use crate::detect::{State, Tape};
use crate::error::Error;
use crate::instrument::{Counter, Gauge, Histogram};
use crate::registry::Registry;

/// The name of a saved watch.
const STATE: &str = "training";

/// What one step of training came to; only the loss is needed.
///
/// ```
/// use nissa::watch::Step;
///
/// let step = Step::new(0.31).gradient_norm(1.2).learning_rate(0.01).samples(32).seconds(0.004);
/// assert_eq!(step.samples_per_second(), Some(8000.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[must_use = "a step does nothing until it is observed"]
pub struct Step {
    pub(super) loss: f64,
    pub(super) gradient_norm: Option<f64>,
    pub(super) learning_rate: Option<f64>,
    samples: Option<u64>,
    seconds: Option<f64>,
}

impl Step {
    /// The loss of this step's batch.
    pub fn new(loss: impl Into<f64>) -> Self {
        Self { loss: loss.into(), ..Self::default() }
    }

    /// Norm of the gradient, before clipping.
    pub fn gradient_norm(mut self, norm: impl Into<f64>) -> Self {
        self.gradient_norm = Some(norm.into());
        self
    }

    /// The learning rate this step used.
    pub fn learning_rate(mut self, rate: impl Into<f64>) -> Self {
        self.learning_rate = Some(rate.into());
        self
    }

    /// How many samples (or tokens) the step trained on.
    pub fn samples(mut self, count: u64) -> Self {
        self.samples = Some(count);
        self
    }

    /// How long the step took, loading included.
    pub fn seconds(mut self, seconds: f64) -> Self {
        self.seconds = Some(seconds);
        self
    }

    /// Samples a second; steps a second if it is not known how many samples. `None` without a
    /// positive duration.
    pub fn samples_per_second(&self) -> Option<f64> {
        let seconds = self.seconds.filter(|seconds| *seconds > 0.0 && seconds.is_finite())?;
        Some(self.samples.unwrap_or(1) as f64 / seconds)
    }
}

/// Settings of a watch over training; from [`training`](super::training).
#[derive(Clone, Debug)]
#[must_use = "a watch is made by `build`"]
pub struct TrainingBuilder {
    prefix: String,
    registry: Option<Registry>,
    sensitivity: f64,
    warm_up: u64,
    plateau: u64,
    stuck: u64,
    peak: Option<f64>,
}

impl Default for TrainingBuilder {
    fn default() -> Self {
        Self {
            prefix: "training".to_owned(),
            registry: None,
            sensitivity: SENSITIVITY,
            warm_up: WARM_UP,
            plateau: 500,
            stuck: 50,
            peak: None,
        }
    }
}

impl TrainingBuilder {
    /// What the names of the metrics begin with, before an underscore (`training`).
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The registry to record in, instead of the one that macros on this thread use.
    pub fn registry(mut self, registry: &Registry) -> Self {
        self.registry = Some(registry.clone());
        self
    }

    /// How many standard deviations of the loss make a spike (5.5); the rest follows in
    /// proportion.
    pub fn sensitivity(mut self, deviations: f64) -> Self {
        self.sensitivity = deviations.max(1.0);
        self
    }

    /// Steps to learn from before spikes and drifts are reported (50).
    pub fn warm_up(mut self, steps: u64) -> Self {
        self.warm_up = steps.max(2);
        self
    }

    /// Steps without a new best loss that make a plateau (500), which is information.
    pub fn plateau(mut self, steps: u64) -> Self {
        self.plateau = steps;
        self
    }

    /// How often the very same loss in a row means that nothing is being learned (50).
    pub fn stuck(mut self, times: u64) -> Self {
        self.stuck = times;
        self
    }

    /// The highest learning rate that the schedule goes to. What stays below is never a jump, and
    /// what goes above is one from the first step on. Without it a rate is told that jumps to more
    /// than five times its highest, as the second stage of a warm-up may.
    pub fn peak_learning_rate(mut self, rate: f64) -> Self {
        self.peak = Some(rate);
        self
    }

    /// The watch. Registers its metrics.
    #[must_use]
    pub fn build(self) -> Training {
        let recorder = Recorder::new(&self.prefix, self.registry);
        let name = |what: &str| -> Arc<str> { format!("{}_{what}", self.prefix).into() };
        let names = [
            name("loss"),
            name("gradient_norm"),
            name("learning_rate"),
            name("samples_per_second"),
        ];
        let prefix = &self.prefix;
        let count = |what: &str| {
            let registry = recorder.registry();
            registry.map_or(Counter::noop(), |registry| {
                registry.counter(&format!("{prefix}_{what}_total"), &[])
            })
        };
        let seconds = recorder.registry().map_or(Histogram::noop(), |registry| {
            registry.histogram(&format!("{prefix}_step_duration_seconds"), &[])
        });
        Training {
            gauges: [0, 1, 2, 3].map(|at: usize| recorder.gauge(&names[at], &[])),
            steps: count("steps"),
            samples: count("samples"),
            seconds,
            names,
            step: 0,
            model: Model::new(self.sensitivity, self.warm_up, self.stuck, self.peak),
            plateau: Plateau::new(self.plateau),
            pace: Slowdown::new(KNOWN_AFTER),
            pace_incident: Incident::default(),
            recorder,
        }
    }
}

/// Judges training step by step; made by [`TrainingBuilder::build`].
///
/// Deterministic, without a clock, a thread or a lock: see the [module](super).
#[derive(Clone, Debug)]
pub struct Training {
    recorder: Recorder,
    names: [Arc<str>; 4],
    gauges: [Gauge; 4],
    steps: Counter,
    samples: Counter,
    seconds: Histogram,
    step: u64,
    model: Model,
    plateau: Plateau,
    pace: Slowdown,
    pace_incident: Incident,
}

impl Training {
    /// Records a step in the metrics and judges it. At most one anomaly a step, the worst, and one
    /// per event: the model (loss, gradient, learning rate) and the pace are an event each.
    pub fn observe(&mut self, step: Step) -> Option<Anomaly> {
        self.record(&step);
        let at = self.step;
        self.step = at.saturating_add(1);
        let model = self.model.turn(&step);
        // A step without samples, as an empty batch is one, says nothing of the pace.
        let pace = step.samples_per_second().filter(|rate| rate.is_normal()).and_then(|rate| {
            let found = self.pace.judge(rate);
            // There is room for one: the pace waits for the next step, in which it is still slow.
            if model.is_some() {
                return None;
            }
            match self.pace_incident.turn(found.as_ref()) {
                Turn::Report => found.map(|found| (Of::Pace, rate, found)),
                Turn::Silent => None,
                Turn::NewNormal => {
                    self.pace.restart();
                    None
                }
            }
        });
        let plateau = Some(step.loss).filter(|loss| loss.is_finite());
        let plateau = plateau.and_then(|loss| self.plateau.judge(loss));
        let plateau = plateau.map(|found| (Of::Loss, step.loss, found));
        let (of, value, found) = model.or(pace).or(plateau)?;
        let anomaly = Anomaly {
            metric: self.names[of as usize].clone(),
            labels: Arc::new([]),
            step: at,
            value,
            action: advice(of, found.kind).map(Into::into),
            found: found.of(value),
        };
        self.recorder.report(&anomaly);
        Some(anomaly)
    }

    /// Says that something was done about the last anomaly (weights restored, learning rate
    /// lowered, loader switched): the very next strange value is reported again, and what led here
    /// is not held against what comes. What was learned stays.
    pub fn rearm(&mut self) {
        self.model.rearm();
        self.pace_incident.close();
        self.pace.calm();
    }

    /// All that was learned, and the step: about a kilobyte, to be kept beside the checkpoint of
    /// the weights. The metrics are not part of it: counters begin anew, as Prometheus expects.
    ///
    /// ```
    /// use nissa::watch::{Kind, Step};
    ///
    /// let registry = nissa::Registry::new();
    /// let build = || nissa::watch::training().registry(&registry).build();
    /// let mut before = build();
    /// for step in 0..200 {
    ///     before.observe(Step::new(2.0 / (1.0 + 0.1 * step as f64)).learning_rate(0.1));
    /// }
    /// let text = serde_json::to_string(&before.save()).unwrap();
    ///
    /// // The run was stopped, and goes on from the checkpoint of step 200.
    /// let mut after = build();
    /// after.restore(&serde_json::from_str(&text).unwrap())?;
    /// assert!(after.is_ready());
    /// let anomaly = after.observe(Step::new(0.1).learning_rate(3.0)).unwrap();
    /// assert_eq!((anomaly.kind(), anomaly.step()), (Kind::RateJump, 200));
    /// # Ok::<(), nissa::Error>(())
    /// ```
    pub fn save(&self) -> State {
        let mut tape = Tape::writing();
        self.clone().carry(&mut tape);
        tape.into_state(STATE)
    }

    /// Goes on from what another watch over training had learned, at its step.
    ///
    /// # Errors
    ///
    /// If the state is of something else, or of another version of this crate's format
    /// ([`Error::is_state`]). The watch is left as it was.
    pub fn restore(&mut self, state: &State) -> Result<(), Error> {
        let mut trial = self.clone();
        let mut tape = Tape::reading(state, STATE)?;
        trial.carry(&mut tape);
        tape.finish()?;
        *self = trial;
        Ok(())
    }

    fn carry(&mut self, tape: &mut Tape) {
        tape.integer(&mut self.step);
        self.model.carry(tape);
        self.plateau.carry(tape);
        self.pace.carry(tape);
        self.pace_incident.carry(tape);
    }

    /// Whether enough was seen for spikes and drifts to be reported.
    pub fn is_ready(&self) -> bool {
        self.model.is_ready()
    }

    /// Whether nothing is being reported and the last value was ordinary: a good moment for a
    /// checkpoint that an anomaly may have to go back to.
    pub fn is_calm(&self) -> bool {
        self.model.is_calm()
    }

    fn record(&mut self, step: &Step) {
        let rate = step.samples_per_second();
        let values = [Some(step.loss), step.gradient_norm, step.learning_rate, rate];
        for (gauge, value) in self.gauges.iter().zip(values) {
            if let Some(value) = value {
                gauge.set(value);
            }
        }
        self.steps.increment(1);
        self.samples.increment(step.samples.unwrap_or(0));
        if let Some(seconds) = step.seconds {
            self.seconds.record(seconds);
        }
    }
}
