//! The training run: what may break it, the watch that notices, and the response.

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use std::{str::FromStr, thread};

use nissa::watch::{self, Anomaly, Kind, Severity, Step};
use nissa::{counter, gauge, histogram};

use super::model::{Digit, Mlp, load_digits, random};

const BATCH: usize = 32;
/// Steps between checkpoints.
const CHECKPOINT: usize = 25;

/// What is to be trained, and what is to go wrong.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) sizes: Vec<usize>,
    pub(crate) epochs: usize,
    pub(crate) lr: f64,
    pub(crate) seed: u64,
    pub(crate) fault: Option<Fault>,
    /// Whether anomalies are acted upon, or only noted.
    pub(crate) respond: bool,
    /// Pretend that a step takes a millisecond or so, and wait for nothing.
    pub(crate) simulated_time: bool,
}

/// A mistake that real runs make, on purpose.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) step: usize,
    pub(crate) factor: f64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum FaultKind {
    /// From then on the learning rate is `factor` times what it should be.
    LrSpike,
    /// One weight becomes NaN.
    Nan,
    /// From then on loading a batch takes 6 ms, several times what a step takes.
    Stall,
}

impl FromStr for FaultKind {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            "lr-spike" => Ok(Self::LrSpike),
            "nan" => Ok(Self::Nan),
            "stall" => Ok(Self::Stall),
            _ => Err(()),
        }
    }
}

/// How the run went.
pub(crate) struct Outcome {
    pub(crate) accuracy: f64,
    /// What the watch said, and what was done about it.
    pub(crate) anomalies: Vec<(Anomaly, Option<String>)>,
    /// Before the fault, and from the fault on.
    pub(crate) samples_per_second: [f64; 2],
}

impl Plan {
    pub(crate) fn steps(&self) -> usize {
        // Four fifths of 1,797 digits.
        self.epochs * 1438_usize.div_ceil(BATCH)
    }

    /// Trains, and calls `after_epoch` with the epoch from 1 and the accuracy.
    pub(crate) fn run(&self, mut after_epoch: impl FnMut(usize, f64)) -> Outcome {
        let mut run = Run::new(self);
        for epoch in 1..=self.epochs {
            let _epoch_timer = histogram!("training_epoch_duration_seconds").start_timer();
            let mut digits = std::mem::take(&mut run.digits);
            digits.sort_by_cached_key(|_| random(&mut run.rng).to_bits());
            digits.chunks(BATCH).for_each(|rows| run.step(rows));
            run.digits = digits;
            run.outcome.accuracy = run.model.accuracy(&run.held_out);
            gauge!("training_accuracy").set(run.outcome.accuracy);
            after_epoch(epoch, run.outcome.accuracy);
        }
        let rate = |[samples, seconds]: [f64; 2]| samples / seconds;
        Outcome { samples_per_second: run.totals.map(rate), ..run.outcome }
    }
}

