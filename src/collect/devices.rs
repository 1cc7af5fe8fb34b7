//! Series by device: made when a device is first seen, gone when it is.

/// More devices than this are left out: whoever has as many has made them up.
const MOST: usize = 2_000;

/// Devices in the order the kernel lists them.
#[derive(Debug)]
pub(crate) struct Devices<S> {
    list: Vec<Device<S>>,
    /// Where the next one is expected: where it was the last time.
    next: usize,
}

#[derive(Debug)]
struct Device<S> {
    name: Box<[u8]>,
    seen: bool,
    series: S,
}

impl<S> Default for Devices<S> {
    fn default() -> Self {
        Self { list: Vec::new(), next: 0 }
    }
}

impl<S> Devices<S> {
    /// What is shown of this device; made if it is new.
    pub(crate) fn find(&mut self, name: &[u8], make: impl FnOnce(&str) -> S) -> Option<&mut S> {
        let expected = self.list.get(self.next).is_some_and(|device| *device.name == *name);
        let found = match expected {
            true => Some(self.next),
            false => self.list.iter().position(|device| *device.name == *name),
        };
        let index = match found {
            Some(index) => index,
            None if self.list.len() >= MOST => return None,
            None => {
                let series = make(&String::from_utf8_lossy(name));
                self.list.push(Device { name: name.into(), seen: true, series });
                self.list.len() - 1
            }
        };
        self.next = index + 1;
        let device = self.list.get_mut(index)?;
        device.seen = true;
        Some(&mut device.series)
    }

    /// Lets go of the devices that were not asked for since the last time. To be called when a
    /// list has been gone through.
    pub(crate) fn forget_unseen(&mut self) {
        self.next = 0;
        self.list.retain_mut(|device| std::mem::take(&mut device.seen));
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn there_is_an_end_to_devices() {
        let mut devices = Devices::default();
        let made =
            (0..MOST + 5).filter(|n| devices.find(n.to_string().as_bytes(), drop_name).is_some());
        assert_eq!(made.count(), MOST);
    }

    fn drop_name(_: &str) {}
}
