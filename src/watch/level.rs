//! What a value usually is, how much it scatters, and how far out a new one is.
//!
//! A loss falls a hundredfold over a run and scatters in proportion, and a hard batch late in the
//! run is many times the mean: on the logarithm both are ordinary. So positive values are judged
//! by their logarithm, until one is negative; then values as they are, learned from scratch.
//! (A fixed multiple of a moving mean, the usual rule, fires on every hard batch at the end of a
//! run and on nothing at its beginning.)
//!
//! All figures are exponential means, one logarithm and some ten divisions a value, some 230 bytes.

use super::known::Known;
use crate::detect::Tape;

/// Values that shape the mean, by weight.
const MEAN_SPAN: f64 = 20.0;
/// Values that shape the scatter and the slow level.
const SLOW_SPAN: f64 = 50.0;
/// Values that shape the quick level.
const FAST_SPAN: f64 = 5.0;
/// In how many values the memory of the highest, and of the best level, fades.
const FADE: f64 = 100.0;
const BEST_FADE: f64 = 0.01;
/// What one value may add to the sum, and what each takes off, in standard deviations.
const SUM_MOST: f64 = 4.0;
const SUM_SLACK: f64 = 0.75;
/// Beyond this the sum need not know: it would only take longer to go back.
const SUM_TOP: f64 = 20.0;
/// The least scatter: 2 % of the value.
const LEAST_SCATTER: f64 = 0.02;
/// What squares without overflow; larger values are taken for this.
const LARGEST: f64 = 1e150;
/// Values before which the slow levels mean nothing.
const SETTLED: u64 = 30;
/// Zeros at the start after which the series is taken for one that stands at zero.
const ZEROS: u32 = 10;

/// The level of a series of numbers, one-sided: it looks for what is too high, or too low if it
/// is [mirrored](Self::mirrored).
#[derive(Clone, Debug)]
pub(super) struct Level {
    sign: f64,
    logarithmic: bool,
    /// Only whole numbers so far: a count scatters by one at least.
    whole: bool,
    seen: u64,
    /// Zeros before anything else.
    zeros: u32,
    /// The value looked at last, as it is judged.
    placed: f64,
    mean: f64,
    variance: f64,
    /// The highest, fading towards the mean.
    top: f64,
    slow: f64,
    fast: f64,
    /// The lowest the slow level was.
    best: f64,
    /// Page's cumulative sum (1954) of how far values lie above the best level.
    sum: f64,
    /// The quick level and the sum before the value looked at last.
    before: (f64, f64),
    /// That value is a spike of a known kind, which is not learned.
    known: bool,
    /// It is the first of its kind in a row, and leaves no trace in the sum either.
    passed_over: bool,
    spikes: Known,
    rises: Known,
}

/// How far out a value is, in standard deviations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// From the mean.
    pub(super) off: f64,
    /// From the highest of late.
    pub(super) beyond: f64,
    /// The cumulative sum over the best level, this value included.
    pub(super) sum: f64,
    /// The quick level over the slow one, this value included.
    pub(super) turn: f64,
    /// The quick level over the best, as the logarithm of a factor; where values are not judged by
    /// logarithm, as if each standard deviation were another third.
    pub(super) rise: f64,
}

impl Level {
    /// What was survived so many times is no news.
    pub(super) fn new(known_after: u64) -> Self {
        Self {
            sign: 1.0,
            logarithmic: true,
            whole: true,
            seen: 0,
            zeros: 0,
            placed: 0.0,
            mean: 0.0,
            variance: 0.0,
            top: 0.0,
            slow: 0.0,
            fast: 0.0,
            best: f64::INFINITY,
            sum: 0.0,
            before: (0.0, 0.0),
            known: false,
            passed_over: false,
            spikes: Known::after(known_after),
            rises: Known::after(known_after),
        }
    }

    /// Looks for what is too low.
    pub(super) fn mirrored(known_after: u64) -> Self {
        Self { sign: -1.0, ..Self::new(known_after) }
    }

    /// Forgets all but what kind of numbers these are, and what was survived.
    pub(super) fn restart(&mut self) {
        let Self { sign, logarithmic, whole, .. } = *self;
        let (spikes, rises) = (self.spikes.clone(), self.rises.clone());
        *self = Self { sign, logarithmic, whole, spikes, rises, ..Self::new(0) };
    }

    /// How many values were learned.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// What is usual, in the series' own unit.
    pub(super) fn usual(&self) -> f64 {
        self.back(self.mean)
    }

    /// The best level so far, in the series' own unit.
    pub(super) fn best(&self) -> f64 {
        self.back(self.best)
    }

    /// The mean of the last few values, in the series' own unit.
    pub(super) fn late(&self) -> f64 {
        self.back(self.fast)
    }

    /// The mean of the last fifty, in the series' own unit.
    pub(super) fn slow(&self) -> f64 {
        self.back(self.slow)
    }

    /// The end of the expected range, this many standard deviations out.
    pub(super) fn limit(&self, deviations: f64) -> f64 {
        self.back(self.mean + deviations * self.scatter())
    }

    /// Whether the sum is near nothing.
    pub(super) fn is_calm(&self) -> bool {
        self.sum < 4.0
    }

