//! One event is reported once: a shift that stays is one anomaly, not one per step.

use crate::anomaly::{Found, Kind, Severity};
use crate::detect::Tape;

/// Ordinary values in a row after which an incident is over.
const QUIET: u32 = 20;
/// Strange values after which they are the new normal.
const NEW_NORMAL: u32 = 100;

/// Whether something is being reported already.
#[derive(Clone, Debug, Default)]
pub(super) struct Incident {
    open: Option<Severity>,
    /// A learning rate that jumped was reported.
    jumped: bool,
    quiet: u32,
    lasted: u32,
}

/// What to do with what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing was found, or it is reported already.
    Silent,
    Report,
    /// It has been so for so long that it must be learned.
    NewNormal,
}

impl Incident {
    pub(super) fn turn(&mut self, found: Option<&Found>) -> Turn {
        let Some(found) = found else {
            self.quiet = self.quiet.saturating_add(1);
            if self.quiet >= QUIET {
                self.close();
            }
            return Turn::Silent;
        };
        self.quiet = 0;
        self.lasted = self.lasted.saturating_add(1);
        // What breaks a run is told though a harmless spike is not over yet.
        let cause = found.kind == Kind::RateJump && !self.jumped;
        self.jumped |= cause;
        let worse = cause || self.open.is_none_or(|open| found.severity > open);
        if worse {
            self.open = self.open.max(Some(found.severity));
            return Turn::Report;
        }
        if self.lasted >= NEW_NORMAL && is_learned(found.kind) {
            self.close();
            return Turn::NewNormal;
        }
        Turn::Silent
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn close(&mut self) {
        *self = Self::default();
    }

    pub(super) fn carry(&mut self, tape: &mut Tape) {
        let severities =
            [None, Some(Severity::Info), Some(Severity::Warning), Some(Severity::Critical)];
        let mut at = severities.iter().position(|severity| *severity == self.open).unwrap_or(0);
        tape.index(&mut at, severities.len());
        self.open = severities.get(at).copied().flatten();
        tape.flag(&mut self.jumped);
        tape.count(&mut self.quiet);
        tape.count(&mut self.lasted);
    }
}

fn is_learned(kind: Kind) -> bool {
    use Kind::{Dip, Divergence, Drift, RateJump, Slowdown, Spike, Vanished};
    matches!(kind, Spike | Dip | Drift | Divergence | RateJump | Vanished | Slowdown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: Kind, severity: Severity) -> Option<Found> {
        Some(Found::certain(kind, severity))
    }

    #[test]
    fn an_event_is_reported_once_and_again_when_it_gets_worse() {
        let mut incident = Incident::default();
        let spike = found(Kind::Spike, Severity::Warning);
        assert_eq!(incident.turn(spike.as_ref()), Turn::Report);
        assert_eq!(incident.turn(spike.as_ref()), Turn::Silent);
        assert_eq!(incident.turn(None), Turn::Silent);
        assert_eq!(incident.turn(spike.as_ref()), Turn::Silent);
        let nan = found(Kind::NotFinite, Severity::Critical);
        assert_eq!(incident.turn(nan.as_ref()), Turn::Report);
        for _ in 0..QUIET {
            assert_eq!(incident.turn(None), Turn::Silent);
        }
        assert_eq!(incident.turn(spike.as_ref()), Turn::Report);
    }

    #[test]
    fn what_stays_becomes_normal_but_never_a_limit() {
        let mut incident = Incident::default();
        let drift = found(Kind::Drift, Severity::Warning);
        let turns: Vec<Turn> = (0..NEW_NORMAL).map(|_| incident.turn(drift.as_ref())).collect();
        assert_eq!(turns.iter().filter(|turn| **turn == Turn::Report).count(), 1);
        assert_eq!(turns.last(), Some(&Turn::NewNormal));

        let above = found(Kind::Above, Severity::Warning);
        let turns: Vec<Turn> = (0..500).map(|_| incident.turn(above.as_ref())).collect();
        assert_eq!(turns.iter().filter(|turn| **turn != Turn::Silent).count(), 1);
    }
}
