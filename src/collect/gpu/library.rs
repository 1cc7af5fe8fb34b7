//! NVML, loaded when it is first needed and then for good.
//!
//! It is never unloaded: nothing tells which thread a driver still holds inside it, the wrapper
//! panics on letting go of a library without `nvmlShutdown`, and initialising takes up to seconds.
//! The system takes everything back when the process ends.

use std::ffi::{OsStr, OsString};

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

use crate::sync::Mutex;

static LOADED: Mutex<Vec<Loaded>> = Mutex::new(Vec::new());

struct Loaded {
    path: Option<OsString>,
    nvml: &'static Nvml,
    times: u32,
    /// Whether it says that it is not initialised any more.
    is_spent: bool,
}

/// How often one library is initialised again, since each time stays in memory.
const MOST_TIMES: u32 = 16;

/// The library of this path, or where the system has it. May take seconds, or for ever.
pub(super) fn open(path: Option<&OsStr>) -> Result<&'static Nvml, NvmlError> {
    if let Some(nvml) = known(path) {
        return Ok(nvml);
    }
    let mut builder = Nvml::builder();
    if let Some(path) = path {
        builder.lib_path(path);
    }
    // Not under the lock, which others ask for who are not stuck.
    let nvml: &'static Nvml = Box::leak(Box::new(builder.init()?));
    let mut loaded = LOADED.lock();
    match loaded.iter_mut().find(|loaded| loaded.path.as_deref() == path) {
        Some(there) => {
            there.nvml = nvml;
            there.times += 1;
            there.is_spent = false;
        }
        None => {
            let path = path.map(OsStr::to_owned);
            loaded.push(Loaded { path, nvml, times: 1, is_spent: false });
        }
    }
    Ok(nvml)
}

/// Has a library initialised again that says it is not, because the program has shut it down.
pub(super) fn forget(nvml: &'static Nvml) {
    let mut loaded = LOADED.lock();
    if let Some(there) = loaded.iter_mut().find(|loaded| std::ptr::eq(loaded.nvml, nvml)) {
        there.is_spent = true;
    }
}

fn known(path: Option<&OsStr>) -> Option<&'static Nvml> {
    let loaded = LOADED.lock();
    let there = loaded.iter().find(|loaded| loaded.path.as_deref() == path)?;
    (!there.is_spent || there.times >= MOST_TIMES).then_some(there.nvml)
}
