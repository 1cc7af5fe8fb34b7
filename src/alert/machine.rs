//! From broken samples to an alert: pending, firing, resolved.

use std::time::Duration;

/// Ticks without a broken sample after which an alert that needed fewer is over.
const QUIET: u32 = 3;

/// Where one series stands with one rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    /// The last ticks, a bit each; the newest is the lowest.
    broken: u64,
    firing: bool,
    quiet: u32,
    resolved_at: Option<Duration>,
}

/// What is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    /// Broken, though not for long enough; `again` as for [`Fires`](Self::Fires).
    Pending {
        again: bool,
    },
    /// It was, and is not any more.
    Lapsed,
    /// Fires now. `again` if it had been resolved so lately that it is the same alert.
    Fires {
        again: bool,
    },
    /// Still broken.
    Continues,
    Resolved,
}

impl Machine {
    /// Takes in one tick at monotonic time `at`.
    pub(super) fn step(
        &mut self,
        broken: bool,
        (needed, of): (u32, u32),
        cooldown: Duration,
        at: Duration,
    ) -> Change {
        let window = u64::MAX >> (64 - of.clamp(1, 64));
        let was_pending = self.is_pending();
        self.broken = ((self.broken << 1) | u64::from(broken)) & window;
        self.quiet = if broken { 0 } else { self.quiet.saturating_add(1) };
        if self.firing {
            if broken {
                return Change::Continues;
            }
            if self.quiet < of.max(QUIET) {
                return Change::Nothing;
            }
            (self.firing, self.broken) = (false, 0);
            self.resolved_at = Some(at);
            return Change::Resolved;
        }
        let since = self.resolved_at.map(|resolved| at.saturating_sub(resolved));
        let again = since.is_some_and(|since| since < cooldown);
        if broken && self.broken.count_ones() >= needed {
            self.firing = true;
            return Change::Fires { again };
        }
        match (broken, was_pending && !self.is_pending()) {
            (true, _) => Change::Pending { again },
            (false, true) => Change::Lapsed,
            (false, false) => Change::Nothing,
        }
    }

    /// Whether ticks count towards an alert that does not fire yet.
    pub(super) fn is_pending(&self) -> bool {
        !self.firing && self.broken != 0
    }

    pub(super) fn is_firing(&self) -> bool {
        self.firing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn run(needed: (u32, u32), cooldown: u64, ticks: &str) -> Vec<Change> {
        let mut machine = Machine::default();
        let cooldown = Duration::from_secs(cooldown);
        let step = |(tick, what): (usize, char)| {
            machine.step(what == 'x', needed, cooldown, SECOND * tick as u32)
        };
        ticks.chars().enumerate().map(step).filter(|change| *change != Change::Nothing).collect()
    }

    #[test]
    fn holding_waits_for_a_row() {
        use Change::{Continues, Fires, Lapsed, Resolved};
        let fires = Fires { again: false };
        let pending = Change::Pending { again: false };
        assert_eq!(run((1, 1), 0, "..x..."), [fires, Resolved]);
        assert_eq!(run((3, 3), 0, "xx.xx.xx."), [pending; 6]);
        assert_eq!(run((2, 2), 0, "x..x.x.."), [pending, Lapsed, pending, pending, Lapsed]);
        assert_eq!(run((3, 3), 0, "xxxx..."), [pending, pending, fires, Continues, Resolved]);
        assert_eq!(run((3, 5), 0, "x.x.x....."), [pending, pending, fires, Resolved]);
        let again = [Change::Pending { again: true }, Fires { again: true }];
        assert_eq!(run((2, 2), 10, "xx...xx")[3..], again);
    }

    #[test]
    fn what_comes_back_soon_is_the_same_alert() {
        let changes = run((1, 1), 10, "x...x....................x");
        let fires = changes.iter().filter_map(|change| match change {
            Change::Fires { again } => Some(*again),
            _ => None,
        });
        assert_eq!(fires.collect::<Vec<_>>(), [false, true, false]);
    }
}
