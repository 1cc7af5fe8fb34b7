//! A watch allocates nothing for a value that it does not report.

#![cfg(feature = "detect")]
#![allow(unsafe_code, reason = "a global allocator is unsafe by signature")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use nissa::Registry;
use nissa::watch::{self, Step};

thread_local! {
    /// This thread's allocations, so that tests do not count each other's.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn ordinary_values_cost_no_memory() {
    let registry = Registry::new();
    let all = watch::watch("x").spikes().dips().drift().not_finite().stuck(10).plateau(50_000);
    let mut series = all.above(1e9).registry(&registry).build();
    let mut training = watch::training().registry(&registry).plateau(50_000).build();
    let mut feed = |steps: std::ops::Range<u32>| {
        for step in steps {
            let value = 10.0 + f64::from(step % 7);
            assert!(series.observe(value).is_none());
            let step = Step::new(value).gradient_norm(value).learning_rate(0.1);
            assert!(training.observe(step.samples(32).seconds(0.01)).is_none());
        }
    };
    feed(0..10);
    assert_eq!(allocations(|| feed(10..5_000)), 0);
}

#[test]
fn an_anomaly_may_cost_some() {
    let mut watch = watch::watch("x").not_finite().registry(&Registry::new()).build();
    assert!(allocations(|| assert!(watch.observe(f64::NAN).is_some())) > 0);
}
