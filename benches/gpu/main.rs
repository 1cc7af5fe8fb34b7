//! What a tick of the GPU collector costs beside the NVML calls it is made of, over a library that
//! answers at once. On a machine with a GPU the driver takes nearly all of the time; this is what
//! comes on top.
//!
//! ```text
//! cargo bench --features gpu --bench gpu         some seconds
//! ```
//!
//! Prints one table and writes `target/gpu.json`. `bare_nvml_calls` makes the same calls from C's
//! side, on one thread. `floor_handover` wakes a thread and waits for its answer, which a tick does
//! once a GPU, so that a driver can hang alone. `_paced` is one at a time with a rest between, as
//! when it is done once a second. A figure is the median of rounds of the process's processor time.

#![allow(unreachable_pub, reason = "a program exports nothing, so the word would be pub(crate)")]

#[path = "../collect/allocations.rs"]
mod allocations;
mod bare;
#[path = "../../tests/gpu/mod.rs"]
mod gpu;
#[path = "../results/mod.rs"]
mod results;

use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use nissa::Registry;
use nissa::collect::{Gpu, Runner};
use nix::time::{ClockId, clock_gettime};

use bare::Bare;
use gpu::{Stub, UNSIGNED_INT, UNSIGNED_LONG_LONG};
use results::Row;

const ROUNDS: usize = 25;
const HOT: u32 = 2_000;
const PACED: usize = 60;
const REST: Duration = Duration::from_millis(20);

fn main() {
    if !cfg!(target_os = "linux") {
        println!("the bench loads a library as Linux does");
        return;
    }
    let stub = stub();
    let mut rows = Vec::new();
    for with_gpm in [false, true] {
        stub.value(0, "gpm", with_gpm.into());
        let suffix = if with_gpm { "_gpm" } else { "" };
        let mut runner = runner(&stub);
        // Everything has been asked once, and what is not there is known.
        (0..3).for_each(|_| runner.collect());
        let mut bare = Bare::new(&stub, with_gpm);
        (0..3).for_each(|_| bare.tick());
        measure(&mut rows, &format!("bare_nvml_calls{suffix}"), "floor", || bare.tick());
        measure(&mut rows, &format!("nissa_gpu_tick{suffix}"), "nissa", || runner.collect());
    }
    let (there, todo) = sync_channel::<()>(1);
    let (done, back) = sync_channel::<()>(1);
    let other = thread::spawn(move || todo.iter().try_for_each(|()| done.send(())));
    let handover = || {
        let _ = there.send(());
        let _ = back.recv_timeout(Duration::from_secs(60));
    };
    measure(&mut rows, "floor_handover", "floor", handover);
    drop(there);
    let _ = other.join();
    results::print(&rows);
    results::write("target/gpu.json", rows);
}

/// A GPU that has everything but parts and processes.
fn stub() -> Stub {
    let stub = Stub::new();
    (1..=13).for_each(|metric| stub.metric(0, metric, 50.0, 0));
    for (field, kind) in [(82, UNSIGNED_INT), (197, UNSIGNED_LONG_LONG), (198, UNSIGNED_LONG_LONG)]
    {
        stub.field(0, field, kind, 7, 0);
    }
    stub
}

/// The ticks between two that read slow things too.
fn runner(stub: &Stub) -> Runner {
    let mut runner = Runner::new(&Registry::new());
    let gpu = Gpu::default().lib_path(&stub.path).drm_path("/no/such/folder");
    runner.add(gpu.slow_interval(Duration::from_secs(3600)).wait(Duration::from_secs(60)));
    runner
}

fn measure(rows: &mut Vec<Row>, case: &str, system: &'static str, mut work: impl FnMut()) {
    let hot = (0..ROUNDS).map(|_| {
        let start = processor_time();
        (0..HOT).for_each(|_| work());
        (processor_time() - start).as_secs_f64() * 1e9 / f64::from(HOT)
    });
    rows.push(Row::new(case, system, median(hot.collect()), "ns"));
    let start = allocations::count();
    (0..HOT).for_each(|_| work());
    let allocated = (allocations::count() - start) as f64 / f64::from(HOT);
    rows.push(Row::new(format!("{case}_allocations"), system, allocated, "allocs"));
    let paced = (0..PACED).map(|_| {
        thread::sleep(REST);
        let start = processor_time();
        work();
        (processor_time() - start).as_secs_f64() * 1e9
    });
    rows.push(Row::new(format!("{case}_paced"), system, median(paced.collect()), "ns"));
}

/// The processor time that this process has taken, all threads of it.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("the process's clock");
    Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
