//! Threads' own memory has a budget for the whole process; past it nothing is lost. One test, since
//! the budget belongs to the process.

use nissa::{Registry, counter, gauge, histogram};

#[test]
fn past_the_budget_threads_share_and_lose_nothing() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 5_000;
    counter!("before_total").increment(1);
    let pages = || Registry::global().snapshot().value("nissa_thread_pages_bytes").unwrap();
    let before = pages();
    Registry::set_thread_memory(0);
    let registry = Registry::new();
    let held = registry.counter("held_total", &[]);
    let record = |thread: usize| {
        let label = (thread % 2).to_string();
        for round in 0..ROUNDS {
            held.increment(1);
            counter!("before_total").increment(1);
            counter!("after_total", "thread" => label).increment(1);
            histogram!("after_seconds").record((round % 4) as f64);
            gauge!("after").increment(1);
            registry.float_counter("float_total", &[]).increment(0.5);
        }
    };
    let share = || {
        std::thread::scope(|threads| {
            (0..THREADS).for_each(|at| drop(threads.spawn(move || record(at))));
        });
    };
    share();
    let total = |times: usize| (times * THREADS * ROUNDS) as f64;
    let check = |times: usize| {
        let snapshot = Registry::global().snapshot();
        assert_eq!(snapshot.value("before_total"), Some(1.0 + total(times)));
        assert_eq!(snapshot.value("after_total"), Some(total(times)));
        assert_eq!(snapshot.value("after"), Some(total(times)));
        let distribution = snapshot.distribution("after_seconds").unwrap();
        assert_eq!(
            (distribution.count() as f64, distribution.sum()),
            (total(times), 1.5 * total(times))
        );
        let own = registry.snapshot();
        assert_eq!(own.value("held_total"), Some(total(times)));
        assert_eq!(own.value("float_total"), Some(0.5 * total(times)));
        let lost = [("reason", "update_lost")];
        let lost = snapshot.get("nissa_dropped_total", &lost).and_then(|lost| lost.as_f64());
        assert_eq!(lost, Some(0.0));
    };
    check(1);
    assert_eq!(pages(), before, "no page was added");

    // With room again threads get pages of their own, beside what the shared ones hold.
    Registry::set_thread_memory(64 << 20);
    share();
    check(2);
    assert!(pages() > before, "pages are added again");
}
