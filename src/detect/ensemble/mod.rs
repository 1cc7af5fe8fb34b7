//! The default: what "anomalous" means where nobody says more.
//!
//! About twenty-five equal terms, each saying how far one signal of the series lies beyond all it
//! remembers ([`record`]): the series and its logarithm at five time scales and the differences
//! between these ([`ladder`]), how much it varies, and how far it is from what this time of day or
//! week usually brings ([`profile`](super::profile)). Their sum is compared with a threshold that
//! every alert raises for a while ([`budget`]), and one odd sample is not believed of a series known
//! for them ([`blip`]). No weight was fitted to labels.

mod blip;
mod budget;
mod ladder;
mod record;

use std::time::Duration;

use self::blip::Blips;
use self::budget::Budget;
use self::ladder::{Age, Ladder};
use self::record::Record;
use crate::detect::cadence::Cadence;
use crate::detect::profile::Season;
use crate::detect::{Detector, Reason, Score, THRESHOLD, Tape, WARM_UP, finite};

/// Samples whose mean size fixes the unit of the logarithm.
const UNIT: u64 = 20;
/// Share of the level below which a change is no change.
const GRAIN: f64 = 1e-4;
/// Below this level, whole numbers are taken for counts of rare events.
const FEW: f64 = 10.0;
/// Spans over which the samples' variation is averaged.
const SPREADS: [f64; 3] = [20.0, 80.0, 320.0];
/// Spans over which the distance from the season is averaged.
const SEASONS: [f64; 4] = [1.0, 4.0, 16.0, 64.0];
/// Rises without a fall after which a series is taken for a counter.
const RISES: i64 = 20;
/// Where samples come at most so many seconds apart, waiting for one more is cheap, and a single one
/// stands for little.
const CHEAP: f64 = 60.0;
/// What a sample scores that is still not finite, the first of its run having been told.
const STILL: f64 = 0.4;

/// Few, equal, explainable terms, an alert budget, and one alert per event.
///
/// A score of [`THRESHOLD`] or more is an alert. The 60 samples after it belong to the same event
/// and score below; each alert raises the threshold by half for some hundred samples, so that a
/// series that is wild by nature is heard less and less. Where samples come a minute apart or less
/// and single odd ones are usual, one is told only if the next agrees, so one sample late. Costs 0.2 µs per sample; the state is
/// below 1 KB, or below 3 KB while a daily or weekly season is kept or looked for. Whether there
/// is one is found out from the times.
///
/// ```
/// use std::time::Duration;
/// use nissa::detect::{Detector, Ensemble, Reason};
///
/// let mut detector = Ensemble::default();
/// let mut at = Duration::ZERO;
/// let mut alerts = Vec::new();
/// for step in 0..1500 {
///     at += Duration::from_secs(1);
///     let level = if step < 1000 { 20.0 } else { 35.0 };
///     let value = level + (step as f64 * 0.7).sin() + (step as f64 * 1.3).cos();
///     let score = detector.observe(value, at);
///     if score.is_anomalous() {
///         alerts.push(step);
///         assert_eq!(score.reason, Reason::Record);
///         let (low, high) = score.expected.unwrap();
///         assert!(low > 17.0 && high < 37.0);
///     }
/// }
/// assert_eq!(alerts, [1000]); // one alert for one shift, at once
/// ```
#[derive(Clone, Debug)]
pub struct Ensemble {
    threshold: f64,
    cadence: Cadence,
    seen: u64,
    unit: f64,
    last: f64,
    /// Rises since the start or the last reset; negative once the series fell otherwise.
    rises: i64,
    broken: bool,
    /// Whether all samples were whole numbers.
    whole: bool,
    plain: Ladder,
    logarithm: Ladder,
    spread: Spread,
    season: Season,
    residuals: Residuals,
    blips: Blips,
    budget: Budget,
}

impl Default for Ensemble {
    fn default() -> Self {
        Self {
            threshold: THRESHOLD,
            cadence: Cadence::default(),
            seen: 0,
            unit: 0.0,
            last: 0.0,
            rises: 0,
            broken: false,
            whole: true,
            plain: Ladder::default(),
            logarithm: Ladder::default(),
            spread: Spread::default(),
            season: Season::default(),
            residuals: Residuals::default(),
            blips: Blips::default(),
            budget: Budget::default(),
        }
    }
}

