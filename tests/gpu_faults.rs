//! A GPU that is lost, a library that lacks things or is the wrong one, calls that hang: what is
//! shown of the GPU concerned is taken back, the others go on, and nobody waits.
#![cfg(all(feature = "gpu", target_os = "linux"))]

mod gpu;

use std::time::Duration;

use gpu::{
    DRIVER_NOT_LOADED, Stub, UNINITIALIZED, UNKNOWN, VERSION_MISMATCH, Watch, watch, watch_with,
};
use nissa::Registry;
use nissa::collect::{Gpu, Runner};

/// Two GPUs that tell a temperature and their power.
fn two() -> Stub {
    let stub = Stub::new();
    stub.count(2);
    for gpu in [0, 1] {
        stub.values(gpu, &[("temperature", 50), ("power", 90_000), ("gpm", 1), ("replay", 4)]);
        stub.metric(gpu, 2, 30.0, 0);
    }
    stub
}

fn celsius(watch: &Watch, gpu: u32) -> Option<f64> {
    watch.value(&format!("gpu_temperature_celsius{{gpu=\"{gpu}\""))
}

fn up(watch: &Watch, gpu: u32) -> Option<f64> {
    watch.value(&format!("gpu_up{{gpu=\"{gpu}\""))
}

fn losses(watch: &Watch, gpu: u32) -> Option<f64> {
    watch.value(&format!("gpu_lost_total{{gpu=\"{gpu}\""))
}

/// What is shown of a GPU, but for the series that say what it is and what befell it.
fn figures(watch: &Watch, gpu: u32) -> Vec<String> {
    let kept = ["gpu_up", "gpu_info", "gpu_lost_total", "gpu_xid_errors_total"];
    let is_figure = |line: &String| {
        line.contains(&format!("gpu=\"{gpu}\"")) && !kept.iter().any(|name| line.starts_with(name))
    };
    watch.page().into_iter().filter(is_figure).collect()
}

#[test]
fn a_lost_gpu_shows_nothing_until_it_is_back() {
    let stub = two();
    let mut watch = watch(&stub);
    watch.collect().collect();
    let before = figures(&watch, 1).len();
    assert!(before > 10);

    stub.value(1, "lost", 1);
    stub.xid(1, 79);
    watch.collect();
    assert_eq!(figures(&watch, 1), [""; 0]);
    assert_eq!((up(&watch, 1), losses(&watch, 1)), (Some(0.0), Some(1.0)));
    assert!(watch.page().iter().any(|line| line.contains("xid=\"79\"")), "its last words");

    stub.value(0, "temperature", 55);
    watch.collect().collect().collect();
    assert_eq!((up(&watch, 0), celsius(&watch, 0)), (Some(1.0), Some(55.0)), "the other goes on");
    assert_eq!(losses(&watch, 1), Some(1.0), "gone is not lost again");
    assert_eq!(figures(&watch, 1), [""; 0]);

    stub.value(1, "lost", 0);
    stub.value(1, "temperature", 20);
    // As when its driver was taken out and another put in.
    stub.driver("580.159.03");
    watch.collect().collect().collect();
    let page = watch.page();
    let with = |driver| {
        let begins = format!("gpu_info{{driver=\"{driver}\"");
        page.iter().filter(|line| line.starts_with(&begins)).count()
    };
    assert_eq!((with("580.159.03"), with("570.86.16")), (1, 1), "{page:?}");
    assert_eq!((up(&watch, 1), celsius(&watch, 1)), (Some(1.0), Some(20.0)));
    assert_eq!(figures(&watch, 1).len(), before);
    stub.value(1, "lost", 1);
    watch.collect();
    assert_eq!(losses(&watch, 1), Some(2.0));
}

#[test]
fn a_gpu_that_answers_nothing_is_lost_whatever_it_says() {
    let stub = two();
    let mut watch = watch(&stub);
    watch.collect();
    for call in ALL_CALLS {
        stub.error(0, call, UNKNOWN);
    }
    watch.collect();
    assert_eq!((up(&watch, 0), up(&watch, 1)), (Some(0.0), Some(1.0)));
    for call in ALL_CALLS {
        stub.error(0, call, 0);
    }
    watch.collect().collect();
    assert_eq!((up(&watch, 0), celsius(&watch, 0)), (Some(1.0), Some(50.0)));
}

#[test]
fn a_library_that_the_program_has_shut_down_is_initialised_again() {
    let stub = two();
    let mut watch = watch(&stub);
    watch.collect();
    let everything = || ALL_CALLS.iter().chain(&["DeviceGetCount"]);
    for (call, gpu) in everything().flat_map(|call| [(call, 0), (call, 1)]) {
        stub.error(gpu, call, UNINITIALIZED);
    }
    watch.collect();
    assert_eq!((up(&watch, 0), up(&watch, 1)), (Some(0.0), Some(0.0)));
    assert_eq!(figures(&watch, 0), [""; 0]);
    for (call, gpu) in everything().flat_map(|call| [(call, 0), (call, 1)]) {
        stub.error(gpu, call, 0);
    }
    watch.collect_until("both are up", |watch| {
        (up(watch, 0), up(watch, 1)) == (Some(1.0), Some(1.0))
    });
    assert_eq!(stub.live("inits"), 2);
}

