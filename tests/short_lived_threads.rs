//! Threads that live for a few recordings, 100,000 of them: exact, and flat in memory. Alone in its
//! process, because memory can only be told of a whole one.

mod host;

use nissa::{Registry, counter, gauge, histogram};

fn own(name: &str) -> f64 {
    Registry::global().snapshot().value(name).unwrap()
}

#[test]
fn a_hundred_thousand_short_lived_threads_are_exact_and_leave_no_memory_behind() {
    const THREADS: usize = 100_000;
    const AT_A_TIME: usize = 50;
    let live = |number: usize| {
        counter!("short_total").increment(1);
        counter!("short_total", "tenth" => (number % 10).to_string()).increment(2);
        histogram!("short_seconds").record(0.25);
        gauge!("short").increment(1);
    };
    let batch = |first: usize| {
        std::thread::scope(|threads| {
            for number in first..first + AT_A_TIME {
                std::thread::Builder::new()
                    .stack_size(64 << 10)
                    .spawn_scoped(threads, move || {
                        live(number);
                    })
                    .unwrap();
            }
        });
    };
    // So many threads at a time need their pages once.
    (0..10 * AT_A_TIME).step_by(AT_A_TIME).for_each(batch);
    let before =
        (host::resident_bytes(), own("nissa_thread_pages_bytes"), own("nissa_threads_peak"));
    (10 * AT_A_TIME..THREADS).step_by(AT_A_TIME).for_each(batch);

    let snapshot = Registry::global().snapshot();
    let count =
        |labels: &[(&str, &str)]| snapshot.get("short_total", labels).unwrap().as_f64().unwrap();
    assert_eq!(count(&[]), THREADS as f64);
    for tenth in 0..10 {
        assert_eq!(count(&[("tenth", &tenth.to_string())]), (2 * THREADS / 10) as f64);
    }
    let distribution = snapshot.distribution("short_seconds").unwrap();
    assert_eq!((distribution.count(), distribution.sum()), (THREADS as u64, 0.25 * THREADS as f64));
    assert_eq!(snapshot.value("short"), Some(THREADS as f64));
    drop(snapshot);

    host::assert_grown_at_most(4 << 20, before.0, "99,500 threads more");
    // The judging thread and the test harness may record too.
    let most = (AT_A_TIME + 4) as f64;
    assert!(own("nissa_threads_peak") <= most, "{} threads at a time", own("nissa_threads_peak"));
    assert!(before.2 <= most);
    let pages = own("nissa_thread_pages_bytes");
    assert!(pages <= before.1 + (AT_A_TIME * 8 * 8192) as f64 && pages < 8e6, "{pages}");
}
