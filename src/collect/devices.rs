//! Series by device: made when a device is first seen, gone when it is.

use super::Failures;
use crate::registry::Observed;

/// More devices than this are left out: whoever has as many has made them up.
const MOST: usize = 2_000;

/// A registry that was full may have room again; devices whose series it refused ask this often,
/// in readings of the list.
const RETRY: u32 = 10;

/// Devices in the order the kernel lists them.
#[derive(Debug)]
pub(crate) struct Devices<S> {
    list: Vec<Device<S>>,
    /// Where the next one is expected: where it was the last time.
    next: usize,
    /// Readings of the list.
    readings: u32,
    left_out: usize,
}

#[derive(Debug)]
struct Device<S> {
    name: Box<[u8]>,
    seen: bool,
    series: S,
}

/// What is shown of a device.
pub(crate) trait Series: Sized {
    /// Whether the registry had no room for some of it.
    fn is_refused(&self) -> bool;

    /// Takes the handles of one that was made anew. What is counted beside them goes on.
    fn renew(&mut self, new: Self) {
        *self = new;
    }
}

impl<T> Series for Observed<T> {
    fn is_refused(&self) -> bool {
        self.is_put_off()
    }
}

impl<S: Series, const N: usize> Series for [S; N] {
    fn is_refused(&self) -> bool {
        self.iter().any(S::is_refused)
    }
}

/// A device of which nothing is to be shown has been refused nothing.
impl<S: Series> Series for Option<S> {
    fn is_refused(&self) -> bool {
        self.as_ref().is_some_and(S::is_refused)
    }
}

impl<S> Default for Devices<S> {
    fn default() -> Self {
        Self { list: Vec::new(), next: 0, readings: 0, left_out: 0 }
    }
}

impl<S: Series> Devices<S> {
    /// What is shown of this device; made if it is new.
    pub(crate) fn find(&mut self, name: &[u8], make: impl FnOnce(&str) -> S) -> Option<&mut S> {
        let expected = self.list.get(self.next).is_some_and(|device| *device.name == *name);
        let found = match expected {
            true => Some(self.next),
            false => self.list.iter().position(|device| *device.name == *name),
        };
        let index = match found {
            Some(index) => index,
            None if self.list.len() >= MOST => {
                self.left_out += 1;
                return None;
            }
            None => {
                let series = make(&String::from_utf8_lossy(name));
                self.list.push(Device { name: name.into(), seen: true, series });
                self.next = self.list.len();
                return self.list.last_mut().map(|device| &mut device.series);
            }
        };
        self.next = index + 1;
        let device = self.list.get_mut(index)?;
        device.seen = true;
        if self.readings % RETRY == 0 && device.series.is_refused() {
            device.series.renew(make(&String::from_utf8_lossy(name)));
        }
        Some(&mut device.series)
    }
}

impl<S> Devices<S> {
    /// What is shown of each.
    #[cfg(target_os = "linux")]
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut S> {
        self.list.iter_mut().map(|device| &mut device.series)
    }

    /// A device that is listed and could not be read stays as it is.
    #[cfg(target_os = "linux")]
    pub(crate) fn keep(&mut self, name: &[u8]) {
        if let Some(device) = self.list.iter_mut().find(|device| *device.name == *name) {
            device.seen = true;
        }
    }

    /// Lets go of the devices that were not asked for since the last time. To be called when a
    /// list has been gone through.
    pub(crate) fn forget_unseen(&mut self) {
        self.next = 0;
        self.readings = self.readings.wrapping_add(1);
        self.list.retain_mut(|device| std::mem::take(&mut device.seen));
    }

    /// Says of how many devices nothing was shown since the last time.
    pub(crate) fn report_left_out(&mut self, source: &'static str, failures: &mut Failures) {
        failures.leave_out(source, std::mem::take(&mut self.left_out), MOST);
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Matcher, Registry};

    impl Series for String {
        fn is_refused(&self) -> bool {
            false
        }
    }

    fn list(devices: &mut Devices<String>, names: &[&str]) -> Vec<String> {
        for name in names {
            devices.find(name.as_bytes(), str::to_owned).unwrap();
        }
        devices.forget_unseen();
        let mut there: Vec<String> = devices.list.iter().map(|d| d.series.clone()).collect();
        there.sort();
        there
    }

    #[test]
    fn devices_come_and_go() {
        let mut devices = Devices::default();
        assert_eq!(list(&mut devices, &["lo", "eth0"]), ["eth0", "lo"]);
        assert_eq!(list(&mut devices, &["lo", "veth1", "eth0"]), ["eth0", "lo", "veth1"]);
        assert_eq!(list(&mut devices, &["eth0"]), ["eth0"]);
        assert_eq!(list(&mut devices, &[]), [""; 0]);
    }

    #[test]
    fn there_is_an_end_to_devices_and_it_is_told() {
        let mut devices = Devices::default();
        let made = (0..MOST + 5)
            .filter(|n| devices.find(n.to_string().as_bytes(), str::to_owned).is_some());
        assert_eq!(made.count(), MOST);
        let mut failures = Failures::new();
        devices.report_left_out("net_dev_limit", &mut failures);
        devices.report_left_out("net_dev_limit", &mut failures);
        assert_eq!(failures.to_string(), "net_dev_limit: 5 beyond the first 2000 are left out");
    }

    #[test]
    fn a_device_that_was_refused_is_shown_once_there_is_room() {
        let registry = Registry::builder().series_per_family(1).build();
        let mut devices = Devices::default();
        let mut read = |names: &[&str]| {
            for name in names {
                let make = |name: &str| registry.observed_gauge("up", &[("device", name)]);
                devices.find(name.as_bytes(), make).unwrap().set(1.0);
            }
            devices.forget_unseen();
            let of = |name| registry.snapshot().get("up", &[("device", name)]).is_some();
            (of("a"), of("b"))
        };
        assert_eq!(read(&["a", "b"]), (true, false));
        // Its place is given back when the output is next read.
        assert_eq!(read(&["b"]), (false, false));
        let shown = (0..=RETRY).map(|_| read(&["b"])).find(|(_, b)| *b);
        assert_eq!(shown, Some((false, true)));
    }

    #[test]
    fn a_device_that_nobody_wants_is_not_offered_again() {
        let registry = Registry::builder().deny(Matcher::name("up")).build();
        let mut devices = Devices::default();
        let mut made = 0;
        for _ in 0..RETRY * 3 {
            let make = |name: &str| {
                made += 1;
                registry.observed_gauge("up", &[("device", name)])
            };
            devices.find(b"a", make).unwrap().set(1.0);
            devices.forget_unseen();
        }
        assert_eq!(made, 1);
    }
}
