//! Training runs of the example's network with exactly known faults, as what a loop would log.

use crate::habits::{Habit, Scaler};
use crate::model::{Digit, Mlp, load_digits, random};

/// What one step shows.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) loss: f64,
    pub(crate) norm: f64,
    pub(crate) rate: f64,
    pub(crate) samples: u64,
    pub(crate) seconds: f64,
}

/// One run, and the step from which on it is broken.
pub(crate) struct Run {
    pub(crate) fault: Option<(Kind, usize)>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The learning rate is multiplied by 10 to 300 in one step.
    RateSpike,
    /// A weight becomes NaN.
    Nan,
    /// From then on a step takes two and a half to seven times as long.
    Stall,
    /// For one to twenty batches, labels belong to other digits.
    WrongLabels,
    /// The learning rate grows by 2 to 5 % in every step.
    Drift,
    /// A layer's weights are lost.
    LostLayer,
}

pub(crate) const KINDS: [Kind; 6] =
    [Kind::RateSpike, Kind::Nan, Kind::Stall, Kind::WrongLabels, Kind::Drift, Kind::LostLayer];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RateSpike => "rate_spike",
            Self::Nan => "nan",
            Self::Stall => "stall",
            Self::WrongLabels => "wrong_labels",
            Self::Drift => "drift",
            Self::LostLayer => "lost_layer",
        }
    }
}

/// Layers, batch and learning rate.
type Shape = (&'static [usize], usize, f64);

/// What the watch was made on.
const BUILT_ON: [Shape; 6] = [
    (&[64, 32, 10], 32, 0.04),
    (&[64, 16, 10], 16, 0.02),
    (&[64, 64, 32, 10], 48, 0.03),
    (&[64, 96, 10], 32, 0.03),
    (&[64, 24, 24, 10], 24, 0.02),
    (&[64, 48, 10], 64, 0.06),
];
const FIRST_SEED_BUILT_ON: u64 = 10_000;
/// What was not looked at while the watch was made; neither were the seeds.
const SHAPES: [Shape; 6] = [
    (&[64, 40, 10], 24, 0.03),
    (&[64, 80, 10], 48, 0.05),
    (&[64, 28, 28, 10], 32, 0.02),
    (&[64, 112, 10], 32, 0.04),
    (&[64, 20, 10], 20, 0.015),
    (&[64, 56, 36, 10], 40, 0.03),
];
const FIRST_SEED: u64 = 40_000;
const STEPS: usize = 900;
/// Long enough for what comes again and again to come often.
const HABIT_STEPS: usize = 2_000;

pub(crate) fn healthy(count: usize) -> Vec<Run> {
    (0..count).map(|at| Recipe::plain(at, None).run()).collect()
}

/// So many of each kind, at different steps.
pub(crate) fn faulty(of_each: usize) -> Vec<Run> {
    let each = KINDS.iter().flat_map(|kind| (0..of_each).map(move |at| (*kind, at)));
    each.enumerate()
        .map(|(index, (kind, at))| Recipe::plain(1_000 + index, Some((kind, at))).run())
        .collect()
}

/// Which shapes and seeds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// Those that the watch was made on.
    BuiltOn,
    /// Those that judge it.
    Judged,
}

/// Healthy runs with a habit.
pub(crate) fn with_habit(habit: Habit, count: usize, share: Share) -> Vec<Run> {
    (0..count).map(|at| Recipe::with_habit(habit, at, share, None).run()).collect()
}

/// Runs with a habit in which, late, something breaks all the same: so many of each kind.
pub(crate) fn broken_with_habit(habit: Habit, of_each: usize, share: Share) -> Vec<Run> {
    let each = KINDS.into_iter().cycle().take(of_each * KINDS.len()).enumerate();
    each.map(|(at, kind)| Recipe::with_habit(habit, at, share, Some((kind, at))).run()).collect()
}

/// All that a run follows from.
struct Recipe {
    sizes: &'static [usize],
    batch: usize,
    rate: f64,
    seed: u64,
    steps: usize,
    habit: Habit,
    /// Which of a habit's forms.
    variant: usize,
    fault: Option<Fault>,
}

#[derive(Clone, Copy)]
struct Fault {
    kind: Kind,
    /// Which of a kind's forms.
    variant: usize,
    step: usize,
}

impl Recipe {
    fn plain(index: usize, fault: Option<(Kind, usize)>) -> Self {
        let (sizes, batch, rate) = SHAPES[index % SHAPES.len()];
        // From a fifth of the run to four fifths.
        let at = |variant: usize| STEPS / 5 + variant * 53 % (STEPS * 3 / 5);
        let fault = fault.map(|(kind, variant)| Fault { kind, variant, step: at(variant) });
        let seed = FIRST_SEED + index as u64;
        Self { sizes, batch, rate, seed, steps: STEPS, habit: Habit::Plain, variant: 0, fault }
    }

