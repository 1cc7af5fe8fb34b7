//! When the ticks were.

use std::collections::VecDeque;
use std::time::Duration;

use super::tier::millis;
use crate::monitor::Tick;

/// A wall clock that is ahead of the steady one by more was set, and is followed.
const STEP: u64 = 1_000;

/// The times of recent ticks, which only grow.
///
/// A tick's time is the wall clock's when the program starts, and goes on by the clock that never
/// jumps. When the wall clock was set forward, it follows; when it was set back, it does not, for
/// two samples must not claim one moment: it stays ahead until the program starts again.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    times: VecDeque<u64>,
    /// The number of the first tick in it.
    first: u64,
    /// The last tick's time, by either clock.
    last: Option<(u64, Duration)>,
    /// No tick is earlier: what was kept from before ended here.
    floor: u64,
    ahead: u64,
}

impl Timeline {
    /// No tick is to come before this moment.
    pub(super) fn start_after(&mut self, time: u64) {
        self.floor = time;
    }

    /// Goes on from ticks before the program started: the number of the first and the times of
    /// all.
    pub(super) fn restore(&mut self, first: u64, times: Vec<u64>) {
        (self.first, self.times) = (first, times.into());
    }

    /// Whether no tick came since the program started.
    pub(super) fn is_new(&self) -> bool {
        self.last.is_none()
    }

    /// Adds a tick, and gives its number and time.
    pub(super) fn push(&mut self, tick: Tick) -> (u64, u64) {
        let wall = millis(tick.unix);
        let time = match self.last {
            None => wall.max(self.floor.saturating_add(1)),
            Some((last, at)) => {
                let steady = last.saturating_add(millis(tick.at.saturating_sub(at)).max(1));
                if wall > steady.saturating_add(STEP) { wall } else { steady }
            }
        };
        self.ahead = time.saturating_sub(wall);
        self.last = Some((time, tick.at));
        self.times.push_back(time);
        (self.end() - 1, time)
    }

    /// How far the times are ahead of a wall clock that was set back, in milliseconds.
    pub(super) fn ahead(&self) -> u64 {
        if self.ahead > STEP { self.ahead } else { 0 }
    }

    /// The last tick's time, or when what was kept from before ended; 0 without either.
    pub(super) fn now(&self) -> u64 {
        self.last.map_or(self.floor, |(time, _)| time)
    }

    /// The number of the tick to come.
    pub(super) fn end(&self) -> u64 {
        self.first + self.times.len() as u64
    }

    /// The number of the first tick whose time is known.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn time(&self, tick: u64) -> Option<u64> {
        let index = usize::try_from(tick.checked_sub(self.first)?).ok()?;
        self.times.get(index).copied()
    }

    /// The times of a tick and those behind it.
    pub(super) fn since(&self, tick: u64) -> impl Iterator<Item = u64> + Clone + '_ {
        let known = tick.saturating_sub(self.first).min(self.times.len() as u64);
        self.times.range(known as usize..).copied()
    }

    /// The first tick that is not before this moment.
    pub(super) fn tick_at(&self, time: u64) -> u64 {
        self.first + self.times.partition_point(|earlier| *earlier < time) as u64
    }

    /// Forgets ticks before this one.
    pub(super) fn forget(&mut self, tick: u64) {
        while self.first < tick && self.times.pop_front().is_some() {
            self.first += 1;
        }
    }

    /// All times, from [`first`](Self::first) on.
    pub(super) fn times(&self) -> impl Iterator<Item = u64> + '_ {
        self.times.iter().copied()
    }

    pub(super) fn memory(&self) -> usize {
        self.times.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_wall_clock_is_followed_forwards_only() {
        let mut timeline = Timeline::default();
        let mut push = |at, unix| {
            let [at, unix] = [at, unix].map(Duration::from_secs);
            (timeline.push(Tick { at, unix, after_gap: false }).1, timeline.ahead())
        };
        assert_eq!(push(0, 100), (100_000, 0));
        assert_eq!(push(1, 101), (101_000, 0));
        assert_eq!(push(2, 90), (102_000, 12_000));
        assert_eq!(push(3, 91), (103_000, 12_000));
        assert_eq!(push(4, 500), (500_000, 0));
        assert_eq!(push(4, 500), (500_001, 0), "no two ticks have one time");
    }

    proptest! {
        #[test]
        fn times_grow_whatever_the_clocks_do(ticks in prop::collection::vec((any::<u64>(), any::<u64>()), 1..50)) {
            let (mut timeline, mut last) = (Timeline::default(), None);
            for (at, unix) in ticks {
                let [at, unix] = [at, unix].map(|n| Duration::from_millis(n >> 12));
                let (_, time) = timeline.push(Tick { at, unix, after_gap: false });
                prop_assert!(last < Some(time));
                last = Some(time);
            }
        }
    }
}
