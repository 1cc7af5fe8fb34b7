//! AMD GPUs, read from the files that the amdgpu driver shows under `/sys/class/drm`.
//!
//! Each file is held open and read from its start. Left out is `pcie_bw`, which counts for a second
//! inside the read.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::metric::{MICRO, MILLI, Metric, ONE, PERCENT, Scale, Seen, gauge, real, whole};
use super::source::{Found, Identity, Progress, Readings, Source};

/// One file and what it tells.
struct Attribute {
    /// Where it lies below the device; names of the sensors' files stand alone.
    place: Place,
    file: &'static str,
    is_slow: bool,
    metric: Metric,
    parse: fn(&str) -> Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Device,
    Sensors,
    /// The sensors' file whose `_label` says so; `file` is what comes after the number.
    Labelled(&'static str),
}

const fn attribute(place: Place, file: &'static str, metric: Metric) -> Attribute {
    Attribute { place, file, is_slow: false, metric, parse: number }
}

const fn temperature(label: &'static str, metric: Metric) -> Attribute {
    let place = Place::Labelled(label);
    Attribute { place, file: "input", is_slow: false, metric, parse: signed }
}

const fn slow(
    place: Place,
    file: &'static str,
    metric: Metric,
    parse: fn(&str) -> Option<f64>,
) -> Attribute {
    Attribute { place, file, is_slow: true, metric, parse }
}

/// The first file of a metric that is there counts.
static ATTRIBUTES: &[Attribute] = &[
    attribute(Place::Device, "gpu_busy_percent", gauge("gpu_utilization_ratio", PERCENT)),
    attribute(
        Place::Device,
        "mem_busy_percent",
        gauge("gpu_memory_copy_utilization_ratio", PERCENT),
    ),
    attribute(Place::Device, "mem_info_vram_used", gauge("gpu_memory_used_bytes", ONE)),
    attribute(Place::Device, "mem_info_vram_total", gauge("gpu_memory_total_bytes", ONE)),
    attribute(Place::Sensors, "power1_average", gauge("gpu_power_watts", MICRO)),
    attribute(Place::Sensors, "power1_input", gauge("gpu_power_watts", MICRO)),
    attribute(Place::Sensors, "power1_cap", gauge("gpu_power_limit_watts", MICRO)),
    attribute(Place::Sensors, "energy1_input", real("gpu_energy_joules_total", MICRO)),
    temperature("edge", gauge("gpu_temperature_celsius", MILLI)),
    // Accelerators without an edge sensor.
    temperature("junction", gauge("gpu_temperature_celsius", MILLI)),
    temperature("mem", gauge("gpu_memory_temperature_celsius", MILLI)),
    attribute(Place::Sensors, "freq1_input", gauge("gpu_clock_sm_hertz", ONE)),
    attribute(Place::Sensors, "freq2_input", gauge("gpu_clock_memory_hertz", ONE)),
    slow(
        Place::Sensors,
        "pwm1",
        gauge("gpu_fan_ratio", Scale::Over(255.0)).of(&[("fan", "0")]),
        number,
    ),
    slow(Place::Device, "pcie_replay_count", whole("gpu_pcie_replay_total"), number),
    slow(Place::Device, "current_link_width", gauge("gpu_pcie_link_width", ONE), number),
    slow(Place::Device, "current_link_speed", gauge("gpu_pcie_link_generation", ONE), generation),
];

static FREE: Metric = gauge("gpu_memory_free_bytes", ONE);

/// More cards than any machine has.
const MOST: usize = 256;

/// The AMD GPUs below this folder now, but for those of names that are known.
pub(super) fn find(root: &Path, is_known: impl Fn(&str) -> bool) -> Vec<Found> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut cards: Vec<String> =
        names.filter(|name| is_card(name) && !is_known(name)).take(MOST).collect();
    cards.sort_unstable();
    cards.into_iter().filter_map(|card| open(root, card)).collect()
}

