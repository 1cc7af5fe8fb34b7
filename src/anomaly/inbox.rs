//! The way from inline watches to the background stage, if there is one.
//!
//! A watch must not wait, so it posts only if nobody else holds the box at that instant, and the
//! oldest goes when the box is full. Posting happens once per incident; nothing here is on the
//! path of an ordinary value.

use std::collections::VecDeque;

use super::Anomaly;
use crate::sync::Mutex;

/// Enough for every watch of a large program to fire within one tick.
const ROOM: usize = 256;

/// Anomalies and the registry each belongs to.
static INBOX: Mutex<VecDeque<(u32, Anomaly)>> = Mutex::new(VecDeque::new());

/// Leaves an anomaly for the stage that reads this registry. False if it was lost.
pub(crate) fn post(registry: u32, anomaly: &Anomaly) -> bool {
    let Some(mut inbox) = INBOX.try_lock() else { return false };
    let full = inbox.len() >= ROOM;
    if full {
        inbox.pop_front();
    }
    inbox.push_back((registry, anomaly.clone()));
    !full
}

/// What watches of this registry posted since the last call.
pub(crate) fn take(registry: u32) -> Vec<Anomaly> {
    let mut taken = Vec::new();
    INBOX.lock().retain(|(of, anomaly)| {
        let ours = *of == registry;
        if ours {
            taken.push(anomaly.clone());
        }
        !ours
    });
    taken
}
