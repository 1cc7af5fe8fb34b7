//! Critical errors the driver reports as events.

use nvml_wrapper::bitmasks::event::EventTypes;
use nvml_wrapper::enums::event::XidError;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, EventSet};

use super::source::Readings;
use super::verdict::Verdict;

/// What the driver calls an error it has no number for.
const UNKNOWN: u64 = 999;

/// Events that one reading takes; a GPU that reports more has told enough.
const MOST: usize = 16;

/// The events of one GPU: a set each, since a set is lost when one of its GPUs cannot be added.
#[derive(Default)]
pub(super) struct Xids {
    verdict: Verdict,
    set: Option<EventSet<'static>>,
}

impl Xids {
    /// Takes what has happened since the last time, and waits for nothing.
    pub(super) fn read(&mut self, device: &Device<'static>, into: &mut Readings) {
        if self.set.is_none() && self.verdict.is_open() {
            self.register(device, into);
        }
        let Some(set) = self.set.as_ref().filter(|_| self.verdict.is_open()) else { return };
        for _ in 0..MOST {
            let event = match set.wait(0) {
                // The library's answer; the GPU was not asked.
                Err(NvmlError::Timeout) => break,
                event => event,
            };
            let Some(event) = self.verdict.judge("event_set_wait", event, into) else { break };
            match event.event_data {
                Some(XidError::Value(xid)) => into.xids.push(xid),
                Some(XidError::Unknown) => into.xids.push(UNKNOWN),
                None => {}
            }
        }
    }

    fn register(&mut self, device: &Device<'static>, into: &mut Readings) {
        // A set that cannot be freed makes the wrapper panic where it is dropped.
        if device.nvml().lib().nvmlEventSetFree.is_err() {
            return self.verdict.close();
        }
        let created = device.nvml().create_event_set();
        let Some(set) = self.verdict.judge("event_set_create", created, into) else { return };
        let registered = device.register_events(EventTypes::CRITICAL_XID_ERROR, set);
        let registered = registered.map_err(|error| error.error);
        self.set = self.verdict.judge("register_events", registered, into);
    }
}