    /// Judges a finite value and adds it to the sum and the quick level, which must see what is
    /// too strange to be learned. `None` before the second value.
    pub(super) fn look(&mut self, value: f64) -> Option<Look> {
        self.whole &= value.fract() == 0.0;
        // Of counts, zero is one less than one; by logarithm it would be the deepest of dips.
        let counts = self.sign < 0.0 && self.whole && self.seen == 0;
        // Nothing has no logarithm, and one that stands there would never be learned.
        let zero = self.logarithmic && self.seen == 0 && value == 0.0;
        self.zeros = self.zeros.saturating_add(u32::from(zero));
        if self.logarithmic && (value < 0.0 || counts || self.zeros >= ZEROS) {
            self.logarithmic = false;
            // Logarithms of what was survived mean nothing here.
            self.spikes.forget();
            self.rises.forget();
            self.restart();
        }
        self.placed = self.place(value);
        self.before = (self.fast, self.sum);
        if self.seen == 0 {
            return None;
        }
        let scatter = self.scatter();
        let at = within(self.placed, self.mean - 4.0 * scatter, self.mean + 1e6 * scatter);
        self.fast += (at.min(self.mean + 100.0 * scatter) - self.fast) / span(self.seen, FAST_SPAN);
        let settled = self.seen >= SETTLED;
        if settled {
            let step = within((at - self.best) / scatter, -SUM_MOST, SUM_MOST) - SUM_SLACK;
            self.sum = within(self.sum + step, 0.0, SUM_TOP);
        }
        let rise = if settled { self.fast - self.best } else { 0.0 };
        Some(Look {
            off: (at - self.mean) / scatter,
            beyond: (at - self.top) / scatter,
            sum: self.sum,
            turn: (self.fast - self.slow) / scatter,
            rise: if self.logarithmic { rise } else { rise / scatter / 3.0 },
        })
    }

    /// Whether the value looked at last, if it is a spike, is news. One of a known kind leaves no
    /// trace; but those right after it do in sum and quick level, which tell a level that has
    /// shifted.
    pub(super) fn spike_is_news(&mut self, spike: bool) -> bool {
        let at = spike.then(|| within(self.placed, -LARGEST, LARGEST));
        let news = self.spikes.is_news(at, self.mean);
        let row = self.known;
        self.known = spike && !news;
        self.passed_over = self.known && !row;
        if self.passed_over {
            (self.fast, self.sum) = self.before;
        }
        news
    }

    /// Whether a quick level above the best one is news.
    pub(super) fn rise_is_news(&mut self, risen: bool) -> bool {
        let risen = risen && !self.passed_over;
        self.rises.is_news(risen.then_some(self.fast), self.best)
    }

    /// Whether a quick level above the slow one is news.
    pub(super) fn turn_is_news(&mut self, turned: bool) -> bool {
        let turned = turned && !self.passed_over;
        self.rises.is_news(turned.then_some(self.fast), self.slow)
    }

    /// Learns the value that was looked at last.
    pub(super) fn learn(&mut self) {
        if self.known {
            return;
        }
        let at = self.placed;
        if self.seen == 0 {
            if at.is_finite() {
                (self.mean, self.slow, self.fast, self.top) = (at, at, at, at);
                self.seen = 1;
            }
            return;
        }
        let scatter = self.scatter();
        // One value may not decide what is usual from then on.
        let most = if self.seen > 10 { 8.0 } else { 1e6 };
        let at = within(at, self.mean - 4.0 * scatter, self.mean + most * scatter);
        let off = at - self.mean;
        self.mean += off / span(self.seen, MEAN_SPAN);
        self.variance += (off * off - self.variance) / span(self.seen, SLOW_SPAN);
        self.top = at.max(self.top - (self.top - self.mean) / FADE);
        self.slow += (at - self.slow) / span(self.seen, SLOW_SPAN);
        self.seen = self.seen.saturating_add(1);
        if self.seen >= SETTLED {
            self.best = self.slow.min(self.best + BEST_FADE * self.scatter() / 10.0);
        }
    }

    /// Ends what the sum and the quick level remember, as after an intervention.
    pub(super) fn calm(&mut self) {
        self.sum = 0.0;
        self.fast = self.slow;
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        tape.flag(&mut self.logarithmic);
        tape.flag(&mut self.whole);
        tape.flag(&mut self.known);
        tape.count(&mut self.zeros);
        tape.integer(&mut self.seen);
        let Self { mean, variance, top, slow, fast, best, sum, .. } = self;
        for number in [mean, variance, top, slow, fast, best, sum] {
            tape.number(number);
        }
        self.spikes.carry(tape);
        self.rises.carry(tape);
    }

    fn scatter(&self) -> f64 {
        let least = match self.logarithmic {
            true => LEAST_SCATTER,
            false if self.whole => 1.0,
            false => (LEAST_SCATTER * self.mean.abs()).max(f64::MIN_POSITIVE.sqrt()),
        };
        self.variance.sqrt().max(least)
    }

    fn place(&self, value: f64) -> f64 {
        self.sign * if self.logarithmic { value.ln() } else { within(value, -LARGEST, LARGEST) }
    }

    fn back(&self, at: f64) -> f64 {
        if self.logarithmic { (self.sign * at).exp() } else { self.sign * at }
    }
}

/// The divisor of an exponential mean that starts as an ordinary one.
fn span(seen: u64, longest: f64) -> f64 {
    (seen as f64 + 1.0).min(longest)
}

/// As `clamp`, which panics where a limit is NaN.
fn within(value: f64, low: f64, high: f64) -> f64 {
    value.max(low).min(high)
}
