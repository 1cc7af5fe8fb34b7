//! Files of a control group that hold one number, or a list of keys and numbers.

use std::slice::from_ref;

use crate::collect::figure::Figure;
use crate::collect::linux::scan::{Form, only, values};
use crate::collect::linux::{Source, made, show_numbers};
use crate::registry::{Observed, Registry};

/// A key, what it is shown as, and how many of its units are one of ours.
pub(crate) type Shown = (&'static str, Figure, f64);

/// Lines of a key and a number. Which keys there are depends on the kernel.
pub(crate) struct Keyed<const N: usize> {
    keys: [&'static str; N],
    shown: [(Figure, f64); N],
    series: Option<[Observed<f64>; N]>,
}

impl<const N: usize> Keyed<N> {
    pub(crate) fn new(shown: [Shown; N]) -> Self {
        let keys = shown.map(|(key, ..)| key);
        Self { keys, shown: shown.map(|(_, figure, per)| (figure, per)), series: None }
    }
}

impl<const N: usize> Source for Keyed<N> {
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool {
        let found = values(text, Form::Plain, &self.keys);
        let make = || self.shown.map(|(figure, _)| figure.number(registry, &[]));
        let series = made(&mut self.series, make);
        for ((series, value), (_, per)) in series.iter().zip(&found).zip(self.shown) {
            show_numbers(from_ref(series), from_ref(value), per);
        }
        found.iter().any(Option::is_some)
    }

    fn clear(&mut self) {
        self.series = None;
    }
}

/// One number, or the word "max" for none.
pub(crate) struct Single {
    figure: Figure,
    per: f64,
    series: Option<Observed<f64>>,
}

impl Single {
    pub(crate) fn new(figure: Figure, per: f64) -> Self {
        Self { figure, per, series: None }
    }
}

impl Source for Single {
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool {
        let value = only(text);
        let figure = self.figure;
        let series = made(&mut self.series, || figure.number(registry, &[]));
        show_numbers(from_ref(series), &[value], self.per);
        value.is_some() || text.trim_ascii_end() == b"max"
    }

    fn clear(&mut self) {
        self.series = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::collect::container::figures::{CPU_USAGE, PERIODS, THREADS_MAX};
    use crate::collect::probe::value;

    #[test]
    fn keys_come_in_any_order_and_may_be_missing() {
        let registry = Registry::new();
        let mut stat = Keyed::new([("usage_usec", CPU_USAGE, 1e6), ("nr_periods", PERIODS, 1.0)]);
        assert!(stat.show(b"user_usec 1\nnr_periods 7\nusage_usec 2500000\n", &registry));
        assert_eq!(value(&registry, CPU_USAGE.name, &[]), Some(2.5));
        assert_eq!(value(&registry, PERIODS.name, &[]), Some(7.0));
        assert!(stat.show(b"usage_usec 3000000\n", &registry));
        assert_eq!(value(&registry, PERIODS.name, &[]), None);
        assert!(!stat.show(b"usage_usec lots\n", &registry));
    }

    #[test]
    fn no_limit_is_no_figure() {
        let registry = Registry::new();
        let mut most = Single::new(THREADS_MAX, 1.0);
        assert!(most.show(b"500\n", &registry));
        assert_eq!(value(&registry, THREADS_MAX.name, &[]), Some(500.0));
        assert!(most.show(b"max\n", &registry));
        assert_eq!(value(&registry, THREADS_MAX.name, &[]), None);
        assert!(!most.show(b"\n", &registry));
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let registry = Registry::new();
            Single::new(THREADS_MAX, 1.0).show(&bytes, &registry);
            Keyed::new([("a", CPU_USAGE, 1e6)]).show(&bytes, &registry);
        }
    }
}
