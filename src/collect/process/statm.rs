//! `/proc/self/statm`: memory, in pages.
//!
//! A fifth of what `/proc/self/stat` costs, and since Linux 6.16 the only one of the two that is
//! exact.

use super::figures::{RESIDENT, VIRTUAL};
use crate::collect::linux::scan::numbers;
use crate::collect::linux::{Source, made, show_numbers};
use crate::registry::{Observed, Registry};

pub(crate) struct Memory {
    page: u64,
    series: Option<[Observed<f64>; 2]>,
    resident: Option<u64>,
}

impl Memory {
    /// With pages of so many bytes.
    pub(crate) fn new(page: u64) -> Self {
        Self { page, series: None, resident: None }
    }

    /// Bytes that were not swapped out at the last reading.
    pub(crate) fn resident(&self) -> Option<u64> {
        self.resident
    }
}

impl Source for Memory {
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool {
        let mut pages = [0; 2];
        if numbers(text, &mut pages).is_none_or(|(count, _)| count < pages.len()) {
            return false;
        }
        let bytes = pages.map(|pages| Some(pages.saturating_mul(self.page)));
        let make = || [VIRTUAL, RESIDENT].map(|figure| figure.number(registry, &[]));
        show_numbers(made(&mut self.series, make), &bytes, 1.0);
        self.resident = bytes[1];
        true
    }

    fn clear(&mut self) {
        self.series = None;
        self.resident = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::collect::probe::value;

    #[test]
    fn pages_are_bytes() {
        let registry = Registry::new();
        let mut memory = Memory::new(16_384);
        assert!(memory.show(b"732 417 300 1 0 90 0\n", &registry));
        assert_eq!(memory.resident(), Some(417 * 16_384));
        let of = |name| value(&registry, name, &[]);
        assert_eq!(of("process_resident_memory_bytes"), Some(417.0 * 16_384.0));
        assert_eq!(of("process_virtual_memory_bytes"), Some(732.0 * 16_384.0));
        assert!(!memory.show(b"732\n", &registry));
        memory.clear();
        assert_eq!((of("process_resident_memory_bytes"), memory.resident()), (None, None));
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(bytes in proptest::collection::vec(any::<u8>(), 0..60),
            text in "[0-9]{0,21}( |\n)[0-9]{0,21}")
        {
            for text in [&*bytes, text.as_bytes()] {
                Memory::new(4096).show(text, &Registry::new());
            }
        }
    }
}
