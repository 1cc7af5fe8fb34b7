//! The hot loops once more, as a shared library that `versus` loads.
//!
//! A plugin reaches its thread-locals through a call (`__tls_get_addr`) instead of a fixed offset
//! from a register, and inlines nothing across its border: both may cost a system that was built
//! around thread-locals more than its peers. `versus` builds this file as an example.
#![expect(unsafe_code, reason = "an exported function needs a name that is not mangled")]
#![allow(unreachable_pub, reason = "in the bench, which is no library, these are reachable")]
#![allow(dead_code, reason = "the modules are the bench's, and half of each stays unused here")]

mod harness;
mod os;
mod systems;
mod workload;

use std::sync::OnceLock;

use harness::Batch;

/// Runs a loop of [`systems::PLUGIN_CASES`]; false if the system has no such case.
#[unsafe(no_mangle)]
pub extern "C" fn versus_run(case: usize, system: usize, iterations: u64) -> bool {
    static BATCHES: OnceLock<Vec<Vec<Option<Batch>>>> = OnceLock::new();
    let batches = BATCHES.get_or_init(|| {
        let of_case = |case| systems::all().iter().map(|it| it.make_batch(case)).collect();
        systems::PLUGIN_CASES.into_iter().map(of_case).collect()
    });
    let batch = batches.get(case).and_then(|of_case| of_case.get(system)?.as_ref());
    batch.inspect(|batch| batch.run(0, iterations)).is_some()
}
