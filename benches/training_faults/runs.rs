//! Training runs of the example's network with exactly known faults, as what a loop would log.

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

/// Networks, batches and learning rates, none of which was looked at while the watch was made;
/// neither were the seeds.
const SHAPES: [(&[usize], usize, f64); 6] = [
    (&[64, 40, 10], 24, 0.03),
    (&[64, 80, 10], 48, 0.05),
    (&[64, 28, 28, 10], 32, 0.02),
    (&[64, 112, 10], 32, 0.04),
    (&[64, 20, 10], 20, 0.015),
    (&[64, 56, 36, 10], 40, 0.03),
];
const FIRST_SEED: u64 = 40_000;
const STEPS: usize = 900;

pub(crate) fn healthy(count: usize) -> Vec<Run> {
    (0..count).map(|at| run(at, None)).collect()
}

/// So many of each kind, at different steps.
pub(crate) fn faulty(of_each: usize) -> Vec<Run> {
    let each = KINDS.iter().flat_map(|kind| (0..of_each).map(move |at| (*kind, at)));
    each.enumerate().map(|(index, (kind, at))| run(1_000 + index, Some((kind, at)))).collect()
}

fn run(index: usize, fault: Option<(Kind, usize)>) -> Run {
    let (sizes, batch, first_rate) = SHAPES[index % SHAPES.len()];
    let mut rng = FIRST_SEED + index as u64;
    let (mut digits, _) = load_digits(&mut rng);
    let mut model = Mlp::new(sizes, &mut rng);
    // From a fifth of the run to four fifths.
    let fault = fault.map(|(kind, at)| (kind, at, STEPS / 5 + at * 53 % (STEPS * 3 / 5)));
    let (mut rate, mut slow, mut rows) = (first_rate, 1.0, Vec::new());
    let mut pace = rng ^ 0xACE;
    while rows.len() < STEPS {
        digits.sort_by_cached_key(|_| random(&mut rng).to_bits());
        for chosen in digits.chunks(batch).take(STEPS - rows.len()) {
            let mut noisy = |x: &f32| x + 0.5 * random(&mut rng);
            let mut digits: Vec<Digit> =
                chosen.iter().map(|(p, l)| (p.iter().map(&mut noisy).collect(), *l)).collect();
            if let Some((kind, at, step)) = fault.filter(|(_, _, step)| rows.len() >= *step) {
                let since = rows.len() - step;
                match kind {
                    Kind::RateSpike if since == 0 => rate *= [10.0, 30.0, 100.0, 300.0][at % 4],
                    Kind::Nan if since == 0 => model.bias(at % (sizes.len() - 1))[0] = f32::NAN,
                    Kind::Stall if since == 0 => slow = [2.5, 4.0, 7.0][at % 3],
                    Kind::WrongLabels if since < [1, 3, 20][at % 3] => {
                        digits.iter_mut().for_each(|(_, label)| *label = (*label + 3) % 10);
                    }
                    Kind::Drift => rate *= [1.02, 1.03, 1.05][at % 3],
                    Kind::LostLayer if since == 0 => model.lose(at % (sizes.len() - 1)),
                    _ => {}
                }
            }
            let loss: f32 = digits.iter().map(|digit| model.backward(digit)).sum();
            let norm = model.descend(rate as f32, digits.len());
            // As long as the work, up to a third more or less, one step in twenty three times.
            let disturbed = if random(&mut pace) > 0.9 { 3.0 } else { 1.0 };
            let seconds = 1e-5 * digits.len() as f64 * (1.0 + 0.33 * f64::from(random(&mut pace)));
            rows.push(Row {
                loss: f64::from(loss) / digits.len() as f64,
                norm,
                rate,
                samples: digits.len() as u64,
                seconds: seconds * disturbed * slow,
            });
        }
    }
    Run { fault: fault.map(|(kind, _, step)| (kind, step)), rows }
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
