//! What healthy runs do that looks like a fault: schedules, hard batches, skipped steps.

use crate::model::{Digit, random};

/// A peculiarity of a healthy run. Each is real training with it; nothing is drawn as a curve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Habit {
    /// None: plain training at one rate.
    Plain,
    /// Each 40th to 160th batch is mostly noise.
    HardBatches,
    /// The rate falls along a cosine and starts again at the top.
    WarmRestarts,
    /// The rate is raised three- to tenfold, twice, 60 to 150 steps apart.
    StagedWarmUp,
    /// Batches of longer texts, here of more noise, take up to four times as long; they come one by
    /// one or in blocks of 50.
    LengthBuckets,
    /// Gradients overflow now and then, and the step is skipped.
    LossScaling,
    /// The data gets harder in stages.
    Curriculum,
    /// The rate rises along a cosine for a third of the run, then falls to nothing.
    OneCycle,
    /// Each 100th step or so also writes a checkpoint, and takes 20 times as long.
    Checkpoints,
    /// One label in eight is wrong.
    LabelNoise,
    /// Two tasks take turns, one of them much easier.
    TwoTasks,
    /// Each epoch goes through the digits in the same order, similar ones together.
    Unshuffled,
}

/// Those that were looked at while the watch was made.
pub(crate) const SEEN: [Habit; 6] = [
    Habit::Plain,
    Habit::HardBatches,
    Habit::WarmRestarts,
    Habit::StagedWarmUp,
    Habit::LengthBuckets,
    Habit::LossScaling,
];
/// Those that only judge it.
pub(crate) const UNSEEN: [Habit; 6] = [
    Habit::Curriculum,
    Habit::OneCycle,
    Habit::Checkpoints,
    Habit::LabelNoise,
    Habit::TwoTasks,
    Habit::Unshuffled,
];

impl Habit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::HardBatches => "hard_batches",
            Self::WarmRestarts => "warm_restarts",
            Self::StagedWarmUp => "staged_warm_up",
            Self::LengthBuckets => "length_buckets",
            Self::LossScaling => "loss_scaling",
            Self::Curriculum => "curriculum",
            Self::OneCycle => "one_cycle",
            Self::Checkpoints => "checkpoints",
            Self::LabelNoise => "label_noise",
            Self::TwoTasks => "two_tasks",
            Self::Unshuffled => "unshuffled",
        }
    }

    /// The share of the run's rate that a step is meant to have.
    pub(crate) fn rate(self, variant: usize, step: usize, steps: usize) -> f64 {
        let cosine = |part: f64| 0.5 * (1.0 + (std::f64::consts::PI * part).cos());
        match self {
            Self::WarmRestarts => {
                let (mut start, mut length) = (0, [100, 150, 250][variant % 3]);
                while step >= start + length {
                    start += length;
                    // As `T_mult` of two does, in every second run.
                    length *= 1 + variant / 3 % 2;
                }
                let top = [1.0, 2.5][variant % 2];
                top * cosine((step - start) as f64 / length as f64).max(0.01)
            }
            Self::StagedWarmUp => {
                let (every, factor) =
                    ([60, 100, 150][variant % 3], [3.0, 5.0, 10.0][variant / 3 % 3]);
                f64::powi(factor, (step / every).min(2) as i32 - 2)
            }
            Self::OneCycle => {
                let part = step as f64 / steps as f64;
                match part < 0.3 {
                    true => 0.04 + 0.96 * (1.0 - cosine(part / 0.3)),
                    false => cosine((part - 0.3) / 0.7).max(1e-4),
                }
            }
            _ => 1.0,
        }
    }

    /// How hard a batch is: the noise on its pixels; and how many times as long it takes.
    pub(crate) fn batch(
        self,
        variant: usize,
        step: usize,
        steps: usize,
        rng: &mut u64,
    ) -> (f32, f64) {
        match self {
            Self::HardBatches => {
                let every = [40, 90, 160][variant % 3];
                // At regular steps, or at random ones.
                let hard = match variant / 3 % 2 {
                    0 => step % every == every - 1,
                    _ => (random(rng) + 1.0) * 0.5 * (every as f32) < 1.0,
                };
                (if hard { [1.5, 2.5, 4.0][variant / 2 % 3] } else { 0.5 }, 1.0)
            }
            Self::LengthBuckets => {
                let bucket = match variant % 2 {
                    0 => step / 50 % 4,
                    _ => ((random(rng) + 1.0) * 2.0) as usize % 4,
                };
                ([0.4, 0.5, 0.6, 0.8][bucket], [1.0, 1.5, 2.5, 4.0][bucket])
            }
            Self::Curriculum => {
                let stage = step * 4 / steps;
                ([0.3, 0.6, 0.9, 1.2][stage.min(3)], 1.0)
            }
            Self::Checkpoints => {
                let every = [50, 100, 137][variant % 3];
                (0.5, if step % every == every - 1 { 20.0 } else { 1.0 })
            }
            Self::TwoTasks => (if step % [2, 3][variant % 2] == 0 { 0.2 } else { 1.0 }, 1.0),
            Self::WarmRestarts => ([0.5, 0.2, 0.1, 0.3][variant % 4], 1.0),
            _ => (0.5, 1.0),
        }
    }

    /// The order in which an epoch goes through the digits.
    pub(crate) fn arrange(self, digits: &mut [Digit], rng: &mut u64) {
        digits.sort_by_cached_key(|_| random(rng).to_bits());
        if self == Self::Unshuffled {
            // Shards of a hundred that each hold mostly three digits.
            digits.sort_by_key(|(_, label)| label / 3);
        }
    }

    pub(crate) fn label(self, label: usize, rng: &mut u64) -> usize {
        match self {
            Self::LabelNoise if random(rng) > 0.75 => (label + 1 + (step_of(rng) % 9)) % 10,
            _ => label,
        }
    }
}

fn step_of(rng: &mut u64) -> usize {
    ((random(rng) + 1.0) * 1000.0) as usize
}

/// A dynamic loss scale: doubled after so many steps without overflow, halved by one.
pub(crate) struct Scaler {
    scale: f64,
    clean: usize,
    every: usize,
}

impl Scaler {
    pub(crate) fn new(variant: usize) -> Self {
        Self { scale: 65_536.0, clean: 0, every: [40, 100, 200][variant % 3] }
    }

    /// Whether a gradient of this norm overflows.
    pub(crate) fn overflows(&mut self, norm: f64) -> bool {
        // Half precision ends at 65,504; a gradient's largest part is some tenth of its norm.
        let over = 0.1 * norm * self.scale > 65_504.0 / 16.0;
        if over {
            self.scale *= 0.5;
            self.clean = 0;
        } else {
            self.clean += 1;
            if self.clean >= self.every {
                self.scale *= 2.0;
                self.clean = 0;
            }
        }
        over
    }
}
