//! What a library that says certain things becomes in the output: names, units, and what is not
//! there. NVIDIA's own behaviour is not tested here, see `examples/gpu_check.rs`.
#![cfg(all(feature = "gpu", target_os = "linux"))]

mod gpu;

use std::time::Duration;

use gpu::{NOT_SUPPORTED, Stub, UNKNOWN, UNSIGNED_INT, UNSIGNED_LONG_LONG, watch, watch_with};
use nissa::collect::Gpus;
use nissa::health::Health;

/// What an accelerator under load might say.
const VALUES: &[(&str, u64)] = &[
    ("gpu", 35),
    ("memory", 7),
    ("total", 150_754_820_096),
    ("reserved", 654_311_424),
    ("free", 100_000_000_000),
    ("used", 50_100_508_672),
    ("power", 321_456),
    ("limit", 700_000),
    ("energy", 12_345_678),
    ("temperature", 61),
    ("sm_clock", 1_980),
    ("memory_clock", 3_201),
    ("throttle", 0x4),
    ("violation_power", 2_500_000_000),
    ("violation_thermal", 1),
    ("gpm", 1),
    ("ecc_corrected", 3),
    ("ecc_uncorrected", 1),
    ("replay", 9),
    ("link_generation", 5),
    ("link_width", 16),
    ("fans", 2),
    ("fan0", 40),
    ("fan1", 42),
    ("encoder", 10),
    ("decoder", 20),
    ("state", 2),
];

/// GPM's numbers of what is asked for.
const GPM: &[(i32, f64)] = &[
    (1, 99.5),
    (2, 88.25),
    (3, 44.0),
    (5, 70.5),
    (10, 65.0),
    (11, 1.5),
    (12, 25.0),
    (13, 12.5),
    (20, 8.0),
    (21, 4.0),
];

fn hopper() -> Stub {
    let stub = Stub::new();
    stub.values(0, VALUES);
    GPM.iter().for_each(|(id, value)| stub.metric(0, *id, *value, 0));
    stub.field(0, 82, UNSIGNED_INT, 71, 0);
    stub
}

#[test]
fn every_figure_has_its_name_and_base_unit() {
    let stub = hopper();
    stub.field(0, 197, UNSIGNED_LONG_LONG, 1_000_000, 0);
    stub.field(0, 198, UNSIGNED_LONG_LONG, 2_000_000, 0);
    stub.field(0, 251, UNSIGNED_LONG_LONG, 1_500_000_000, 0);
    stub.field(0, 142, UNSIGNED_INT, 5, 0);
    let mut watch = watch(&stub);
    let expected = include_str!("data/gpu/stub_hopper.txt");
    let page = watch.collect().collect().page();
    let expected: Vec<&str> = expected.lines().collect();
    assert_eq!(page, expected, "\n{}\n", page.join("\n"));
    assert_eq!(watch.runner.errors(), []);
}

#[test]
fn units_and_help_are_told() {
    let stub = hopper();
    let mut watch = watch(&stub);
    watch.collect().collect();
    for family in watch.registry.families() {
        if family.name.starts_with("gpu_") {
            assert!(!family.help.is_empty(), "{} has no help", family.name);
        }
    }
}

#[test]
fn what_is_not_supported_is_absent_and_asked_for_once() {
    let stub = hopper();
    let unsupported = [
        "DeviceGetPowerUsage",
        "DeviceGetNumFans",
        "DeviceGetTotalEccErrors",
        "DeviceGetClockInfo",
    ];
    unsupported.iter().for_each(|call| stub.error(0, call, NOT_SUPPORTED));
    let mut watch = watch(&stub);
    watch.collect().collect().collect();
    assert_eq!(watch.value("gpu_power_watts"), None);
    assert_eq!(watch.value("gpu_clock_sm_hertz"), None);
    assert!(!watch.page().iter().any(|line| line.starts_with("gpu_fan_ratio")));
    assert!(!watch.page().iter().any(|line| line.starts_with("gpu_ecc_errors_total")));
    assert_eq!(watch.value("gpu_power_limit_watts"), Some(700.0), "its neighbour stays");
    assert_eq!(stub.calls(0, "DeviceGetPowerUsage"), 1);
    assert_eq!(stub.calls(0, "DeviceGetNumFans"), 1);
    assert_eq!(stub.calls(0, "DeviceGetTotalEccErrors"), 2, "once for each kind of error");
    assert_eq!(watch.errors("power_usage"), None, "what is not there has not failed");
    assert_eq!(watch.runner.errors(), []);
}