impl Ensemble {
    /// The score at which a sample counts as an alert, and so is followed by lower scores for the
    /// same event and by a higher bar; [`THRESHOLD`] unless set. Kept between 0.05 and 0.99.
    pub fn threshold(mut self, score: f64) -> Self {
        self.threshold = if score.is_nan() { THRESHOLD } else { score.clamp(0.05, 0.99) };
        self
    }

    fn ready(&self) -> bool {
        self.seen >= u64::from(WARM_UP)
    }

    /// Learns the unit of the logarithm: the mean size of the first samples.
    fn learn_unit(&mut self, value: f64) {
        self.unit += value.abs() / UNIT as f64;
        if self.seen == UNIT && self.unit < f64::MIN_POSITIVE {
            self.unit = 1.0;
        }
    }

    /// What the terms say, added up; and the reason that most of it stands for.
    fn evidence(&mut self, value: f64, at: Duration) -> (f64, Reason, Option<(f64, f64)>) {
        let mut evidence = Evidence::default();
        let grain = GRAIN * self.plain.level().abs();
        // A constant that is not zero is a setting, not a count: its first change does count.
        let (low, high) = self.plain.range();
        let setting = low == high && low != 0.0;
        self.whole &= value.fract() == 0.0;
        let logarithm = (value / self.unit).asinh();
        let age = Age::new(self.seen);
        self.plain.observe(value, grain, &age, |reason, said| evidence.add(reason, said));
        self.logarithm.observe(logarithm, GRAIN, &age, |reason, said| evidence.add(reason, said));
        self.spread.observe(logarithm, &age, |said| evidence.add(Reason::Spread, said));
        let mut expected = self.plain.range();
        if let Some(seasonal) = self.season.observe(value, at) {
            let (low, high) = self.residuals.range();
            let off = value - seasonal.expected;
            let heard = |said| {
                if seasonal.real {
                    evidence.add(Reason::Season, said);
                }
            };
            self.residuals.observe(off, grain, &age, heard);
            if seasonal.real {
                expected = (seasonal.expected + low, seasonal.expected + high);
            }
        }
        let few = self.whole && self.plain.level().abs() < FEW;
        let mut sum =
            if few && !setting && self.plain.within_chance() { 0.0 } else { evidence.sum };
        if self.cadence.usual() <= CHEAP {
            sum = self.blips.filter(value, logarithm, sum);
        }
        (sum, evidence.reason(), Some(expected))
    }

    /// Whether a series that only ever rose has fallen to next to nothing: it began anew.
    fn began_anew(&mut self, value: f64) -> bool {
        let fell = value < self.last;
        let reset = fell && self.rises >= RISES && (0.0..=0.1 * self.last).contains(&value);
        self.rises = match (fell, value > self.last) {
            (true, _) if reset => RISES,
            // It is no counter, and never will be.
            (true, _) => -1,
            (false, true) if self.rises >= 0 => self.rises.saturating_add(1),
            _ => self.rises,
        };
        self.last = value;
        reset
    }

    fn not_finite(&mut self) -> Score {
        let value = if self.broken { STILL.min(self.threshold * 0.9) } else { 1.0 };
        self.broken = true;
        Score { value, ..Score::not_finite(self.ready()) }
    }

    fn interrupt(&mut self) {
        self.plain.interrupt();
        self.logarithm.interrupt();
        self.spread.interrupt();
        self.blips.interrupt();
    }
}

impl Detector for Ensemble {
    fn name(&self) -> &'static str {
        "ensemble"
    }

    fn observe(&mut self, value: f64, at: Duration) -> Score {
        let gap = self.cadence.observe(at);
        let Some(value) = finite(value) else { return self.not_finite() };
        self.broken = false;
        self.seen = self.seen.saturating_add(1);
        let reset = self.began_anew(value);
        if self.seen <= UNIT {
            self.learn_unit(value);
            return Score::warming_up();
        }
        if gap || reset {
            self.interrupt();
        }
        if reset {
            // The records never saw the first samples of a series, as these are now.
            self.budget.begin_event();
        }
        let (evidence, reason, expected) = self.evidence(value, at);
        if self.seen <= u64::from(WARM_UP) {
            return Score::warming_up();
        }
        let score = self.budget.score(evidence, self.seen, self.threshold);
        let reason = match (gap, reset) {
            _ if score >= self.threshold => reason,
            (true, _) => Reason::Gap,
            (_, true) => Reason::Reset,
            _ => Reason::Usual,
        };
        Score { expected, ..Score::new(score, reason) }
    }

    fn skip(&mut self, at: Duration) {
        let _ = self.cadence.observe(at);
    }

    fn carry(&mut self, tape: &mut Tape) {
        self.cadence.carry(tape);
        tape.integer(&mut self.seen);
        tape.number(&mut self.unit);
        tape.number(&mut self.last);
        tape.signed(&mut self.rises);
        tape.flag(&mut self.broken);
        tape.flag(&mut self.whole);
        self.plain.carry(tape);
        self.logarithm.carry(tape);
        self.spread.carry(tape);
        self.season.carry(tape);
        self.residuals.carry(tape);
        self.blips.carry(tape);
        self.budget.carry(tape);
    }

    fn boxed_clone(&self) -> Box<dyn Detector> {
        Box::new(self.clone())
    }

    fn state_bytes(&self) -> usize {
        size_of::<Self>() + self.season.heap_bytes()
    }
}

