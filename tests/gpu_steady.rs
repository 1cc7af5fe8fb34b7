//! A collector that runs for long, and many that come and go: no allocation but the wrapper's, and
//! no thread, file or sample that stays. Alone in its process, since it counts all of it.
#![cfg(all(feature = "gpu", target_os = "linux"))]
#![allow(unsafe_code, reason = "a global allocator is unsafe by signature")]

mod gpu;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gpu::{Stub, UNSIGNED_INT, watch, watch_with};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn entries(folder: &str) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn nothing_grows() {
    let stub = Stub::new();
    stub.field(0, 82, UNSIGNED_INT, 60, 0);
    let before = (entries("/proc/self/task"), entries("/proc/self/fd"));
    many_ticks(&stub);
    many_collectors(&stub);
    // The last threads may take a moment.
    let now = || {
        let counts = (entries("/proc/self/task"), entries("/proc/self/fd"));
        (counts, stub.live("samples"), stub.live("sets"))
    };
    let start = Instant::now();
    while now() != (before, 0, 0) {
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}, and not {before:?}", now());
        std::thread::yield_now();
    }
    assert_eq!(stub.live("inits"), 1);
}

fn many_ticks(stub: &Stub) {
    const TICKS: usize = 20_000;
    /// Both are nvml-wrapper's, for field values.
    const EACH: usize = 2;
    let hour = Duration::from_secs(3600);
    let mut watch = watch_with(stub, |gpu| gpu.slow_interval(hour));
    for _ in 0..10 {
        watch.collect();
    }
    let (threads, files) = (entries("/proc/self/task"), entries("/proc/self/fd"));
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..TICKS {
        watch.collect();
    }
    let allocated = ALLOCATIONS.load(Ordering::Relaxed) - before;
    // The test's own threads may take a few.
    assert!(allocated <= EACH * TICKS + 50, "{allocated} allocations in {TICKS} ticks");
    assert_eq!(entries("/proc/self/task"), threads);
    assert_eq!(entries("/proc/self/fd"), files);
}

fn many_collectors(stub: &Stub) {
    stub.value(0, "gpm", 1);
    stub.metric(0, 2, 30.0, 0);
    for _ in 0..100 {
        let mut watch = watch(stub);
        watch.collect().collect();
        assert_eq!(watch.value("gpu_sm_active_ratio"), Some(0.3));
    }
}