struct Run<'a> {
    plan: &'a Plan,
    watch: watch::Training,
    rng: u64,
    digits: Vec<Digit>,
    held_out: Vec<Digit>,
    model: Mlp,
    lr: f64,
    loader: Loader,
    /// The last two states in which all was well.
    good: VecDeque<(Mlp, f64)>,
    step: usize,
    /// Samples and seconds, before the fault and from the fault on.
    totals: [[f64; 2]; 2],
    outcome: Outcome,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan) -> Self {
        let mut rng = plan.seed;
        let (digits, held_out) = load_digits(&mut rng);
        let model = Mlp::new(&plan.sizes, &mut rng);
        let loader =
            Loader { delay: Duration::ZERO, simulated: plan.simulated_time, rng: plan.seed };
        let outcome =
            Outcome { accuracy: 0.0, anomalies: Vec::new(), samples_per_second: [0.0; 2] };
        Run {
            plan,
            watch: watch::training().build(),
            good: VecDeque::from([(model.clone(), plan.lr)]),
            rng,
            digits,
            held_out,
            model,
            lr: plan.lr,
            loader,
            step: 0,
            totals: [[0.0; 2]; 2],
            outcome,
        }
    }

    fn step(&mut self, rows: &[Digit]) {
        self.inject_fault();
        let started = Instant::now();
        let batch = self.loader.load(rows, &mut self.rng);
        let loss: f32 = batch.iter().map(|digit| self.model.backward(digit)).sum();
        let gradient_norm = self.model.descend(self.lr as f32, batch.len());
        let seconds = self.loader.seconds(started);

        let step = Step::new(loss / batch.len() as f32)
            .gradient_norm(gradient_norm)
            .learning_rate(self.lr)
            .samples(batch.len() as u64)
            .seconds(seconds);
        if let Some(anomaly) = self.watch.observe(step) {
            let acts = self.plan.respond && anomaly.severity() >= Severity::Warning;
            let done = acts.then(|| self.respond(&anomaly));
            if let Some(done) = &done {
                // What it did, without figures; the live page marks it on the curves.
                let what = done.split(',').next().unwrap_or(done).to_owned();
                counter!("training_responses_total", "did" => what).increment(1);
            }
            self.outcome.anomalies.push((anomaly, done));
        } else if self.step % CHECKPOINT == 0 && self.watch.is_calm() {
            self.good.push_back((self.model.clone(), self.lr));
            self.good.drain(..self.good.len().saturating_sub(2));
        }
        let faulty = self.plan.fault.is_some_and(|fault| self.step >= fault.step);
        let total = &mut self.totals[usize::from(faulty)];
        *total = [total[0] + batch.len() as f64, total[1] + seconds];
        self.step += 1;
    }

    fn inject_fault(&mut self) {
        match self.plan.fault.filter(|fault| fault.step == self.step) {
            Some(Fault { kind: FaultKind::LrSpike, factor, .. }) => self.lr *= factor,
            // A bias, which no digit leaves out.
            Some(Fault { kind: FaultKind::Nan, .. }) => self.model.bias(1)[0] = f32::NAN,
            Some(Fault { kind: FaultKind::Stall, .. }) => {
                self.loader.delay = Duration::from_millis(6);
            }
            None => {}
        }
    }

    /// What the program does about an anomaly, in the step in which it showed.
    fn respond(&mut self, anomaly: &Anomaly) -> String {
        self.watch.rearm();
        if anomaly.kind() == Kind::Slowdown {
            self.loader.delay = Duration::ZERO;
            return "switched to the other loader".into();
        }
        // A slow fault may have begun before the last checkpoint.
        let slow = matches!(anomaly.kind(), Kind::Drift | Kind::Divergence);
        let good = if slow { self.good.front() } else { self.good.back() };
        let (model, lr) = good.expect("the first weights");
        self.model = model.clone();
        // NaN says nothing about the learning rate, and one that jumped goes back where it was.
        let innocent = matches!(anomaly.kind(), Kind::NotFinite | Kind::RateJump);
        self.lr = if innocent { *lr } else { lr / 2.0 };
        format!("restored the last good weights, learning rate {}", self.lr)
    }
}

/// Brings batches, and tells how long a step took.
struct Loader {
    delay: Duration,
    simulated: bool,
    rng: u64,
}

impl Loader {
    /// Copies the rows with noise on every pixel, so that no digit comes twice the same.
    fn load(&self, rows: &[Digit], rng: &mut u64) -> Vec<Digit> {
        if !self.simulated {
            thread::sleep(self.delay);
        }
        let mut noisy = |pixels: &[f32]| pixels.iter().map(|x| x + 0.5 * random(rng)).collect();
        rows.iter().map(|(pixels, label)| (noisy(pixels), *label)).collect()
    }

    /// Simulated, a step takes 1 ms, up to a third more or less, and one in twenty three times
    /// that, as on a machine that others use too.
    fn seconds(&mut self, started: Instant) -> f64 {
        if !self.simulated {
            return started.elapsed().as_secs_f64();
        }
        let scatter = 1.0 + 0.33 * f64::from(random(&mut self.rng));
        let disturbed = if random(&mut self.rng) > 0.9 { 3.0 } else { 1.0 };
        0.001 * scatter * disturbed + self.delay.as_secs_f64()
    }
}
