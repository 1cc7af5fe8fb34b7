//! `/proc/vmstat`: page faults that needed a disk, swapping, killing for want of memory. Long, so
//! read every ten seconds.

use super::figures::VMSTAT;
use crate::collect::linux::scan::{Form, values};
use crate::collect::linux::{Source, made, show_counts};
use crate::registry::{Observed, Registry};

/// In the order of [`VMSTAT`].
const KEYS: [&str; VMSTAT.len()] = ["pgmajfault", "oom_kill", "pswpin", "pswpout"];

#[derive(Default)]
pub(crate) struct VmStat(Option<[Observed<u64>; VMSTAT.len()]>);

impl Source for VmStat {
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool {
        let found = values(text, Form::Plain, &KEYS);
        let make = || VMSTAT.map(|figure| figure.count(registry, &[]));
        show_counts(made(&mut self.0, make), &found);
        found.iter().any(Option::is_some)
    }

    fn clear(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::probe::value;

    #[test]
    fn the_four_are_found_among_many() {
        let registry = Registry::new();
        let mut vmstat = VmStat::default();
        assert!(vmstat.show(b"nr_free_pages 9\npgmajfault 12\npswpin 0\noom_kill -1\n", &registry));
        assert_eq!(value(&registry, "node_vmstat_pgmajfault", &[]), Some(12.0));
        assert_eq!(value(&registry, "node_vmstat_pswpin", &[]), Some(0.0));
        assert_eq!(value(&registry, "node_vmstat_oom_kill", &[]), None);
    }
}