/// `card0`, and not its outputs, `card0-DP-1`.
fn is_card(name: &str) -> bool {
    name.strip_prefix("card").is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn open(root: &Path, card: String) -> Option<Found> {
    const AMD: &str = "0x1002";
    let device = root.join(&card).join("device");
    if line(&device.join("vendor")).as_deref() != Some(AMD) {
        return None;
    }
    let uevent = fs::read_to_string(device.join("uevent")).unwrap_or_default();
    let told = |key: &str| {
        let line = uevent.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().to_owned()
    };
    let pci_bus_id = told("PCI_SLOT_NAME");
    let model = line(&device.join("product_name")).filter(|name| !name.is_empty());
    let identity = Identity {
        // What identifies it is in the newer ones only; the slot will do.
        uuid: line(&device.join("unique_id")).unwrap_or_else(|| {
            if pci_bus_id.is_empty() { card.clone() } else { pci_bus_id.clone() }
        }),
        gpu: card,
        vendor: "amd",
        name: model.unwrap_or_else(|| format!("AMD {}", told("PCI_ID"))),
        driver: told("DRIVER"),
        pci_bus_id,
    };
    Some(Found { identity, source: Box::new(Amd::open(&device)) })
}

fn line(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

struct Amd {
    files: Vec<Held>,
    power_state: Option<File>,
    /// Where in the readings the memory's used and total bytes stand.
    memory: Option<(usize, usize)>,
}

struct Held {
    attribute: &'static Attribute,
    file: File,
}

impl Amd {
    fn open(device: &Path) -> Self {
        let sensors = sensors(device);
        let mut files: Vec<Held> = Vec::new();
        for attribute in ATTRIBUTES {
            let is_same = |held: &Held| {
                let metric = &held.attribute.metric;
                (metric.name, metric.labels) == (attribute.metric.name, attribute.metric.labels)
            };
            if files.iter().any(is_same) {
                continue;
            }
            let path = match (attribute.place, &sensors) {
                (Place::Device, _) => Some(device.join(attribute.file)),
                (Place::Sensors, Some(sensors)) => Some(sensors.join(attribute.file)),
                (Place::Labelled(label), Some(sensors)) => labelled(sensors, label, attribute.file),
                (_, None) => None,
            };
            if let Some(file) = path.and_then(|path| File::open(path).ok()) {
                files.push(Held { attribute, file });
            }
        }
        let place = |name| files.iter().position(|held| held.attribute.metric.name == name);
        let memory = place("gpu_memory_used_bytes").zip(place("gpu_memory_total_bytes"));
        Self { power_state: File::open(device.join("power/runtime_status")).ok(), files, memory }
    }

    /// A card that sleeps would be woken by being asked.
    fn is_asleep(&self) -> bool {
        let mut buffer = [0; 32];
        self.power_state
            .as_ref()
            .and_then(|file| read(file, &mut buffer).ok().flatten())
            .is_some_and(|state| state == "suspended")
    }
}

impl Source for Amd {
    fn metrics(&self) -> Vec<&'static Metric> {
        let files = self.files.iter().map(|held| &held.attribute.metric);
        files.chain(self.memory.map(|_| &FREE)).collect()
    }

    fn read(&mut self, slow: bool, at: &Progress, into: &mut Readings) {
        at.step(usize::MAX);
        into.begin(self.files.len() + usize::from(self.memory.is_some()));
        if self.is_asleep() {
            return (0..into.values.len()).for_each(|index| into.set(index, Seen::Absent));
        }
        let mut buffer = [0; 64];
        for (index, Held { attribute, file }) in self.files.iter().enumerate() {
            if attribute.is_slow && !slow {
                continue;
            }
            let seen = match read(file, &mut buffer) {
                Ok(text) => {
                    into.answered = true;
                    text.and_then(attribute.parse).map_or(Seen::Absent, seen)
                }
                Err(error) => {
                    into.lost |= is_gone(&error);
                    into.fault(attribute.file, error);
                    Seen::Absent
                }
            };
            into.set(index, seen);
        }
        if let Some((used, total)) = self.memory {
            let bytes = |index: usize| match into.values.get(index) {
                Some(Seen::Whole(bytes)) => Some(*bytes),
                _ => None,
            };
            let free =
                bytes(total).zip(bytes(used)).map(|(total, used)| total.saturating_sub(used));
            into.set(self.files.len(), free);
        }
        into.lost |= !into.answered && !into.faults.is_empty();
    }
}

/// The folder of the card's sensors.
fn sensors(device: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(device.join("hwmon")).ok()?;
    let folders = entries.flatten().map(|entry| entry.path());
    folders.filter(|path| path.is_dir()).min()
}

/// The file `temp<n>_<what>` whose `temp<n>_label` is this.
fn labelled(sensors: &Path, label: &str, what: &str) -> Option<PathBuf> {
    let number = (1..=8).find(|number| {
        line(&sensors.join(format!("temp{number}_label"))).as_deref() == Some(label)
    })?;
    Some(sensors.join(format!("temp{number}_{what}")))
}

/// A short file's text without the space around it. `None` if it is longer than the buffer, or no
/// text.
fn read<'b>(file: &File, buffer: &'b mut [u8]) -> io::Result<Option<&'b str>> {
    let length = file.read_at(buffer, 0)?;
    let text = buffer.get(..length).filter(|text| text.len() < buffer.len());
    Ok(text.and_then(|text| std::str::from_utf8(text).ok()).map(str::trim))
}

