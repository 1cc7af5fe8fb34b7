//! This machine on one screen, each second: processors, memory, disks, network, container, GPU.
//!
//! ```text
//! cargo run --release --features full --example host_watch                             until Ctrl-C
//! cargo run --release --features full --example host_watch -- 3                        three screens
//! cargo run --release --features full --example host_watch -- --serve [127.0.0.1:9090]  the page too
//! ```
//!
//! Everything comes from one snapshot of what the collectors keep; rates are the difference to the
//! one before. What is not there is not shown.

use std::env;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant};

use nissa::collect::{Gpu, Host};
use nissa::snapshot::{Family, Series};
use nissa::{Registry, Snapshot};

const EACH: Duration = Duration::from_secs(1);
const BAR: usize = 30;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let serve = words.iter().position(|word| word == "--serve");
    let count = words.first().filter(|_| serve != Some(0));
    let screens: usize = count.map_or(Ok(usize::MAX), |count| count.parse())?;
    let registry = Registry::new();
    let mut collecting = nissa::builder().registry(registry.clone());
    if let Some(at) = serve {
        let address = words.get(at + 1).map_or("127.0.0.1:9090", String::as_str);
        collecting = collecting.serve(address).dashboard();
    }
    let host = Host::default().per_core(true);
    let guard = collecting.collect(host).collect(Gpu::default()).start()?;
    // The first figures are taken at once.
    while registry.snapshot().value("process_threads").is_none() {
        thread::sleep(Duration::from_millis(5));
    }
    let mut before = (Instant::now(), registry.snapshot());
    for _ in 0..screens {
        thread::sleep(EACH);
        let now = (Instant::now(), registry.snapshot());
        let view = View {
            now: &now.1,
            before: &before.1,
            seconds: now.0.duration_since(before.0).as_secs_f64(),
        };
        let mut screen = view.screen();
        for error in guard.collection_errors() {
            let (collector, source) = (error.collector, error.source);
            let _ = writeln!(screen, "  {collector} {source}: {} ({})", error.error, error.count);
        }
        let mut out = io::stdout().lock();
        // Home, the new screen, and away with what is left of the old one.
        match out.is_terminal() {
            true => write!(out, "\x1b[H{}\x1b[J", screen.replace('\n', "\x1b[K\n"))?,
            false => writeln!(out, "{screen}")?,
        }
        out.flush()?;
        before = now;
    }
    Ok(())
}

/// Two snapshots, and the time between them.
struct View<'s> {
    now: &'s Snapshot,
    before: &'s Snapshot,
    seconds: f64,
}

