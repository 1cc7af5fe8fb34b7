//! What the machine's sensors measure. Some take milliseconds to answer, so they are read every
//! ten seconds, in a thread of their own, by who asks for it.

use std::time::Duration;

use sysinfo::Components;

use crate::collect::devices::Devices;
use crate::collect::host::figures::TEMPERATURE;
use crate::collect::{Collector, Failures};
use crate::registry::{Observed, Registry};

/// Reads the sensors.
#[derive(Default)]
pub(crate) struct Temperatures {
    components: Components,
    sensors: Devices<Observed<f64>>,
}

impl Collector for Temperatures {
    fn name(&self) -> &str {
        "temperature"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        self.components.refresh(true);
        for component in self.components.list() {
            let label = component.label();
            // "coretemp Core 0": what it sits in, then which it is.
            let (chip, sensor) = label.split_once(' ').unwrap_or((label, ""));
            let make =
                |_: &str| TEMPERATURE.number(registry, &[("chip", chip), ("sensor", sensor)]);
            let Some(series) = self.sensors.find(label.as_bytes(), make) else { continue };
            let celsius = component.temperature().map(f64::from);
            series.set_or_clear(celsius.filter(|celsius| celsius.is_finite()));
        }
        self.sensors.forget_unseen();
        Ok(())
    }
}