/// An integer, so that "inf" and "nan" are none; nor is there less than nothing of anything.
fn number(text: &str) -> Option<f64> {
    text.parse::<u64>().ok().map(|number| number as f64)
}

/// But for temperatures.
fn signed(text: &str) -> Option<f64> {
    text.parse::<i64>().ok().map(|number| number as f64)
}

/// The PCIe generation of a link's speed, `16.0 GT/s PCIe`.
fn generation(text: &str) -> Option<f64> {
    const SPEEDS: [&str; 6] = ["2.5", "5.0", "8.0", "16.0", "32.0", "64.0"];
    let speed = text.split_ascii_whitespace().next()?;
    SPEEDS.iter().position(|known| *known == speed).map(|index| (index + 1) as f64)
}

fn seen(value: f64) -> Seen {
    if value >= 0.0 { Seen::Whole(value as u64) } else { Seen::Real(value) }
}

/// The device was taken from under its files.
fn is_gone(error: &io::Error) -> bool {
    const ENODEV: i32 = 19;
    error.raw_os_error() == Some(ENODEV)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_no_cards() {
        assert!(is_card("card0") && is_card("card12"));
        for name in ["card", "card0-DP-1", "renderD128", "cardx"] {
            assert!(!is_card(name), "{name}");
        }
    }

    #[test]
    fn speeds_are_generations() {
        assert_eq!(generation("16.0 GT/s PCIe"), Some(4.0));
        assert_eq!(generation("2.5 GT/s PCIe"), Some(1.0));
        assert_eq!(generation("Unknown"), None);
        assert_eq!(generation(""), None);
    }

    #[test]
    fn every_metric_is_described() {
        use crate::collect::gpu::metric::HELP;

        let metrics = ATTRIBUTES.iter().map(|attribute| &attribute.metric).chain([&FREE]);
        for metric in metrics {
            assert!(HELP.iter().any(|(name, ..)| *name == metric.name), "{}", metric.name);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in ".*") {
            proptest::prop_assert_eq!(signed(&text).is_some(), text.parse::<i64>().is_ok());
            proptest::prop_assert!(number(&text).is_none_or(|number| number >= 0.0));
            let _ = generation(&text);
        }
    }
}
