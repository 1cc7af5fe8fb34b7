//! A library that stands for NVIDIA's, and a collector that reads it.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(unsafe_code, reason = "the library is C and is loaded by hand")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_double, c_int, c_uint, c_ulonglong, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nissa::collect::{Gpu, Runner};
use nissa::{Registry, expose};

/// NVML's return codes.
pub(crate) const UNINITIALIZED: i32 = 1;
pub(crate) const NOT_SUPPORTED: i32 = 3;
pub(crate) const DRIVER_NOT_LOADED: i32 = 9;
pub(crate) const VERSION_MISMATCH: i32 = 18;
pub(crate) const UNKNOWN: i32 = 999;

/// NVML's value types.
pub(crate) const UNSIGNED_INT: i32 = 1;
pub(crate) const UNSIGNED_LONG_LONG: i32 = 3;

/// A copy of the library with a state of its own.
pub(crate) struct Stub {
    pub(crate) path: PathBuf,
    library: *mut c_void,
}

impl Stub {
    pub(crate) fn new() -> Self {
        Self::built_with("")
    }

    /// `option` leaves symbols out, see the source.
    pub(crate) fn built_with(option: &str) -> Self {
        static COPIES: AtomicU32 = AtomicU32::new(0);
        let built = build(option);
        let copy = COPIES.fetch_add(1, Ordering::Relaxed);
        // The system gives out one library a file, so every test has a file of its own.
        let path = built.with_extension(format!("{copy}.so"));
        std::fs::copy(&built, &path).unwrap();
        let name = CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: the name ends in a zero, and the library has no constructor but our own.
        let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!library.is_null(), "{}", last_error());
        Self { path, library }
    }

    pub(crate) fn symbol(&self, name: &CStr) -> *mut c_void {
        // SAFETY: the library is open, and the name ends in a zero.
        let symbol = unsafe { libc::dlsym(self.library, name.as_ptr()) };
        assert!(!symbol.is_null(), "{name:?} is not in the library");
        symbol
    }

    pub(crate) fn count(&self, devices: i32) {
        type Call = unsafe extern "C" fn(c_int);
        // SAFETY: the function has this signature.
        unsafe { std::mem::transmute::<*mut c_void, Call>(self.symbol(c"stub_count"))(devices) }
    }

    pub(crate) fn hide(&self, device: i32, hidden: bool) {
        type Call = unsafe extern "C" fn(c_int, c_int);
        let call = self.symbol(c"stub_hide");
        // SAFETY: the function has this signature.
        unsafe { std::mem::transmute::<*mut c_void, Call>(call)(device, hidden.into()) }
    }

    pub(crate) fn driver(&self, version: &str) {
        type Call = unsafe extern "C" fn(*const c_char);
        let version = CString::new(version).unwrap();
        let call = self.symbol(c"stub_driver");
        // SAFETY: the function has this signature, and copies the text.
        unsafe { std::mem::transmute::<*mut c_void, Call>(call)(version.as_ptr()) }
    }

    pub(crate) fn value(&self, device: i32, name: &str, value: u64) {
        type Call = unsafe extern "C" fn(c_int, *const c_char, c_ulonglong);
        let name = CString::new(name).unwrap();
        let call = self.symbol(c"stub_value");
        // SAFETY: the function has this signature.
        unsafe { std::mem::transmute::<*mut c_void, Call>(call)(device, name.as_ptr(), value) }
    }

    pub(crate) fn values(&self, device: i32, values: &[(&str, u64)]) {
        values.iter().for_each(|(name, value)| self.value(device, name, *value));
    }

    pub(crate) fn error(&self, device: i32, name: &str, code: i32) {
        self.named(c"stub_error", device, name, code);
    }

    pub(crate) fn hang(&self, device: i32, name: &str, hangs: bool) {
        self.named(c"stub_hang", device, name, hangs.into());
    }

    fn named(&self, symbol: &CStr, device: i32, name: &str, number: c_int) {
        type Call = unsafe extern "C" fn(c_int, *const c_char, c_int);
        let name = CString::new(name).unwrap();
        let call = self.symbol(symbol);
        // SAFETY: the functions this is used for have this signature.
        unsafe { std::mem::transmute::<*mut c_void, Call>(call)(device, name.as_ptr(), number) }
    }

    /// How often a call was made.
    pub(crate) fn calls(&self, device: i32, name: &str) -> u64 {
        type Call = unsafe extern "C" fn(c_int, *const c_char) -> c_ulonglong;
        let name = CString::new(name).unwrap();
        let call = self.symbol(c"stub_calls");
        // SAFETY: the function has this signature.
        unsafe { std::mem::transmute::<*mut c_void, Call>(call)(device, name.as_ptr()) }
    }

    pub(crate) fn field(&self, device: i32, id: i32, kind: i32, value: u64, code: i32) {
        type Call = unsafe extern "C" fn(c_int, c_int, c_int, c_ulonglong, c_int);
        let call = self.symbol(c"stub_field");
        // SAFETY: the function has this signature.
        unsafe { std::mem::transmute::<*mut c_void, Call>(call)(device, id, kind, value, code) }
    }

    pub(crate) fn metric(&self, device: i32, id: i32, value: f64, code: i32) {
        type Call = unsafe extern "C" fn(c_int, c_int, c_double, c_int);
        let call = self.symbol(c"stub_metric");
        // SAFETY: the function has this signature.
        unsafe { std::mem::transmute::<*mut c_void, Call>(call)(device, id, value, code) }
    }

    pub(crate) fn process(&self, device: i32, slot: i32, pid: u32, bytes: u64) {
        type Call = unsafe extern "C" fn(c_int, c_int, c_uint, c_ulonglong);
        let call = self.symbol(c"stub_process");
        // SAFETY: the function has this signature.
        unsafe { std::mem::transmute::<*mut c_void, Call>(call)(device, slot, pid, bytes) }
    }

    pub(crate) fn xid(&self, device: i32, xid: u64) {
        type Call = unsafe extern "C" fn(c_int, c_ulonglong);
        let call = self.symbol(c"stub_xid");
        // SAFETY: the function has this signature.
        unsafe { std::mem::transmute::<*mut c_void, Call>(call)(device, xid) }
    }

    /// How many "samples" or "sets" there are, or "inits" and "shutdowns" there were.
    pub(crate) fn live(&self, what: &str) -> i32 {
        type Call = unsafe extern "C" fn(*const c_char) -> c_int;
        let what = CString::new(what).unwrap();
        let call = self.symbol(c"stub_live");
        // SAFETY: the function has this signature.
        unsafe { std::mem::transmute::<*mut c_void, Call>(call)(what.as_ptr()) }
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Compiles the library, once a process and option.
fn build(option: &str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let compile = || {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gpu/stub.c");
        let name = format!("stub{option}-{}.so", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-Wall"]).args((!option.is_empty()).then_some(option));
        let status = cc.arg(source).arg("-o").arg(&path).status();
        assert!(status.expect("cc, which Rust links with").success());
        path
    };
    built.entry(option.to_owned()).or_insert_with(compile).clone()
}

fn last_error() -> String {
    // SAFETY: the text is the system's, and this thread's until its next such call.
    let text = unsafe { CStr::from_ptr(libc::dlerror()) };
    text.to_string_lossy().into_owned()
}

/// A collector over a stub, with a registry of its own. Slow things are read every time.
pub(crate) struct Watch {
    pub(crate) registry: Registry,
    pub(crate) runner: Runner,
}

pub(crate) fn watch(stub: &Stub) -> Watch {
    watch_with(stub, |gpu| gpu)
}

pub(crate) fn watch_with(stub: &Stub, settings: impl FnOnce(Gpu) -> Gpu) -> Watch {
    let gpu = Gpu::default()
        .lib_path(&stub.path)
        .drm_path("/no/such/folder")
        // A busy machine must not make figures late.
        .wait(Duration::from_secs(60))
        .patience(Duration::from_secs(120))
        .slow_interval(Duration::ZERO);
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    runner.add(settings(gpu));
    Watch { registry, runner }
}

impl Watch {
    pub(crate) fn collect(&mut self) -> &mut Self {
        self.runner.collect();
        self
    }

    /// Collects until something has come about.
    #[track_caller]
    pub(crate) fn collect_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "{what}:\n{}",
                self.page().join("\n")
            );
            self.collect();
        }
    }

    /// The samples of GPUs, without what took how long.
    pub(crate) fn page(&self) -> Vec<String> {
        let text = expose::text(&self.registry.snapshot());
        let samples = text.lines().filter(|line| line.starts_with("gpu_"));
        let samples = samples.filter(|line| !line.starts_with("gpu_collect_seconds"));
        samples.map(str::to_owned).collect()
    }

    /// The value of the series that begins so, `gpu_up{gpu="0"`.
    #[track_caller]
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        let page = self.page();
        let is_it = |line: &&String| {
            line.strip_prefix(series).is_some_and(|rest| rest.starts_with([' ', ',', '}', '{']))
        };
        let found: Vec<_> = page.iter().filter(is_it).collect();
        assert!(found.len() < 2, "{series} is not one: {found:?}");
        let line = found.first()?;
        Some(line.rsplit(' ').next()?.parse().unwrap())
    }

    /// How often a call has failed.
    pub(crate) fn errors(&self, call: &str) -> Option<f64> {
        self.value(&format!("gpu_collect_errors_total{{call=\"{call}\""))
    }
}
