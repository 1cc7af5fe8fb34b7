//! What the bench asks of the operating system: clocks, context switches, processors, memory.
//!
//! The only unsafe code of the bench: each call passes pointers to live, initialised values and
//! nothing else.
#![expect(unsafe_code, reason = "libc calls and an empty asm statement")]

use std::ffi::CStr;
use std::fs;
use std::mem;
use std::time::Duration;

/// Tells the compiler that all memory was read and written; costs no instruction.
///
/// Without it the compiler may fold the additions of a whole loop into one.
#[inline(always)]
pub fn barrier() {
    // SAFETY: no instruction is emitted.
    unsafe { std::arch::asm!("", options(nostack, preserves_flags)) }
}

/// Processor time used by this thread: time spent preempted does not count.
pub fn thread_time() -> Duration {
    let mut time: libc::timespec = zeroed();
    // SAFETY: `time` is a live timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// How often this thread was pushed off its processor.
pub fn preemptions() -> i64 {
    let mut usage: libc::rusage = zeroed();
    // SAFETY: `usage` is a live rusage.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, &mut usage) };
    usage.ru_nivcsw
}

/// Time this thread has been ready to run without a processor to run on. `None` where the kernel
/// does not say.
pub fn queued() -> Option<Duration> {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    schedstat.split_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

/// The processors this thread may run on.
pub fn processors() -> Vec<usize> {
    let mut set: libc::cpu_set_t = zeroed();
    // SAFETY: `set` is a live cpu_set_t of the size given, and every index is below CPU_SETSIZE.
    unsafe {
        libc::sched_getaffinity(0, size_of_val(&set), &mut set);
        (0..libc::CPU_SETSIZE as usize).filter(|&cpu| libc::CPU_ISSET(cpu, &set)).collect()
    }
}

/// Keeps this thread on `cpus`. A refusal is ignored: it costs samples, not correctness.
pub fn run_on(cpus: &[usize]) {
    let mut set: libc::cpu_set_t = zeroed();
    // SAFETY: `set` is a live cpu_set_t of the size given, and `processors` gave the indices.
    unsafe {
        for &cpu in cpus {
            libc::CPU_SET(cpu, &mut set);
        }
        libc::sched_setaffinity(0, size_of_val(&set), &set);
    }
}

/// Memory of this process that is in RAM, in bytes.
pub fn resident() -> Option<usize> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// The largest `resident()` since the last [`forget_peak`], in bytes.
pub fn resident_peak() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Returns free heap memory to the system, so that who allocates next meets page faults.
pub fn trim_heap() {
    // SAFETY: malloc_trim takes no pointer.
    unsafe { libc::malloc_trim(0) };
}

/// Starts a new peak. False if the kernel refuses.
pub fn forget_peak() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// `versus_run` of `cdylib.rs`.
pub type PluginRun = extern "C" fn(usize, usize, u64) -> bool;

/// Loads the shared library at `path` for good.
pub fn load_plugin(path: &CStr) -> Option<PluginRun> {
    // SAFETY: both names end in NUL. The library was just built from `cdylib.rs`, which exports a
    // function of this name and type, and it is never unloaded.
    unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
        if library.is_null() {
            return None;
        }
        let run = libc::dlsym(library, c"versus_run".as_ptr());
        (!run.is_null()).then(|| mem::transmute::<*mut libc::c_void, PluginRun>(run))
    }
}

fn zeroed<T: Copy>() -> T {
    // SAFETY: used above for plain C structs of integers only, for which all zeros is a value.
    unsafe { mem::zeroed() }
}