const ALL_CALLS: [&str; 25] = [
    "DeviceGetHandleByIndex",
    "DeviceGetUtilizationRates",
    "DeviceGetMemoryInfo",
    "DeviceGetPowerUsage",
    "DeviceGetEnforcedPowerLimit",
    "DeviceGetTotalEnergyConsumption",
    "DeviceGetTemperature",
    "DeviceGetClockInfo",
    "DeviceGetCurrentClocksThrottleReasons",
    "DeviceGetViolationStatus",
    "DeviceGetFieldValues",
    "GpmQueryDeviceSupport",
    "GpmSampleGet",
    "GpmMetricsGet",
    "DeviceRegisterEvents",
    "DeviceGetTotalEccErrors",
    "DeviceGetPcieReplayCounter",
    "DeviceGetCurrPcieLinkGeneration",
    "DeviceGetCurrPcieLinkWidth",
    "DeviceGetNumFans",
    "DeviceGetFanSpeed",
    "DeviceGetEncoderUtilization",
    "DeviceGetDecoderUtilization",
    "DeviceGetPerformanceState",
    "DeviceGetComputeRunningProcesses",
];

#[test]
fn a_gpu_that_cannot_be_reached_is_down_and_tried_again() {
    let stub = two();
    stub.hide(1, true);
    let mut watch = watch(&stub);
    watch.collect();
    assert_eq!((up(&watch, 0), up(&watch, 1)), (Some(1.0), Some(0.0)));
    assert_eq!(watch.errors("device_by_index"), Some(1.0));
    stub.hide(1, false);
    watch.collect();
    assert_eq!((up(&watch, 0), up(&watch, 1)), (Some(1.0), Some(1.0)));
    assert_eq!(celsius(&watch, 1), Some(50.0));
}

#[test]
fn gpus_that_come_later_are_found() {
    let stub = two();
    stub.count(0);
    let mut watch = watch(&stub);
    assert_eq!(watch.collect().page(), ["gpu_up 0"]);
    stub.count(2);
    watch.collect();
    assert_eq!((up(&watch, 0), up(&watch, 1)), (Some(1.0), Some(1.0)));
    assert!(!watch.page().contains(&"gpu_up 0".to_owned()));
}

#[test]
fn without_a_library_there_is_no_gpu_and_no_error() {
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    let gpu = Gpu::default().lib_path("/no/such/library.so").drm_path("/no/such/folder");
    runner.add(gpu.wait(Duration::from_secs(60)));
    runner.collect();
    let watch = Watch { registry, runner };
    assert_eq!(watch.page(), ["gpu_up 0"]);
    assert_eq!(watch.runner.errors(), []);
}

#[test]
fn a_driver_that_is_not_there_is_no_error_and_one_of_another_version_is() {
    let stub = two();
    stub.error(0, "Init", DRIVER_NOT_LOADED);
    let mut watch = watch(&stub);
    assert_eq!(watch.collect().page(), ["gpu_up 0"]);
    assert_eq!(watch.runner.errors(), []);

    stub.error(0, "Init", VERSION_MISMATCH);
    watch.collect_until("the mismatch is seen", |watch| watch.errors("init").is_some());
    assert_eq!(watch.value("gpu_up"), Some(0.0));

    stub.error(0, "Init", 0);
    watch.collect_until("it is up", |watch| up(watch, 0) == Some(1.0));
    assert_eq!(stub.live("inits"), 1);
}

#[test]
fn a_library_of_one_symbol_is_an_error_and_no_panic() {
    let stub = Stub::built_with("-DINIT_ONLY");
    let mut watch = watch(&stub);
    watch.collect();
    assert_eq!(watch.value("gpu_up"), Some(0.0));
    assert_eq!(watch.errors("device_count"), Some(1.0));
    assert_eq!(watch.errors("panic"), None);
}

#[test]
fn missing_symbols_are_missing_figures() {
    let stub = Stub::built_with("-DNO_GPM");
    stub.values(0, &[("temperature", 50), ("gpm", 1)]);
    let mut watch = watch(&stub);
    watch.collect().collect();
    assert_eq!(celsius(&watch, 0), Some(50.0));
    assert_eq!(watch.value("gpu_sm_active_ratio"), None);
    assert_eq!(watch.runner.errors(), []);
}

#[test]
fn what_could_not_be_freed_is_not_made() {
    let stub = Stub::built_with("-DNO_FREE");
    stub.values(0, &[("temperature", 50), ("gpm", 1)]);
    stub.metric(0, 2, 30.0, 0);
    {
        let mut watch = watch(&stub);
        watch.collect().collect();
        assert_eq!(celsius(&watch, 0), Some(50.0));
        assert_eq!(watch.value("gpu_sm_active_ratio"), None);
        assert_eq!(watch.errors("panic"), None);
    }
    assert_eq!((stub.live("samples"), stub.live("sets")), (0, 0));
}

