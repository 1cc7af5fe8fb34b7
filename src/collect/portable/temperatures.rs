//! What the machine's sensors measure. Some take milliseconds to answer, so they are read
//! seldom, in a thread of their own, by who asks for it.

use std::time::Duration;

use sysinfo::Components;

use crate::collect::devices::Devices;
use crate::collect::hanging::{Clear, MayHang, Watched};
use crate::collect::host::figures::TEMPERATURE;
use crate::collect::{Collector, Failures};
use crate::registry::{Observed, Registry};

/// Reads the sensors.
pub(crate) struct Temperatures {
    interval: Duration,
    components: Components,
    shown: MayHang<Sensors>,
}

#[derive(Default)]
struct Sensors(Devices<Observed<f64>>);

impl Clear for Sensors {
    fn clear(&mut self) {
        self.0.clear();
    }
}

impl Temperatures {
    pub(crate) fn new(interval: Duration) -> Self {
        let shown = MayHang::new(Sensors::default());
        Self { interval, components: Components::new(), shown }
    }

    /// For the thread that looks whether a sensor hangs.
    pub(crate) fn watched(&self) -> Box<dyn Watched> {
        self.shown.watched()
    }
}

impl Collector for Temperatures {
    fn name(&self) -> &str {
        "temperature"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        self.shown.ask(|| self.components.refresh(true));
        let mut failures = Failures::new();
        let sensors = &mut self.shown.lock().shown.0;
        for component in self.components.list() {
            let label = component.label();
            // "coretemp Core 0": what it sits in, then which it is.
            let (chip, sensor) = label.split_once(' ').unwrap_or((label, ""));
            let make =
                |_: &str| TEMPERATURE.number(registry, &[("chip", chip), ("sensor", sensor)]);
            let Some(series) = sensors.find(label.as_bytes(), make) else { continue };
            let celsius = component.temperature().map(f64::from);
            series.set_or_clear(celsius.filter(|celsius| celsius.is_finite()));
        }
        sensors.forget_unseen();
        sensors.report_left_out("sensor_limit", &mut failures);
        failures.into_result()
    }

    fn clear(&mut self) {
        self.shown.clear();
    }
}