impl View<'_> {
    fn screen(&self) -> String {
        let mut screen = String::new();
        self.machine(&mut screen);
        self.processors(&mut screen);
        self.memory(&mut screen);
        self.devices(&mut screen);
        self.container(&mut screen);
        self.process(&mut screen);
        self.gpus(&mut screen);
        screen
    }

    fn machine(&self, screen: &mut String) {
        let value = |name| self.value(name).unwrap_or(f64::NAN);
        let _ = writeln!(
            screen,
            "load {:.2} {:.2} {:.2}   running {}   blocked {}   switches {}/s   forks {}/s",
            value("node_load1"),
            value("node_load5"),
            value("node_load15"),
            value("node_procs_running"),
            value("node_procs_blocked"),
            whole(self.rate("node_context_switches_total", &[])),
            whole(self.rate("node_forks_total", &[])),
        );
    }

    fn processors(&self, screen: &mut String) {
        for cpu in labels(self.now.family("node_cpu_seconds_total"), "cpu") {
            let mode = |mode| self.rate("node_cpu_seconds_total", &[("cpu", &cpu), ("mode", mode)]);
            let (Some(idle), Some(waiting)) = (mode("idle"), mode("iowait")) else { continue };
            line(screen, &format!("cpu{cpu}"), 1.0 - idle - waiting, "");
        }
    }

    fn memory(&self, screen: &mut String) {
        let of = |key| self.value(&format!("node_memory_{key}_bytes"));
        if let (Some(total), Some(available)) = (of("MemTotal"), of("MemAvailable")) {
            let used = total - available;
            line(screen, "memory", used / total, &format!("{} of {}", bytes(used), bytes(total)));
        }
        if let (Some(total), Some(free)) = (of("SwapTotal"), of("SwapFree")) {
            if total > 0.0 {
                line(screen, "swap", 1.0 - free / total, &format!("of {}", bytes(total)));
            }
        }
    }

    fn devices(&self, screen: &mut String) {
        let sizes = self.now.family("node_filesystem_size_bytes");
        for size in sizes.iter().flat_map(|family| family.series()) {
            let Some(point) = size.label("mountpoint") else { continue };
            let free = self.now.family("node_filesystem_avail_bytes");
            let free = free.and_then(|family| find(family, "mountpoint", &point));
            let (Some(size), Some(free)) = (size.value().as_f64(), free) else { continue };
            line(screen, &point, 1.0 - free / size, &format!("{} free", bytes(free)));
        }
        let rows = [
            ("disk", "node_disk_read_bytes_total", "node_disk_written_bytes_total"),
            ("net", "node_network_receive_bytes_total", "node_network_transmit_bytes_total"),
        ];
        for (kind, read, written) in rows {
            for device in labels(self.now.family(read), "device") {
                let rate = |name| self.rate(name, &[("device", &device)]);
                let (Some(read), Some(written)) = (rate(read), rate(written)) else { continue };
                let (read, written) = (bytes(read), bytes(written));
                let _ =
                    writeln!(screen, "{kind:<5}{device:<14} in {read:>10}/s   out {written:>10}/s");
            }
        }
    }

    fn container(&self, screen: &mut String) {
        let value = |name| self.value(name);
        let limit = value("container_spec_memory_limit_bytes");
        if let Some(used) = value("container_memory_working_set_bytes") {
            let share = limit.map_or(f64::NAN, |limit| used / limit);
            let limit = limit.map_or("no limit".to_owned(), |limit| format!("of {}", bytes(limit)));
            line(screen, "container", share, &format!("{} {limit}", bytes(used)));
        }
        if let Some(cores) = value("container_cpu_limit_cores") {
            let used = self.rate("container_cpu_usage_seconds_total", &[]).unwrap_or(f64::NAN);
            let throttled = self.rate("container_cpu_cfs_throttled_seconds_total", &[]);
            let throttled = throttled.unwrap_or(f64::NAN);
            let note = format!("{used:.2} of {cores:.2} cores, throttled {throttled:.2} s/s");
            line(screen, "  cpu", used / cores, &note);
        }
    }

    fn process(&self, screen: &mut String) {
        let value = |name| self.value(name).unwrap_or(f64::NAN);
        let _ = writeln!(
            screen,
            "this process: {:.2} % cpu   {}   {} threads   {} of {} files",
            self.rate("process_cpu_seconds_total", &[]).unwrap_or(f64::NAN) * 100.0,
            bytes(value("process_resident_memory_bytes")),
            value("process_threads"),
            value("process_open_fds"),
            value("process_max_fds"),
        );
    }

    fn gpus(&self, screen: &mut String) {
        for gpu in labels(self.now.family("gpu_memory_total_bytes"), "gpu") {
            let value = |name| find(self.now.family(name)?, "gpu", &gpu);
            let busy = value("gpu_utilization_ratio").unwrap_or(f64::NAN);
            let mut note = String::new();
            if let Some(watts) = value("gpu_power_watts") {
                let _ = write!(note, "{watts:.0} W  ");
            }
            if let Some(celsius) = value("gpu_temperature_celsius") {
                let _ = write!(note, "{celsius:.0} °C");
            }
            line(screen, &format!("gpu{gpu}"), busy, &note);
            if let (Some(used), Some(total)) =
                (value("gpu_memory_used_bytes"), value("gpu_memory_total_bytes"))
            {
                let note = format!("{} of {}", bytes(used), bytes(total));
                line(screen, "  memory", used / total, &note);
            }
        }
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.now.value(name)
    }

    /// How much a counter grew in a second; `None` without two readings.
    fn rate(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let read = |snapshot: &Snapshot| snapshot.get(name, labels)?.as_f64();
        let grown = read(self.now)? - read(self.before)?;
        // A device that begins again is no negative rate.
        (grown >= 0.0).then(|| grown / self.seconds)
    }
}

/// The values of a label, in order.
fn labels(family: Option<&Family>, name: &str) -> Vec<String> {
    let series = family.into_iter().flat_map(|family| family.series());
    let mut values: Vec<String> =
        series.filter_map(|series| Some(series.label(name)?.into_owned())).collect();
    values.sort_by_key(|value| (value.len(), value.clone()));
    values.dedup();
    values
}

/// The value of the series with this label.
fn find(family: &Family, name: &str, value: &str) -> Option<f64> {
    let is = |series: &Series<'_>| series.label(name).as_deref() == Some(value);
    family.series().find(is)?.value().as_f64()
}

/// A name, a bar, and what there is to say.
fn line(screen: &mut String, name: &str, share: f64, note: &str) {
    let (bar, percent) = match share.is_finite() {
        true => {
            let full = (share.clamp(0.0, 1.0) * BAR as f64).round() as usize;
            ("#".repeat(full), format!("{:>5.1} %", share * 100.0))
        }
        false => (String::new(), String::new()),
    };
    let _ = writeln!(screen, "{name:<10} [{bar:<BAR$}] {percent:>7}  {note}");
}

fn whole(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.0}"))
}

fn bytes(value: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scaled = value;
    let mut unit = 0;
    while scaled >= 1024.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{scaled:.1} {}", UNITS[unit])
}
