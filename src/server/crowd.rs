//! All open connections: how many there may be, and who goes when there are too many.
//!
//! A newcomer is never turned away for the sake of somebody who says nothing: the one that goes is
//! silent, and of the address that has most connections. So a flood from one machine pushes itself
//! out, and a scraper from another does not notice.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::meters::{Meters, Refusal};
use crate::clock;
use crate::sync::Mutex;

/// The connections of one server.
#[derive(Debug)]
pub(super) struct Crowd {
    most: usize,
    meters: Arc<Meters>,
    state: Mutex<State>,
    /// Told when the last one has left.
    empty: Notify,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    open: HashMap<u64, Arc<Member>>,
}

/// One connection, as the others see it.
#[derive(Debug)]
pub(super) struct Member {
    id: u64,
    /// `None` on a Unix socket.
    peer: Option<IpAddr>,
    phase: Mutex<Phase>,
    /// Tells the connection to end now.
    leave: Notify,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    pub(super) doing: Doing,
    /// When it began to.
    pub(super) since: Instant,
    /// Responses so far.
    pub(super) answered: u64,
    /// Told to leave already.
    leaving: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Sending a request, or nothing at all.
    Asking,
    /// Between two requests.
    Idle,
    /// Waiting for its answer.
    Waiting,
    /// Reading its answer.
    Reading,
    /// Reading events, for as long as it likes and nobody else needs its place.
    Streaming,
}

/// A connection's place, given up when dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Crowd>,
    member: Arc<Member>,
}

/// Nobody who began to read so lately is called slow.
const SLOW: Duration = Duration::from_secs(1);

impl Crowd {
    pub(super) fn new(most: usize, meters: Arc<Meters>) -> Self {
        Self { most, meters, state: Mutex::default(), empty: Notify::new() }
    }

    /// A place for a new connection, if need be that of a silent one. `None` if all are at work.
    pub(super) fn admit(self: &Arc<Self>, peer: Option<IpAddr>) -> Option<Place> {
        let mut state = self.state.lock();
        if state.open.len() >= self.most && !self.evict(&state.open) {
            drop(state);
            self.meters.refused(Refusal::Connections);
            return None;
        }
        let id = state.next;
        state.next += 1;
        let phase =
            Phase { doing: Doing::Asking, since: clock::now(), answered: 0, leaving: false };
        let leave = Notify::new();
        let member = Arc::new(Member { id, peer, phase: Mutex::new(phase), leave });
        state.open.insert(id, Arc::clone(&member));
        let open = state.open.len();
        drop(state);
        self.meters.connections(open);
        Some(Place { crowd: Arc::clone(self), member })
    }

    /// Makes the oldest silent connection leave; false if there is none.
    pub(super) fn evict_silent(&self) -> bool {
        self.evict(&self.state.lock().open)
    }

    fn evict(&self, open: &HashMap<u64, Arc<Member>>) -> bool {
        let mut by_peer: HashMap<Option<IpAddr>, usize> = HashMap::new();
        open.values().for_each(|member| *by_peer.entry(member.peer).or_default() += 1);
        // Those that never asked for anything before those that may ask again.
        let rank = |member: &Arc<Member>| {
            let phase = *member.phase.lock();
            let asked = match phase.doing {
                _ if phase.leaving => return None,
                Doing::Asking => phase.answered > 0,
                Doing::Idle | Doing::Streaming => true,
                Doing::Waiting | Doing::Reading => return None,
            };
            let of_peer = by_peer.get(&member.peer).copied().unwrap_or_default();
            Some((asked, usize::MAX - of_peer, phase.since, member.id))
        };
        let silent = open.values().filter_map(|member| Some((rank(member)?, member)));
        let Some((_, victim)) = silent.min_by_key(|(rank, _)| *rank) else { return false };
        victim.leave();
        self.meters.refused(Refusal::Evicted);
        true
    }