/// What the terms of one sample say, by reason.
#[derive(Debug, Default)]
struct Evidence {
    sum: f64,
    by_reason: [f64; 16],
}

impl Evidence {
    #[inline]
    fn add(&mut self, reason: Reason, said: f64) {
        self.sum += said;
        if let Some(sum) = self.by_reason.get_mut(reason as usize) {
            *sum += said;
        }
    }

    /// The reason whose terms say most on average; of two that say about the same, the simpler one.
    fn reason(&self) -> Reason {
        let terms = [
            (Reason::Record, 4.0),
            (Reason::Change, 4.0),
            (Reason::Shift, 10.0),
            (Reason::Season, 4.0),
            (Reason::Spread, 3.0),
        ];
        let said = |(reason, terms): (Reason, f64)| {
            (reason, self.by_reason.get(reason as usize).map_or(0.0, |said| said / terms))
        };
        let louder = |a: (Reason, f64), b: (Reason, f64)| if b.1 > 1.5 * a.1 { b } else { a };
        terms.into_iter().map(said).reduce(louder).map_or(Reason::Usual, |(reason, _)| reason)
    }
}

/// How much the series varies from one sample to the next, at three time scales. On a logarithm,
/// so that falling silent is as much of a record as bursting out.
#[derive(Clone, Copy, Debug, Default)]
struct Spread {
    last: f64,
    seen: u64,
    means: [f64; 3],
    records: [Record; 3],
}

impl Spread {
    #[inline]
    fn observe(&mut self, signal: f64, age: &Age, mut found: impl FnMut(f64)) {
        let step = (signal - self.last).abs();
        self.last = signal;
        self.seen = self.seen.saturating_add(1);
        if self.seen == 1 {
            return;
        }
        let samples = self.seen - 1;
        let terms = self.means.iter_mut().zip(&mut self.records).zip(SPREADS);
        // The spans are the ladder's slower ones, and so is their say.
        for (((mean, record), span), say) in terms.zip(age.says.iter().skip(2)) {
            *mean += (2.0 / (span + 1.0)).max(1.0 / samples as f64) * (step - *mean);
            if samples as f64 > 0.5 * span {
                found(say * record.observe((*mean + 1e-6).ln(), 0.0, 0.0, age.forgetting));
            }
        }
    }

    /// The next sample is compared with none before it.
    fn interrupt(&mut self) {
        self.seen = 0;
    }

    fn carry(&mut self, tape: &mut Tape) {
        tape.number(&mut self.last);
        tape.integer(&mut self.seen);
        tape.numbers(&mut self.means);
        self.records.iter_mut().for_each(|record| record.carry(tape));
    }
}

/// How far the series is from its season, at four time scales.
#[derive(Clone, Copy, Debug, Default)]
struct Residuals {
    seen: u64,
    means: [f64; 4],
    records: [Record; 4],
}

impl Residuals {
    fn observe(&mut self, off: f64, grain: f64, age: &Age, mut found: impl FnMut(f64)) {
        self.seen = self.seen.saturating_add(1);
        for ((mean, record), span) in self.means.iter_mut().zip(&mut self.records).zip(SEASONS) {
            *mean += (2.0 / (span + 1.0)).max(1.0 / self.seen as f64) * (off - *mean);
            found(record.observe(*mean, grain, 0.0, age.forgetting));
        }
    }

    fn range(&self) -> (f64, f64) {
        self.records[0].range()
    }

    fn carry(&mut self, tape: &mut Tape) {
        tape.integer(&mut self.seen);
        tape.numbers(&mut self.means);
        self.records.iter_mut().for_each(|record| record.carry(tape));
    }
}
