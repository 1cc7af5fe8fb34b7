//! Prints nissa's figures of each NVIDIA GPU beside those of nvidia-smi, read before and after, for
//! a person on a machine that has one. Not a test: none of the machines that run the tests has a
//! GPU, so what real drivers say is unchecked until somebody runs this.
//!
//! ```text
//! cargo run --release --features gpu --example gpu_check
//! ```

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use nissa::collect::{Gpu, Runner};
use nissa::{Registry, expose};

/// What nvidia-smi calls it, what we call it, and how many of its units one of ours is.
const SAME: &[(&str, &str, f64)] = &[
    ("utilization.gpu", "gpu_utilization_ratio", 100.0),
    ("utilization.memory", "gpu_memory_copy_utilization_ratio", 100.0),
    ("memory.used", "gpu_memory_used_bytes", 1.0 / 1_048_576.0),
    ("memory.reserved", "gpu_memory_reserved_bytes", 1.0 / 1_048_576.0),
    ("memory.free", "gpu_memory_free_bytes", 1.0 / 1_048_576.0),
    ("memory.total", "gpu_memory_total_bytes", 1.0 / 1_048_576.0),
    ("power.draw", "gpu_power_watts", 1.0),
    ("enforced.power.limit", "gpu_power_limit_watts", 1.0),
    ("temperature.gpu", "gpu_temperature_celsius", 1.0),
    ("temperature.memory", "gpu_memory_temperature_celsius", 1.0),
    ("clocks.sm", "gpu_clock_sm_hertz", 1e-6),
    ("clocks.mem", "gpu_clock_memory_hertz", 1e-6),
    ("pcie.link.gen.current", "gpu_pcie_link_generation", 1.0),
    ("pcie.link.width.current", "gpu_pcie_link_width", 1.0),
];

fn main() {
    let Some(before) = nvidia_smi() else {
        println!("no nvidia-smi here, so nothing to compare with");
        return;
    };
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    // With time for a driver that has to wake the GPU first.
    runner.add(Gpu::default().wait(Duration::from_secs(30)).slow_interval(Duration::ZERO));
    let start = Instant::now();
    runner.collect();
    println!("first reading, loading the library included: {:.1?}", start.elapsed());
    let mut times: Vec<Duration> = (0..600)
        .map(|_| {
            let start = Instant::now();
            runner.collect();
            start.elapsed()
        })
        .collect();
    let after = nvidia_smi().unwrap_or_default();
    times.sort_unstable();
    println!(
        "600 readings: p50 {:.1?}, p99 {:.1?}, max {:.1?}",
        times[300], times[594], times[599]
    );

    let page = expose::text(&registry.snapshot());
    let ours: Vec<&str> = page.lines().filter(|line| line.starts_with("gpu_")).collect();
    for (gpu, smi) in &before {
        println!("\nGPU {gpu:<28}{:>16}{:>16}{:>16}", "nvidia-smi", "nissa", "nvidia-smi");
        for (theirs, name, factor) in SAME {
            let value = ours.iter().find_map(|line| {
                let labels = line.strip_prefix(name)?.strip_prefix('{')?;
                let (labels, value) = labels.split_once("} ")?;
                let of_this = labels.contains(&format!("gpu=\"{gpu}\""));
                of_this.then(|| value.parse::<f64>().ok())?
            });
            let ours = value.map_or("absent".to_owned(), |value| format!("{:.2}", value * factor));
            let then =
                |smi: &BTreeMap<String, String>| smi.get(*theirs).cloned().unwrap_or_default();
            let later = after.get(gpu).map(then).unwrap_or_default();
            println!("    {theirs:<28}{:>16}{ours:>16}{later:>16}", then(smi));
        }
    }
    println!("\n{}", ours.join("\n"));
    for error in runner.errors() {
        println!("{} failed {} times: {}", error.source, error.count, error.error);
    }
}

/// By GPU and name, as nvidia-smi writes it. `None` without nvidia-smi.
fn nvidia_smi() -> Option<BTreeMap<String, BTreeMap<String, String>>> {
    let names: Vec<&str> = SAME.iter().map(|(name, ..)| *name).collect();
    let query = format!("--query-gpu=index,{}", names.join(","));
    let output = Command::new("nvidia-smi")
        .args([&*query, "--format=csv,noheader,nounits"])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = |line: &str| {
        let mut cells = line.split(',').map(|cell| cell.trim().to_owned());
        let gpu = cells.next()?;
        Some((gpu, names.iter().map(|name| (*name).to_owned()).zip(cells).collect()))
    };
    Some(text.lines().filter_map(row).collect())
}