    fn with_habit(habit: Habit, at: usize, share: Share, fault: Option<(Kind, usize)>) -> Self {
        let index = 5_000 + 100 * habit as usize + at + 20 * usize::from(fault.is_some());
        let plain = Self::plain(index, None);
        let plain = match share {
            Share::Judged => plain,
            Share::BuiltOn => {
                let (sizes, batch, rate) = BUILT_ON[index % BUILT_ON.len()];
                Self { sizes, batch, rate, seed: FIRST_SEED_BUILT_ON + index as u64, ..plain }
            }
        };
        let step = |variant: usize| HABIT_STEPS * 3 / 5 + variant * 37;
        let fault = fault.map(|(kind, variant)| Fault { kind, variant, step: step(variant) });
        Self { habit, variant: at, steps: HABIT_STEPS, fault, ..plain }
    }

    fn run(&self) -> Run {
        let mut rng = self.seed;
        let (mut digits, _) = load_digits(&mut rng);
        let mut broken = Broken { rate: 1.0, slow: 1.0 };
        let mut model = Mlp::new(self.sizes, &mut rng);
        let mut scaler = Scaler::new(self.variant);
        let mut rows: Vec<Row> = Vec::new();
        let mut pace = rng ^ 0xACE;
        // What a habit draws leaves the rest of the run as it is.
        let mut chance = rng ^ 0xBEE;
        while rows.len() < self.steps {
            self.habit.arrange(&mut digits, &mut rng);
            for chosen in digits.chunks(self.batch).take(self.steps - rows.len()) {
                let step = rows.len();
                let (noise, longer) = self.habit.batch(self.variant, step, self.steps, &mut chance);
                let mut noisy = |x: &f32| x + noise * random(&mut rng);
                let mut digits: Vec<Digit> = chosen
                    .iter()
                    .map(|(p, l)| {
                        (p.iter().map(&mut noisy).collect(), self.habit.label(*l, &mut chance))
                    })
                    .collect();
                if let Some(fault) = self.fault.filter(|fault| step >= fault.step) {
                    broken.apply(fault, step - fault.step, &mut model, &mut digits);
                }
                let rate =
                    self.rate * self.habit.rate(self.variant, step, self.steps) * broken.rate;
                let before = (self.habit == Habit::LossScaling).then(|| model.clone());
                let loss: f32 = digits.iter().map(|digit| model.backward(digit)).sum();
                let mut norm = model.descend(rate as f32, digits.len());
                if let Some(before) = before.filter(|_| scaler.overflows(norm)) {
                    model = before;
                    norm = f64::INFINITY;
                }
                // As long as the work, up to a third more or less, one step in twenty three times.
                let disturbed = if random(&mut pace) > 0.9 { 3.0 } else { 1.0 };
                let seconds =
                    1e-5 * digits.len() as f64 * (1.0 + 0.33 * f64::from(random(&mut pace)));
                rows.push(Row {
                    loss: f64::from(loss) / digits.len() as f64,
                    norm,
                    rate,
                    samples: digits.len() as u64,
                    seconds: seconds * disturbed * broken.slow * longer,
                });
            }
        }
        Run { fault: self.fault.map(|fault| (fault.kind, fault.step)), rows }
    }
}

/// What a fault left behind.
struct Broken {
    rate: f64,
    slow: f64,
}

impl Broken {
    fn apply(&mut self, fault: Fault, since: usize, model: &mut Mlp, digits: &mut [Digit]) {
        let at = fault.variant;
        match fault.kind {
            Kind::RateSpike if since == 0 => self.rate *= [10.0, 30.0, 100.0, 300.0][at % 4],
            Kind::Nan if since == 0 => model.bias(at % model.depth())[0] = f32::NAN,
            Kind::Stall if since == 0 => self.slow = [2.5, 4.0, 7.0][at % 3],
            Kind::WrongLabels if since < [1, 3, 20][at % 3] => {
                digits.iter_mut().for_each(|(_, label)| *label = (*label + 3) % 10);
            }
            Kind::Drift => self.rate *= [1.02, 1.03, 1.05][at % 3],
            Kind::LostLayer if since == 0 => model.lose(at % model.depth()),
            _ => {}
        }
    }
}

impl Run {
    /// The step at which a smoothed loss is twice what it was before the fault.
    pub(crate) fn doubled(&self) -> Option<usize> {
        let (_, step) = self.fault?;
        let mean = |from: usize, to: usize| {
            let rows = &self.rows[from..to];
            rows.iter().map(|row| row.loss).sum::<f64>() / rows.len() as f64
        };
        let before = mean(step - 50, step);
        (step + 20..self.rows.len()).find(|end| mean(end - 20, *end) >= 2.0 * before)
    }
}