#[test]
fn any_other_error_is_counted_and_forgiven() {
    let stub = hopper();
    let mut watch = watch(&stub);
    watch.collect();
    assert_eq!(watch.value("gpu_power_watts"), Some(321.456));
    stub.error(0, "DeviceGetPowerUsage", UNKNOWN);
    watch.collect().collect();
    assert_eq!(watch.value("gpu_power_watts"), None, "neither 0 nor what it was");
    assert_eq!(watch.errors("power_usage"), Some(2.0));
    assert_eq!(watch.value("gpu_up{gpu=\"0\""), Some(1.0));
    let errors = watch.runner.errors();
    assert_eq!((&*errors[0].collector, &*errors[0].source), ("gpu", "power_usage"));
    stub.error(0, "DeviceGetPowerUsage", 0);
    stub.value(0, "power", 100_000);
    assert_eq!(watch.collect().value("gpu_power_watts"), Some(100.0));
    assert_eq!(watch.errors("power_usage"), Some(2.0));
}

#[test]
fn monitoring_needs_two_samples_and_keeps_one() {
    let stub = hopper();
    let mut watch = watch(&stub);
    assert_eq!(watch.collect().value("gpu_sm_active_ratio"), None);
    assert_eq!(stub.live("samples"), 1);
    assert_eq!(watch.collect().value("gpu_sm_active_ratio"), Some(0.8825));
    assert_eq!(watch.value("gpu_fp64_active_ratio"), Some(0.015));
    assert_eq!(stub.live("samples"), 1);

    // A profiler takes the counters away, and gives them back.
    stub.error(0, "GpmSampleGet", UNKNOWN);
    assert_eq!(watch.collect().value("gpu_sm_active_ratio"), None);
    assert_eq!(watch.errors("gpm_sample"), Some(1.0));
    stub.error(0, "GpmSampleGet", 0);
    assert_eq!(watch.collect().value("gpu_sm_active_ratio"), None, "the first of a new pair");
    assert_eq!(watch.collect().value("gpu_sm_active_ratio"), Some(0.8825));

    stub.error(0, "GpmMetricsGet", UNKNOWN);
    assert_eq!(watch.collect().value("gpu_tensor_active_ratio"), None);
    stub.error(0, "GpmMetricsGet", 0);
    assert_eq!(watch.collect().value("gpu_tensor_active_ratio"), Some(0.705), "the pair went on");
    stub.metric(0, 5, f64::NAN, 0);
    assert_eq!(watch.collect().value("gpu_tensor_active_ratio"), None);
    stub.metric(0, 5, 1.0, NOT_SUPPORTED);
    watch.collect();
    stub.metric(0, 5, 1.0, 0);
    assert_eq!(watch.collect().value("gpu_tensor_active_ratio"), None, "not there is for good");
    assert_eq!(watch.value("gpu_sm_active_ratio"), Some(0.8825));
}

#[test]
fn older_gpus_have_no_monitoring() {
    let stub = hopper();
    stub.value(0, "gpm", 0);
    let mut watch = watch(&stub);
    watch.collect().collect();
    assert_eq!(watch.value("gpu_sm_active_ratio"), None);
    assert_eq!(watch.value("gpu_utilization_ratio"), Some(0.35));
    assert_eq!(stub.calls(0, "GpmQueryDeviceSupport"), 1);
    assert_eq!(watch.runner.errors(), []);
}

#[test]
fn rates_over_pcie_are_shown_where_nothing_counts_bytes() {
    let stub = hopper();
    let mut watch = watch(&stub);
    watch.collect().collect();
    assert_eq!(watch.value("gpu_pcie_transmit_bytes_per_second"), Some(8.0 * 1_048_576.0));
    assert_eq!(watch.value("gpu_pcie_receive_bytes_per_second"), Some(4.0 * 1_048_576.0));
    assert_eq!(watch.value("gpu_pcie_transmit_bytes_total"), None);
}