    /// Makes the slowest reader leave, so that the page it holds can go; false if nobody is slow.
    pub(super) fn evict_reader(&self) -> bool {
        let now = clock::now();
        let state = self.state.lock();
        let reading = |member: &Arc<Member>| {
            let phase = *member.phase.lock();
            let slow = now.saturating_duration_since(phase.since) >= SLOW;
            (phase.doing == Doing::Reading && slow && !phase.leaving).then_some(phase.since)
        };
        let slow = state.open.values().filter_map(|member| Some((reading(member)?, member)));
        let Some((_, victim)) = slow.min_by_key(|(since, _)| *since) else { return false };
        victim.leave();
        self.meters.refused(Refusal::SlowReader);
        true
    }
}

impl Crowd {
    /// Ends when nobody is there.
    pub(super) async fn emptied(&self) {
        while !self.state.lock().open.is_empty() {
            self.empty.notified().await;
        }
    }
}

impl Member {
    pub(super) fn phase(&self) -> Phase {
        *self.phase.lock()
    }

    /// Goes over to doing something else.
    pub(super) fn turns_to(&self, doing: Doing) {
        let mut phase = self.phase.lock();
        if phase.doing != doing {
            phase.answered += u64::from(phase.doing == Doing::Reading);
            phase.doing = doing;
            phase.since = clock::now();
        }
    }

    fn leave(&self) {
        self.phase.lock().leaving = true;
        self.leave.notify_one();
    }

    /// Ends when the connection is to end.
    pub(super) async fn told_to_leave(&self) {
        self.leave.notified().await;
    }
}

impl Place {
    pub(super) fn member(&self) -> &Arc<Member> {
        &self.member
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.crowd.state.lock();
        state.open.remove(&self.member.id);
        let open = state.open.len();
        drop(state);
        self.crowd.meters.connections(open);
        if open == 0 {
            self.crowd.empty.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    fn crowd(most: usize) -> (Arc<Crowd>, Registry) {
        let registry = Registry::new();
        (Arc::new(Crowd::new(most, Arc::new(Meters::new(&registry)))), registry)
    }

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([10, 0, 0, last]))
    }

    fn leaving(place: &Place) -> bool {
        place.member.phase().leaving
    }

    #[test]
    fn the_oldest_silent_one_of_the_busiest_address_goes() {
        let (crowd, registry) = crowd(4);
        let quiet = crowd.admit(address(1)).unwrap();
        let busy: Vec<Place> = (0..3).map(|_| crowd.admit(address(2)).unwrap()).collect();
        busy[0].member.turns_to(Doing::Waiting);
        let newcomer = crowd.admit(address(3)).unwrap();
        assert!(leaving(&busy[1]), "the oldest that waits for nothing");
        assert!(![&quiet, &busy[0], &busy[2], &newcomer].into_iter().any(leaving));
        let value = registry.snapshot().value("nissa_http_rejected_total");
        assert_eq!(value, Some(1.0));
    }

    #[test]
    fn one_that_never_asked_goes_before_one_that_did() {
        let (crowd, _registry) = crowd(2);
        let asked = crowd.admit(address(1)).unwrap();
        asked.member.turns_to(Doing::Waiting);
        asked.member.turns_to(Doing::Reading);
        asked.member.turns_to(Doing::Idle);
        let silent = crowd.admit(address(1)).unwrap();
        let third = crowd.admit(address(1)).unwrap();
        assert!(leaving(&silent) && !leaving(&asked));
        drop(silent);
        third.member.turns_to(Doing::Waiting);
        let _fourth = crowd.admit(address(1)).unwrap();
        assert!(leaving(&asked), "who is silent for now is next");
    }

    #[test]
    fn where_all_are_at_work_nobody_goes() {
        let (crowd, registry) = crowd(1);
        let only = crowd.admit(None).unwrap();
        only.member.turns_to(Doing::Reading);
        assert!(crowd.admit(None).is_none());
        assert!(!crowd.evict_reader(), "it began just now");
        drop(only);
        assert!(crowd.admit(None).is_some());
        assert_eq!(registry.snapshot().value("nissa_http_connections"), Some(0.0));
    }
}
