//! Ten thousand registries, one after the other, leave nothing behind. Alone in its process,
//! because memory can only be told of a whole one.

mod host;

use nissa::{Buckets, Registry, counter, gauge, histogram};

fn live_and_go(number: usize) {
    let registry = Registry::builder().default_buckets(Buckets::exponential(0.1).unwrap()).build();
    registry.in_scope(|| {
        counter!("c_total").increment(1);
        gauge!("g", "a" => "b").set(1);
        histogram!("h_seconds", "number" => number.to_string()).record(1);
        for label in 0..20 {
            counter!("c_total", "label" => label.to_string()).increment(1);
        }
    });
    let recorder = nissa::Recorder::new(&registry);
    metrics::with_local_recorder(&recorder, || {
        metrics::counter!("facade_total", "number" => number.to_string()).increment(1);
    });
    assert_eq!(registry.snapshot().value("c_total"), Some(21.0));
    assert_eq!(registry.snapshot().value("facade_total"), Some(1.0));
    registry.describe_gauge("never_used", None, "And described.");
}

#[test]
fn ten_thousand_registries_leave_no_memory_behind() {
    const REGISTRIES: usize = 10_000;
    (0..REGISTRIES / 10).for_each(live_and_go);
    let before = host::resident_bytes();
    (0..REGISTRIES).for_each(live_and_go);
    host::assert_grown_at_most(1 << 20, before, "10,000 registries");

    // Also when another thread is the one to drop them.
    let pages = || Registry::global().snapshot().value("nissa_thread_pages_bytes").unwrap();
    let pages_before = pages();
    for number in 0..REGISTRIES / 10 {
        let registry = Registry::new();
        registry.counter("c_total", &[("number", &number.to_string())]).increment(1);
        if number % 10 == 0 {
            std::thread::spawn(move || drop(registry)).join().unwrap();
        }
    }
    host::assert_grown_at_most(2 << 20, before, "1,000 dropped by threads");
    assert!(pages() <= pages_before + 4.0 * 8192.0, "{} after {pages_before}", pages());
}