#[test]
fn a_call_that_counts_for_long_is_made_where_it_is_asked_for_and_nothing_else_tells() {
    let stub = hopper();
    stub.values(0, &[("gpm", 0), ("pcie_rx", 5_000), ("pcie_tx", 7_000)]);
    watch(&stub).collect();
    assert_eq!(stub.calls(0, "DeviceGetPcieThroughput"), 0);
    let mut asked = watch_with(&stub, |gpu| gpu.pcie_throughput(true));
    asked.collect();
    assert_eq!(asked.value("gpu_pcie_receive_bytes_per_second"), Some(5e6));
    assert_eq!(asked.value("gpu_pcie_transmit_bytes_per_second"), Some(7e6));

    stub.value(0, "gpm", 1);
    let mut monitored = watch_with(&stub, |gpu| gpu.pcie_throughput(true));
    let calls = stub.calls(0, "DeviceGetPcieThroughput");
    monitored.collect().collect();
    assert_eq!(monitored.value("gpu_pcie_transmit_bytes_per_second"), Some(8.0 * 1_048_576.0));
    assert_eq!(stub.calls(0, "DeviceGetPcieThroughput"), calls);
}

#[test]
fn narrow_byte_counters_go_on_where_they_wrap() {
    let stub = hopper();
    stub.field(0, 198, UNSIGNED_INT, u64::from(u32::MAX), 0);
    let mut watch = watch(&stub);
    let name = "gpu_pcie_receive_bytes_total";
    assert_eq!(watch.collect().value(name), Some(f64::from(u32::MAX)));
    stub.field(0, 198, UNSIGNED_INT, 4, 0);
    assert_eq!(watch.collect().value(name), Some(f64::from(u32::MAX) + 5.0));
    assert_eq!(watch.value("gpu_pcie_receive_bytes_per_second"), None);
}

#[test]
fn nvlink_rates_add_up_to_bytes() {
    let stub = hopper();
    stub.metric(0, 60, 1_000.0, 0);
    let mut watch = watch(&stub);
    let before = std::time::Instant::now();
    let name = "gpu_nvlink_receive_bytes_total";
    assert_eq!(watch.collect().value(name), None);
    watch.collect().collect();
    // No more than all the time there was, and something.
    let most = 1_000.0 * 1_048_576.0 * before.elapsed().as_secs_f64();
    let bytes = watch.value(name).unwrap();
    assert!(bytes > 0.0 && bytes <= most, "{bytes} of at most {most}");
    assert_eq!(watch.value("gpu_nvlink_transmit_bytes_total"), None, "one GPU has no such link");
}

#[test]
fn throttle_counters_are_found_on_both_sides_of_the_renumbering() {
    for (driver, sw_thermal, taken) in [("580.65.06", 251, 269), ("580.82.07", 269, 251)] {
        let stub = hopper();
        stub.driver(driver);
        stub.field(0, sw_thermal, UNSIGNED_LONG_LONG, 3_000_000_000, 0);
        stub.field(0, taken, UNSIGNED_INT, 77, 0);
        let mut watch = watch(&stub);
        watch.collect();
        let held = |reason: &str| {
            let page = watch.page();
            let line = page.iter().find(|line| {
                line.starts_with("gpu_throttle_seconds_total")
                    && line.contains(&format!("reason=\"{reason}\""))
            })?;
            line.rsplit(' ').next().map(str::to_owned)
        };
        assert_eq!(held("sw_thermal_slowdown").as_deref(), Some("3"), "{driver}");
        assert_eq!(held("hw_thermal_slowdown"), None, "{driver}");
        assert_eq!(held("sw_power_cap").as_deref(), Some("2.5"), "{driver}");
    }
}

#[test]
fn critical_errors_are_counted_by_gpu_and_number() {
    let stub = hopper();
    stub.count(2);
    stub.values(1, VALUES);
    let mut watch = watch(&stub);
    watch.collect();
    assert!(!watch.page().iter().any(|line| line.starts_with("gpu_xid")));
    for (device, xid) in [(0, 79), (0, 79), (1, 31), (1, 999)] {
        stub.xid(device, xid);
    }
    watch.collect_until("all four are counted", |watch| {
        let count = watch.page().iter().filter(|line| line.starts_with("gpu_xid")).count();
        count == 3
    });
    let xid = |gpu: u32, xid: u32| {
        format!("gpu_xid_errors_total{{gpu=\"{gpu}\",uuid=\"GPU-0000000{gpu}-stub\",xid=\"{xid}\"")
    };
    assert_eq!(watch.value(&xid(0, 79)), Some(2.0));
    assert_eq!(watch.value(&xid(1, 31)), Some(1.0));
    assert_eq!(watch.value(&xid(1, 999)), Some(1.0));
}

