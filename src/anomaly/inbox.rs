//! The way from inline watches to the background stage, if there is one.
//!
//! A watch must not wait, so it posts only if nobody else holds the boxes at that instant, and the
//! oldest goes when a box is full. There is one for each registry that a stage reads: who uses
//! watches without a monitor, or in registries of tests, fills nobody's. Posting happens once per
//! incident; nothing here is on the path of an ordinary value.

use std::collections::VecDeque;

use super::Anomaly;
use crate::sync::Mutex;

/// Enough for every watch of a large program to fire within one tick.
const ROOM: usize = 256;

/// Anomalies that wait for the stage that reads this registry.
struct Inbox {
    registry: u32,
    posted: VecDeque<Anomaly>,
}

static INBOXES: Mutex<Vec<Inbox>> = Mutex::new(Vec::new());

/// Says that a stage reads this registry, until [`close`].
pub(crate) fn open(registry: u32) {
    INBOXES.lock().push(Inbox { registry, posted: VecDeque::new() });
}

/// Nobody reads it any more.
pub(crate) fn close(registry: u32) {
    let mut inboxes = INBOXES.lock();
    if let Some(at) = inboxes.iter().position(|inbox| inbox.registry == registry) {
        inboxes.remove(at);
    }
}

/// Leaves an anomaly for the stage that reads this registry. False if one was lost.
pub(crate) fn post(registry: u32, anomaly: &Anomaly) -> bool {
    let Some(mut inboxes) = INBOXES.try_lock() else { return false };
    let inbox = inboxes.iter_mut().find(|inbox| inbox.registry == registry);
    let Some(Inbox { posted, .. }) = inbox else { return false };
    let full = posted.len() >= ROOM;
    if full {
        posted.pop_front();
    }
    posted.push_back(anomaly.clone());
    !full
}

/// What watches of this registry posted since the last call.
pub(crate) fn take(registry: u32) -> VecDeque<Anomaly> {
    let mut inboxes = INBOXES.lock();
    let inbox = inboxes.iter_mut().find(|inbox| inbox.registry == registry);
    inbox.map(|inbox| std::mem::take(&mut inbox.posted)).unwrap_or_default()
}