#[test]
fn a_library_that_cannot_be_shut_down_does_not_panic() {
    let stub = Stub::built_with("-DNO_SHUTDOWN");
    stub.value(0, "temperature", 50);
    for _ in 0..3 {
        let mut watch = watch(&stub);
        assert_eq!(celsius(watch.collect(), 0), Some(50.0));
    }
    assert_eq!(stub.live("inits"), 1, "loaded once, whoever comes");
}

#[test]
fn a_collector_leaves_nothing_in_the_driver() {
    let stub = two();
    {
        let mut watch = watch(&stub);
        watch.collect().collect();
        assert_eq!((stub.live("samples"), stub.live("sets")), (2, 2));
    }
    let start = std::time::Instant::now();
    while (stub.live("samples"), stub.live("sets")) != (0, 0) {
        assert!(start.elapsed() < Duration::from_secs(60), "samples or sets are left");
        std::thread::yield_now();
    }
}

/// One that gives up soon. On a machine too busy for it a GPU is taken for stuck now and then, and
/// read at the next try.
fn impatient(stub: &Stub) -> Watch {
    let (wait, patience) = (Duration::from_millis(20), Duration::from_millis(200));
    watch_with(stub, |gpu| gpu.wait(wait).patience(patience))
}

#[test]
fn a_hanging_start_holds_nobody_up() {
    let stub = two();
    stub.hang(0, "Init", true);
    let mut watch = impatient(&stub);
    watch.collect_until("the start is called slow", |watch| watch.errors("init").is_some());
    watch.collect().collect();
    assert_eq!(watch.value("gpu_up"), Some(0.0));
    assert_eq!(watch.errors("init"), Some(1.0), "said once");
    watch.collect_until("the start is begun", |_| stub.calls(0, "Init") > 0);
    watch.collect().collect();
    assert_eq!(stub.calls(0, "Init"), 1, "nobody is sent after it");
    stub.hang(0, "Init", false);
    watch.collect_until("both are up", |watch| {
        (up(watch, 0), up(watch, 1)) == (Some(1.0), Some(1.0))
    });
}

#[test]
fn a_hanging_call_takes_back_its_gpu_alone() {
    let stub = two();
    let mut watch = impatient(&stub);
    watch.collect_until("both are read", |watch| {
        (celsius(watch, 0), celsius(watch, 1)) == (Some(50.0), Some(50.0))
    });
    stub.hang(1, "DeviceGetPowerUsage", true);
    watch.collect_until("the GPU is taken for stuck", |watch| {
        watch.errors("power_usage").is_some() && up(watch, 1) == Some(0.0)
    });
    assert_eq!(figures(&watch, 1), [""; 0], "not frozen");
    stub.value(0, "temperature", 77);
    watch.collect_until("the other goes on", |watch| celsius(watch, 0) == Some(77.0));
    assert_eq!(up(&watch, 1), Some(0.0));
    assert_eq!(figures(&watch, 1), [""; 0]);

    stub.value(1, "temperature", 33);
    stub.hang(1, "DeviceGetPowerUsage", false);
    watch.collect_until("it is back", |watch| celsius(watch, 1) == Some(33.0));
    assert_eq!(losses(&watch, 1), Some(0.0), "stuck is not lost");
}

/// Threads that were left behind so far.
fn detached() -> u64 {
    let page = nissa::expose::text(&Registry::global().snapshot());
    let line = page.lines().find(|line| line.contains("reason=\"thread_detached\""));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn nobody_waits_for_a_call_that_hangs_for_good() {
    let stub = two();
    stub.hang(0, "DeviceGetMemoryInfo", true);
    let before = detached();
    let mut watch = impatient(&stub);
    watch.collect_until("it hangs", |_| stub.calls(0, "DeviceGetMemoryInfo") > 0);
    drop(watch);
    assert!(detached() > before);
    // So that the library outlives the call.
    stub.hang(0, "DeviceGetMemoryInfo", false);
}

#[test]
fn a_program_ends_while_the_driver_hangs() {
    let stub = two();
    let registry = Registry::new();
    let gpu = Gpu::default().lib_path(&stub.path).drm_path("/no/such/folder");
    let gpu = gpu.interval(Duration::from_millis(5)).wait(Duration::from_millis(5));
    let guard = nissa::builder().registry(registry.clone()).collect(gpu).start().unwrap();
    let is_up = || registry.snapshot().value("gpu_lost_total").is_some();
    while !is_up() {
        std::thread::yield_now();
    }
    stub.hang(0, "DeviceGetPowerUsage", true);
    let calls = stub.calls(0, "DeviceGetPowerUsage");
    while stub.calls(0, "DeviceGetPowerUsage") == calls {
        std::thread::yield_now();
    }
    let before = detached();
    drop(guard);
    assert!(detached() > before);
    stub.hang(0, "DeviceGetPowerUsage", false);
}