#[test]
fn slow_figures_are_read_at_first_and_then_rarely() {
    let stub = hopper();
    let mut watch = watch_with(&stub, |gpu| gpu.slow_interval(Duration::from_secs(3600)));
    watch.collect().collect().collect();
    assert_eq!(stub.calls(0, "DeviceGetPowerUsage"), 3);
    assert_eq!(stub.calls(0, "DeviceGetPcieReplayCounter"), 1);
    assert_eq!(stub.calls(0, "DeviceGetComputeRunningProcesses"), 1, "no process, so one call");
    assert_eq!(watch.value("gpu_pcie_replay_total"), Some(9.0), "and stay");
}

#[test]
fn this_process_is_found_by_its_id() {
    let stub = hopper();
    stub.process(0, 0, std::process::id(), 1_000);
    // A second context of the same process.
    stub.process(0, 1, std::process::id(), 500);
    let mut watch = watch(&stub);
    watch.collect();
    assert_eq!(watch.value("gpu_own_process_memory_bytes"), Some(1_500.0));
    assert!(!watch.page().iter().any(|line| line.starts_with("gpu_process_memory_bytes")));
    stub.process(0, 0, 0, 0);
    stub.process(0, 1, 0, 0);
    assert_eq!(watch.collect().value("gpu_own_process_memory_bytes"), None);
}

#[test]
fn processes_come_and_go_where_they_are_asked_for() {
    let stub = hopper();
    stub.process(0, 0, 11, 1_000);
    stub.process(0, 1, 12, u64::MAX); // not to be had
    let mut watch = watch_with(&stub, |gpu| gpu.processes(true));
    let shown = |watch: &gpu::Watch| -> Vec<String> {
        let page = watch.page();
        page.into_iter().filter(|line| line.starts_with("gpu_process_memory_bytes")).collect()
    };
    let line = "gpu_process_memory_bytes{gpu=\"0\",pid=\"11\",uuid=\"GPU-00000000-stub\"} 1000";
    assert_eq!(shown(watch.collect()), [line]);
    stub.process(0, 0, 13, 2_000);
    assert_eq!(shown(watch.collect()), [line.replace("11", "13").replace("1000", "2000")]);
    stub.error(0, "DeviceGetComputeRunningProcesses", UNKNOWN);
    assert!(shown(watch.collect()).is_empty());
}

#[test]
fn parts_of_a_divided_gpu_are_shown_where_they_are_asked_for() {
    let stub = hopper();
    stub.values(0, &[("mig", 1), ("migs", 7)]);
    let mut watch = watch_with(&stub, |gpu| gpu.mig(true));
    let page = watch.collect().page();
    let part = "ci=\"0\",gi=\"8\",gpu=\"0\",mig=\"1\"";
    let line = format!(
        "gpu_mig_memory_total_bytes{{{part},uuid=\"MIG-GPU-00000000-stub/8/0\"}} 37688705024"
    );
    assert!(page.contains(&line), "\n{}\n", page.join("\n"));
    assert_eq!(page.iter().filter(|line| line.starts_with("gpu_mig_info")).count(), 2);
    assert_eq!(watch.runner.errors(), []);
    stub.value(0, "mig", 0);
    assert!(!watch.collect().page().iter().any(|line| line.starts_with("gpu_mig")));
}

#[test]
fn only_chosen_gpus_are_read() {
    let stub = hopper();
    stub.count(3);
    let devices = Gpus::listed(["1", "GPU-00000002"]);
    let mut watch = watch_with(&stub, |gpu| gpu.devices(devices));
    watch.collect();
    let up: Vec<_> = (0..3).map(|gpu| watch.value(&format!("gpu_up{{gpu=\"{gpu}\""))).collect();
    assert_eq!(up, [None, Some(1.0), Some(1.0)]);
    assert_eq!(stub.calls(0, "DeviceGetPowerUsage"), 0);
}

#[test]
fn a_full_gpu_is_a_resource_where_it_is_asked_for() {
    let stub = hopper();
    let registry = nissa::Registry::new();
    let gpu = nissa::collect::Gpu::default()
        .lib_path(&stub.path)
        .drm_path("/no/such/folder")
        .wait(Duration::from_secs(60));
    let health = Health::new();
    health.add_source(gpu.health());
    let mut runner = nissa::collect::Runner::new(&registry);
    runner.add(gpu);
    runner.collect();
    let report = health.report();
    let memory = report.resources().next().unwrap();
    assert_eq!(memory.name, "gpu_memory_0");
    assert!((memory.used - 50_100_508_672.0 / 150_754_820_096.0).abs() < 1e-12);
    stub.value(0, "lost", 1);
    runner.collect();
    assert_eq!(health.report().resources().count(), 0);
}
