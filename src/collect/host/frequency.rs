//! How fast the processors run. Asking some wakes them, so it is done seldom, in a thread
//! of its own, for who asks for it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::figures::FREQUENCY;
use crate::collect::devices::Devices;
use crate::collect::hanging::{Clear, MayHang, Watched};
use crate::collect::linux::scan::number;
use crate::collect::{Collector, Failures};
use crate::registry::{Observed, Registry};

pub(crate) struct Frequencies {
    interval: Duration,
    folder: PathBuf,
    shown: MayHang<Processors>,
}

#[derive(Default)]
struct Processors(Devices<Observed<f64>>);

impl Clear for Processors {
    fn clear(&mut self) {
        self.0.clear();
    }
}

impl Frequencies {
    pub(crate) fn new(root: &Path, interval: Duration) -> Self {
        let folder = root.join("sys/devices/system/cpu");
        Self { interval, folder, shown: MayHang::new(Processors::default()) }
    }

    /// For the thread that looks whether this one hangs.
    pub(crate) fn watched(&self) -> Box<dyn Watched> {
        self.shown.watched()
    }
}

impl Collector for Frequencies {
    fn name(&self) -> &str {
        "cpufreq"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        let mut failures = Failures::new();
        let read = self.shown.ask(|| read(&self.folder, &mut failures));
        let processors = &mut self.shown.lock().shown.0;
        for (processor, hertz) in read {
            let make = |number: &str| FREQUENCY.number(registry, &[("cpu", number)]);
            if let Some(series) = processors.find(processor.as_bytes(), make) {
                series.set(hertz);
            }
        }
        processors.forget_unseen();
        processors.report_left_out("cpufreq_limit", &mut failures);
        failures.into_result()
    }

    fn clear(&mut self) {
        self.shown.clear();
    }
}

/// Number and frequency of each processor that tells it; a virtual one mostly does not.
fn read(folder: &Path, failures: &mut Failures) -> Vec<(String, f64)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let hertz = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let processor =
            name.strip_prefix("cpu").filter(|rest| number(rest.as_bytes()).is_some())?;
        let text = match fs::read(entry.path().join("cpufreq/scaling_cur_freq")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            text => failures.check("scaling_cur_freq", text)?,
        };
        let Some(kilohertz) = number(text.trim_ascii()) else {
            failures.add("scaling_cur_freq", "is no number");
            return None;
        };
        Some((processor.to_owned(), kilohertz as f64 * 1e3))
    });
    hertz.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::probe::value;

    #[test]
    fn each_processor_that_tells_it_is_shown_in_hertz() {
        let root = std::env::temp_dir().join(format!("nissa-cpufreq-{}", std::process::id()));
        let of = |name: &str| root.join("sys/devices/system/cpu").join(name).join("cpufreq");
        for (name, text) in [
            ("cpu0", "2400000\n"),
            ("cpu11", "<unknown>\n"),
            ("cpufreq", "1\n"),
            ("cpuidle", "1\n"),
        ] {
            fs::create_dir_all(of(name)).unwrap();
            fs::write(of(name).join("scaling_cur_freq"), text).unwrap();
        }
        fs::create_dir_all(of("cpu1").parent().unwrap()).unwrap();
        let registry = Registry::new();
        let mut frequencies = Frequencies::new(&root, Duration::from_secs(10));
        let failures = frequencies.collect(&registry).unwrap_err();
        assert_eq!(failures.to_string(), "scaling_cur_freq: is no number");
        assert_eq!(value(&registry, FREQUENCY.name, &[("cpu", "0")]), Some(2.4e9));
        assert_eq!(registry.snapshot().family(FREQUENCY.name).unwrap().len(), 1);
        fs::write(of("cpu11").join("scaling_cur_freq"), "800000\n").unwrap();
        fs::remove_dir_all(of("cpu0")).unwrap();
        frequencies.collect(&registry).unwrap();
        assert_eq!(value(&registry, FREQUENCY.name, &[("cpu", "0")]), None);
        assert_eq!(value(&registry, FREQUENCY.name, &[("cpu", "11")]), Some(8e8));
        fs::remove_dir_all(root).unwrap();
    }
}
