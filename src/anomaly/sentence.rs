//! An anomaly in words.

use std::fmt;

use super::{Anomaly, Kind};

impl Anomaly {
    /// Why the value is reported, as half a sentence: `58 times the usual 0.213`.
    pub fn reason(&self) -> impl fmt::Display {
        Reason(self)
    }
}

struct Reason<'a>(&'a Anomaly);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Anomaly { value, found, .. } = self.0;
        let (usual, steps) = (Short(found.usual), found.steps);
        let ratio = Ratio(value / found.usual);
        match found.kind {
            Kind::NotFinite if steps > 1 => write!(f, "not a finite number for {steps} steps"),
            Kind::NotFinite => f.write_str("it is not a finite number"),
            Kind::Above => write!(f, "it is above the limit {}", Short(found.high)),
            Kind::Below => write!(f, "it is below the limit {}", Short(found.low)),
            Kind::Spike => write!(f, "a spike, {ratio} the usual {usual}"),
            Kind::Dip => write!(f, "a dip, {ratio} the usual {usual}"),
            Kind::Drift => {
                write!(
                    f,
                    "its mean of late, {}, keeps above its level of {usual}",
                    Short(found.late)
                )
            }
            Kind::Divergence => {
                let times = Ratio(found.late / found.usual);
                write!(f, "it diverges, its mean of late {times} its level of {usual}")
            }
            Kind::RateJump => write!(f, "it jumped to {ratio} its highest, {usual}"),
            Kind::Vanished => write!(f, "next to nothing for {steps} steps, usually {usual}"),
            Kind::Slowdown => write!(f, "slow for {steps} steps, {ratio} the usual {usual}"),
            Kind::Stuck => write!(f, "the same value {steps} times"),
            Kind::Plateau => write!(f, "no progress beyond {usual} for {steps} steps"),
        }
    }
}

/// `critical: training_loss is 12.4 at step 1352, expected up to 0.61: a spike, 58 times the usual
/// 0.213 (99 % sure); restore the last good weights and lower the learning rate`
impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metric, step, value, found, .. } = self;
        write!(f, "{}: {metric} is {} at step {step}", found.severity, Short(*value))?;
        let by_range =
            !matches!(found.kind, Kind::Above | Kind::Below | Kind::Drift | Kind::Divergence);
        match (found.low.is_finite(), found.high.is_finite()) {
            (true, true) if by_range => {
                write!(f, ", expected {} to {}", Short(found.low), Short(found.high))?;
            }
            (false, true) if by_range => write!(f, ", expected up to {}", Short(found.high))?,
            (true, false) if by_range => write!(f, ", expected from {}", Short(found.low))?,
            _ => {}
        }
        // Rounded down: 100 % is for what needs no model.
        write!(f, ": {} ({:.0} % sure)", self.reason(), (100.0 * found.confidence).floor())?;
        match &self.action {
            Some(action) => write!(f, "; {action}"),
            None => Ok(()),
        }
    }
}

/// Three significant digits, and no more zeros than one can count.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.abs();
        if !magnitude.is_finite() || magnitude == 0.0 {
            write!(f, "{}", self.0)
        } else if !(1e-4..1e6).contains(&magnitude) {
            write!(f, "{:.2e}", self.0)
        } else {
            let before_point = magnitude.log10().floor() as i32 + 1;
            let digits = usize::try_from(3 - before_point).unwrap_or(0);
            let text = format!("{:.digits$}", self.0);
            let text = match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.'),
                false => &text,
            };
            f.write_str(text)
        }
    }
}

/// A factor in words.
struct Ratio(f64);

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ratio if !ratio.is_finite() || ratio <= 0.0 => f.write_str("away from"),
            ratio if ratio < 0.95 => write!(f, "{} % of", Short(100.0 * ratio)),
            ratio => write!(f, "{} times", Short(ratio)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (0.25, "0.25"),
            (12.449, "12.4"),
            (1352.4, "1352"),
            (0.001234, "0.00123"),
            (1e-9, "1.00e-9"),
            (-3.0, "-3"),
            (100.0, "100"),
            (2.5e7, "2.50e7"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "NaN"),
        ];
        for (number, text) in cases {
            assert_eq!(Short(number).to_string(), text);
        }
    }

    #[test]
    fn factors_are_words() {
        let words = [2.0, 0.4, f64::NAN, -3.0].map(|ratio| Ratio(ratio).to_string());
        assert_eq!(words, ["2 times", "40 % of", "away from", "away from"]);
    }
}
