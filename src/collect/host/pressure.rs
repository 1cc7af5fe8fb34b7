//! `/proc/pressure` and a cgroup's `*.pressure`: time in which work waited for a resource.

use crate::collect::figure::Figure;
use crate::collect::linux::Source;
use crate::collect::linux::scan::{fields, lines, number};
use crate::registry::{Observed, Registry};

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
        let totals = [total(text, b"some"), total(text, b"full")];
        let series = self.series.get_or_insert_with(|| {
            let number = |figure: Figure| figure.number(registry, &[]);
            self.figures.map(|figure| figure.map_or(Observed::noop(), number))
        });
        for (series, total) in series.iter().zip(totals) {
            series.set_or_clear(total.map(|micros| micros as f64 / 1e6));
        }
        totals.iter().any(Option::is_some)
    }

    fn clear(&mut self) {
        self.series = None;
    }
}

/// Microseconds in all, of the line of this kind.
fn total(text: &[u8], kind: &[u8]) -> Option<u64> {
    let line = lines(text).find(|line| fields(line).next() == Some(kind))?;
    fields(line).find_map(|field| number(field.strip_prefix(b"total=")?))
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
