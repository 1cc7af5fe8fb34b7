//! `/proc/pressure` and a cgroup's `*.pressure`: time in which work waited for a resource.

use crate::collect::figure::Figure;
use crate::collect::linux::scan::{lines, only};
use crate::collect::linux::{Source, made, show_numbers};
use crate::registry::{Observed, Registry};

/// The kernel tells millionths of a second.
const MICROS: f64 = 1e6;

pub(crate) struct Pressure {
    figures: [Option<Figure>; 2],
    series: Option<[Observed<f64>; 2]>,
}

impl Pressure {
    pub(crate) fn new(figures: [Option<Figure>; 2]) -> Self {
        Self { figures, series: None }
    }
}

impl Source for Pressure {
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool {
        let totals = totals(text);
        let series = made(&mut self.series, || {
            let number = |figure: Figure| figure.number(registry, &[]);
            self.figures.map(|figure| figure.map_or(Observed::noop(), number))
        });
        show_numbers(series, &totals, MICROS);
        totals.iter().any(Option::is_some)
    }

    fn clear(&mut self) {
        self.series = None;
    }
}

/// Times in all, of the lines "some avg10=0.00 … total=7" and "full …".
#[inline(never)]
fn totals(text: &[u8]) -> [Option<u64>; 2] {
    let mut totals = [None; 2];
    for line in lines(text) {
        let [some, full] = &mut totals;
        let total = match line.get(..5) {
            Some(b"some ") => some,
            Some(b"full ") => full,
            _ => continue,
        };
        // It stands last.
        let digits = line.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (before, number) = line.split_at(line.len() - digits);
        *total = only(number).filter(|_| before.ends_with(b" total="));
    }
    totals
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::collect::host::figures::{PRESSURE_CPU, PRESSURE_IO};
    use crate::collect::probe::value;

    #[test]
    fn totals_are_seconds_and_a_machine_has_no_cpu_stall() {
        let text = b"some avg10=3.48 avg60=7.04 avg300=43.52 total=2718829855\n\
            full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        let registry = Registry::new();
        let mut io = Pressure::new(PRESSURE_IO);
        assert!(io.show(text, &registry) && Pressure::new(PRESSURE_CPU).show(text, &registry));
        assert_eq!(
            value(&registry, "node_pressure_io_waiting_seconds_total", &[]),
            Some(2718.829855)
        );
        assert_eq!(value(&registry, "node_pressure_io_stalled_seconds_total", &[]), Some(7e-6));
        assert!(io.show(b"some avg10=1 total=5\nfull total=x\n", &registry));
        assert_eq!(value(&registry, "node_pressure_io_stalled_seconds_total", &[]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(bytes in proptest::collection::vec(any::<u8>(), 0..200),
            text in "((some|full|x)( |total=|[0-9]{1,21}|\n){0,6}){0,4}")
        {
            let registry = Registry::new();
            Pressure::new(PRESSURE_IO).show(&bytes, &registry);
            Pressure::new(PRESSURE_IO).show(text.as_bytes(), &registry);
        }
    }
}
