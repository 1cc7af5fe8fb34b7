//! What is read less often than the rest.

use std::time::Duration;

/// What hardly changes, or is dear to read: limits, `/proc/vmstat`.
const SLOW: Duration = Duration::from_secs(10);

/// The kernel works out load averages anew this often.
const LOAD: Duration = Duration::from_secs(5);

/// No collector is called more often.
const SHORTEST: Duration = Duration::from_millis(1);

/// Counts the calls of a collector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beat {
    slow: Every,
    load: Every,
}

impl Beat {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { slow: Every::new(SLOW, interval), load: Every::new(LOAD, interval) }
    }

    /// Counts a call, the first of which is for everything.
    pub(crate) fn next(&mut self) -> Due {
        Due { slow: self.slow.next(), load: self.load.next() }
    }
}

/// One call of so many. Nothing is divided when it is called.
#[derive(Clone, Copy, Debug)]
struct Every {
    calls: u32,
    left: u32,
}

impl Every {
    fn new(time: Duration, interval: Duration) -> Self {
        let calls = time.as_nanos() / interval.max(SHORTEST).as_nanos();
        Self { calls: u32::try_from(calls).unwrap_or(u32::MAX), left: 0 }
    }

    fn next(&mut self) -> bool {
        let due = self.left == 0;
        let left = if due { self.calls } else { self.left };
        self.left = left.saturating_sub(1);
        due
    }
}

/// What a call is for, beside what is read each time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Due {
    pub(crate) slow: bool,
    pub(crate) load: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(interval: Duration) -> Vec<usize> {
        let mut beat = Beat::new(interval);
        (0..30).filter(|_| beat.next().slow).collect()
    }

    #[test]
    fn slow_figures_are_read_each_ten_seconds() {
        assert_eq!(slow(Duration::from_secs(1)), [0, 10, 20]);
        assert_eq!(slow(Duration::from_millis(700)), [0, 14, 28]);
        assert_eq!(slow(Duration::from_secs(9)), (0..30).collect::<Vec<_>>());
        assert_eq!(slow(Duration::from_secs(60)).len(), 30);
        assert_eq!(Every::new(SLOW, Duration::ZERO).calls, 10_000);
    }

    #[test]
    fn the_first_call_is_for_everything() {
        let mut beat = Beat::new(Duration::from_secs(1));
        assert_eq!(beat.next(), Due { slow: true, load: true });
        let loads = (1..10).filter(|_| beat.next().load);
        assert_eq!(loads.collect::<Vec<_>>(), [5]);
    }
}
