//! What is logged: a machine without a GPU gets one line, and so does each call that fails.
#![cfg(all(feature = "gpu", feature = "log", target_os = "linux"))]

mod gpu;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gpu::{Stub, UNKNOWN, Watch, watch};
use nissa::Registry;
use nissa::collect::{Gpu, Runner};

static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Notes;

impl log::Log for Notes {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target() == "nissa"
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            said().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

fn said() -> std::sync::MutexGuard<'static, Vec<String>> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_line_each_and_no_more() {
    log::set_logger(&Notes).unwrap();
    log::set_max_level(log::LevelFilter::Trace);

    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    let gpu = Gpu::default().lib_path("/no/such/library.so").drm_path("/no/such/folder");
    runner.add(gpu.wait(Duration::from_secs(60)).slow_interval(Duration::ZERO));
    let mut none = Watch { registry, runner };
    for _ in 0..20 {
        none.collect();
    }
    let lines = std::mem::take(&mut *said());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("nissa: no GPU is watched: "), "{lines:?}");
    assert!(lines[0].contains("/no/such/library.so"), "{lines:?}");

    let stub = Stub::new();
    stub.error(0, "DeviceGetPowerUsage", UNKNOWN);
    let mut watch = watch(&stub);
    for _ in 0..20 {
        watch.collect();
    }
    let lines = std::mem::take(&mut *said());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("power_usage"), "{lines:?}");
    assert_eq!(watch.errors("power_usage"), Some(20.0));
}
