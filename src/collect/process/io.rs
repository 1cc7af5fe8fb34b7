//! `/proc/self/io`: what this process reads and writes. Absent where it may not be read.

use super::figures::IO;
use crate::collect::linux::scan::{Form, values};
use crate::collect::linux::{Source, made, show_counts};
use crate::registry::{Observed, Registry};

#[derive(Default)]
pub(crate) struct Io(Option<[Observed<u64>; IO.len()]>);

impl Source for Io {
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool {
        let keys = ["read_bytes", "write_bytes", "syscr", "syscw"];
        let found = values(text, Form::Colon, &keys);
        let make = || IO.map(|figure| figure.count(registry, &[]));
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
    fn bytes_are_those_of_disks() {
        let text =
            b"rchar: 6976\nwchar: 1\nsyscr: 10\nsyscw: 2\nread_bytes: 4096\nwrite_bytes: x\n";
        let registry = Registry::new();
        assert!(Io::default().show(text, &registry));
        let mut io = Io::default();
        assert!(io.show(text, &registry));
        assert_eq!(value(&registry, "process_io_read_bytes_total", &[]), Some(4096.0));
        assert_eq!(value(&registry, "process_io_read_syscalls_total", &[]), Some(10.0));
        assert_eq!(value(&registry, "process_io_written_bytes_total", &[]), None);
    }
}
