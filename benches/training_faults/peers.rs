//! What judges the runs: nissa, and the rules of the nearest peers with the settings they ship,
//! written anew from their documentation and sources.
//!
//! Their plateau rules are left out: no progress is information. trainpulse's step time is kept.

use std::collections::VecDeque;

use nissa::Registry;
use nissa::watch::{self, Severity, Step, Training};

use crate::runs::Row;

/// Judges a run step by step.
pub(crate) trait Judge {
    /// Whether this step raises an alarm.
    fn alarm(&mut self, row: &Row) -> bool;
}

pub(crate) type Make = fn() -> Box<dyn Judge>;

pub(crate) const SYSTEMS: [(&str, Make); 6] = [
    ("nissa", || Box::new(Nissa::new(true))),
    ("nissa, rate not told", || Box::new(Nissa::new(false))),
    ("Lightning SpikeDetection", || Box::<Lightning>::default()),
    ("trainpulse", || Box::<Trainpulse>::default()),
    ("entrenar andon", || Box::<Andon>::default()),
    ("trainscope CUSUM", || Box::<Trainscope>::default()),
];

/// `watch::training()` as it ships; warnings and worse.
struct Nissa {
    watch: Training,
    tell_rate: bool,
}

impl Nissa {
    fn new(tell_rate: bool) -> Self {
        Self { watch: watch::training().registry(&Registry::new()).build(), tell_rate }
    }
}

impl Judge for Nissa {
    fn alarm(&mut self, row: &Row) -> bool {
        let step = Step::new(row.loss).gradient_norm(row.norm);
        let step = step.samples(row.samples).seconds(row.seconds);
        let step = if self.tell_rate { step.learning_rate(row.rate) } else { step };
        self.watch.observe(step).is_some_and(|found| found.severity() >= Severity::Warning)
    }
}

/// A mean over the last values.
struct Window {
    values: VecDeque<f64>,
    size: usize,
}

impl Window {
    fn new(size: usize) -> Self {
        Self { values: VecDeque::new(), size }
    }

    fn push(&mut self, value: f64) {
        self.values.push_back(value);
        if self.values.len() > self.size {
            self.values.pop_front();
        }
    }

    fn mean(&self) -> f64 {
        self.values.iter().sum::<f64>() / self.values.len() as f64
    }

    fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares = self.values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        (squares / self.values.len() as f64).sqrt()
    }
}

/// `lightning.fabric.utilities.spike.SpikeDetection(mode="min", window=10, warmup=1, rtol=2.0,
/// finite_only=True)`: twice the mean of the last ten away from it, and worse than the last.
struct Lightning {
    window: Window,
    last: f64,
    seen: usize,
}

impl Default for Lightning {
    fn default() -> Self {
        Self { window: Window::new(10), last: 0.0, seen: 0 }
    }
}

impl Judge for Lightning {
    fn alarm(&mut self, row: &Row) -> bool {
        let mean = self.window.mean();
        let far = (row.loss - mean).abs() >= (2.0 * mean).abs();
        let worse = row.loss - self.last >= 0.0;
        let spike = self.seen >= 1 && (!row.loss.is_finite() || worse && far);
        self.seen += 1;
        if !spike && row.loss.is_finite() {
            self.window.push(row.loss);
            self.last = row.loss;
        }
        spike
    }
}

/// trainpulse: loss over five times the mean of the last fifty, gradient norm over 100 or under
/// 1e-7, learning rate changed more than tenfold, a step three times the mean of the last twenty,
/// NaN and infinities.
struct Trainpulse {
    loss: Window,
    seconds: Window,
    rate: Option<f64>,
}

impl Default for Trainpulse {
    fn default() -> Self {
        Self { loss: Window::new(50), seconds: Window::new(20), rate: None }
    }
}

impl Judge for Trainpulse {
    fn alarm(&mut self, row: &Row) -> bool {
        let full = |window: &Window| window.values.len() >= window.size;
        let spike = full(&self.loss) && row.loss > 5.0 * self.loss.mean();
        let slow = full(&self.seconds) && row.seconds > 3.0 * self.seconds.mean();
        let gradient = row.norm > 100.0 || row.norm > 0.0 && row.norm < 1e-7;
        let before = self.rate.replace(row.rate);
        let jump = before.is_some_and(|before| (row.rate / before).max(before / row.rate) > 10.0);
        self.loss.push(row.loss);
        self.seconds.push(row.seconds);
        spike || slow || gradient || jump || !row.loss.is_finite() || !row.norm.is_finite()
    }
}

/// entrenar's andon: three standard deviations above the mean of the last hundred, NaN.
struct Andon(Window);

impl Default for Andon {
    fn default() -> Self {
        Self(Window::new(100))
    }
}

impl Judge for Andon {
    fn alarm(&mut self, row: &Row) -> bool {
        if !row.loss.is_finite() {
            return true;
        }
        let far = (row.loss - self.0.mean()) / self.0.deviation().max(f64::from(f32::EPSILON));
        let spike = self.0.values.len() > 10 && far > 3.0;
        self.0.push(row.loss);
        spike
    }
}

/// trainscope's change-point detector: Page's CUSUM on the loss, against median and MAD of the
/// last 200, h = 6, k = 1, both ways, reset when it fires.
#[derive(Default)]
struct Trainscope {
    history: VecDeque<f64>,
    up: f64,
    down: f64,
}

impl Judge for Trainscope {
    fn alarm(&mut self, row: &Row) -> bool {
        let warm = self.history.len() >= 30;
        let middle = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            let half = values.len() / 2;
            match values.len() % 2 {
                0 => (values[half - 1] + values[half]) / 2.0,
                _ => values[half],
            }
        };
        if warm {
            let median = middle(self.history.iter().copied().collect());
            let off = self.history.iter().map(|loss| (loss - median).abs()).collect();
            let z = (row.loss - median) / (1.4826 * middle(off)).max(1e-12);
            self.up = (self.up + z - 1.0).max(0.0);
            self.down = (self.down + z + 1.0).min(0.0);
        }
        self.history.push_back(row.loss);
        if self.history.len() > 200 {
            self.history.pop_front();
        }
        let fires = warm && (self.up >= 6.0 || self.down <= -6.0);
        if fires {
            (self.up, self.down) = (0.0, 0.0);
        }
        fires
    }
}
