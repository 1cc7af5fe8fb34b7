//! A variance that does not vanish where squares do.

use super::{LARGEST, Tape};

/// 2^500: in it, what is as small as a double can be has a square.
const UNIT: f64 = f64::from_bits((1023 + 500) << 52);
/// Squares below it are not to be trusted.
const LEAST: f64 = 1e-280;

/// A number in the unit of what is tiny; its square is finite.
#[inline]
pub(super) fn magnified(number: f64) -> f64 {
    (number * UNIT).clamp(-LARGEST, LARGEST)
}

/// The root of a variance, given it, a mean square that says how large it may be, and what it is
/// in the unit of what is tiny.
#[inline]
pub(super) fn deviation(variance: f64, mean_square: f64, magnified: f64) -> f64 {
    match mean_square > LEAST {
        true => variance.max(0.0).sqrt(),
        false => magnified.max(0.0).sqrt() / UNIT,
    }
}

/// A variance that forgets exponentially, by West's update (D. H. D. West, "Updating mean and
/// variance estimates: an improved method", Communications of the ACM 22, 1979).
///
/// A series of 1e-300 is a series like any other, only that its squares are zero. So they are kept
/// a second time, in a unit that makes them large; a scale found out once would have to be changed
/// as soon as the series grows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Variance {
    plain: f64,
    magnified: f64,
}

impl Variance {
    /// Learns a distance from the mean before it.
    #[inline]
    pub(super) fn learn(&mut self, off: f64, weight: f64) {
        let large = magnified(off);
        self.plain = (1.0 - weight) * (self.plain + weight * off * off);
        self.magnified = (1.0 - weight) * (self.magnified + weight * large * large);
    }

    /// Learns a number whose mean square is wanted, whatever its mean.
    #[inline]
    pub(super) fn average(&mut self, off: f64, weight: f64) {
        let large = magnified(off);
        self.plain += weight * (off * off - self.plain);
        self.magnified += weight * (large * large - self.magnified);
    }

    #[inline]
    pub(super) fn deviation(&self) -> f64 {
        deviation(self.plain, self.plain, self.magnified)
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        tape.number(&mut self.plain);
        tape.number(&mut self.magnified);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_at_any_size() {
        for size in [1e-307, 1e-300, 1e-160, 1e-140, 1e-9, 1.0, 1e100] {
            let (mut variance, mut mean) = (Variance::default(), 0.0);
            for step in 0..1_000 {
                let off = size * f64::from([1, 2, 3, 2][step % 4]) - mean;
                mean += 0.02 * off;
                variance.learn(off, 0.02);
            }
            let deviation = variance.deviation() / size;
            assert!((deviation - 0.5f64.sqrt()).abs() < 0.05, "{deviation} at {size}");
        }
    }
}
