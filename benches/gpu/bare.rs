//! The calls of a tick, made as a C program would make them: no wrapper, no names, no metrics.
#![expect(unsafe_code, reason = "the library is C")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::hint::black_box;
use std::{mem, ptr};

use super::gpu::Stub;

type Device = *mut c_void;
type Code = c_int;

/// The calls that tell one number of four bytes, one of eight, and several.
type Small = unsafe extern "C" fn(Device, *mut c_uint) -> Code;
type Large = unsafe extern "C" fn(Device, *mut c_ulonglong) -> Code;
type Chosen = unsafe extern "C" fn(Device, c_uint, *mut c_ulonglong) -> Code;
type Fields = unsafe extern "C" fn(Device, c_int, *mut Field) -> Code;
type Wait = unsafe extern "C" fn(*mut c_void, *mut [c_ulonglong; 4], c_uint) -> Code;
type Alloc = unsafe extern "C" fn(*mut *mut c_void) -> Code;
type Free = unsafe extern "C" fn(*mut c_void) -> Code;
type Get = unsafe extern "C" fn(Device, *mut c_void) -> Code;
type Pair = unsafe extern "C" fn(*mut Metrics) -> Code;

#[repr(C)]
#[derive(Clone, Copy)]
struct Field {
    id: c_uint,
    scope: c_uint,
    times: [c_ulonglong; 2],
    kind: c_uint,
    code: Code,
    value: c_ulonglong,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Metric {
    id: c_uint,
    code: Code,
    value: f64,
    names: [*const c_char; 3],
}

#[repr(C)]
struct Metrics {
    version: c_uint,
    count: c_uint,
    samples: [*mut c_void; 2],
    metrics: [Metric; 210],
}

pub struct Bare {
    device: Device,
    set: *mut c_void,
    small: Vec<Small>,
    large: Vec<Large>,
    chosen: Vec<(Chosen, c_uint)>,
    fields: Fields,
    wait: Wait,
    gpm: Option<Gpm>,
}

struct Gpm {
    alloc: Alloc,
    free: Free,
    get: Get,
    pair: Pair,
    last: *mut c_void,
}

impl Bare {
    pub fn new(stub: &Stub, with_gpm: bool) -> Self {
        type ByIndex = unsafe extern "C" fn(c_uint, *mut Device) -> Code;
        let (mut device, mut set) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: each symbol has the signature that NVML's header gives it.
        unsafe {
            call::<ByIndex>(stub, c"nvmlDeviceGetHandleByIndex_v2")(0, &mut device);
            call::<Alloc>(stub, c"nvmlEventSetCreate")(&mut set);
            let gpm = with_gpm.then(|| Gpm {
                alloc: call(stub, c"nvmlGpmSampleAlloc"),
                free: call(stub, c"nvmlGpmSampleFree"),
                get: call(stub, c"nvmlGpmSampleGet"),
                pair: call(stub, c"nvmlGpmMetricsGet"),
                last: ptr::null_mut(),
            });
            let clock: Chosen = call(stub, c"nvmlDeviceGetClockInfo");
            let violation: Chosen = call(stub, c"nvmlDeviceGetViolationStatus");
            let temperature: Chosen = call(stub, c"nvmlDeviceGetTemperature");
            let mut chosen = vec![(temperature, 0), (clock, 1), (clock, 2)];
            chosen.extend((0..6).map(|policy| (violation, policy)));
            Self {
                device,
                set,
                small: [
                    c"nvmlDeviceGetUtilizationRates",
                    c"nvmlDeviceGetPowerUsage",
                    c"nvmlDeviceGetEnforcedPowerLimit",
                ]
                .map(|name| call(stub, name))
                .to_vec(),
                large: [
                    c"nvmlDeviceGetMemoryInfo_v2",
                    c"nvmlDeviceGetTotalEnergyConsumption",
                    c"nvmlDeviceGetCurrentClocksThrottleReasons",
                ]
                .map(|name| call(stub, name))
                .to_vec(),
                chosen,
                fields: call(stub, c"nvmlDeviceGetFieldValues"),
                wait: call(stub, c"nvmlEventSetWait_v2"),
                gpm,
            }
        }
    }

    pub fn tick(&mut self) {
        const MEMORY_VERSION: c_ulonglong = 40 | 2 << 24;
        // SAFETY: what is passed is as large as the largest of what these calls write.
        unsafe {
            let mut event = [0; 4];
            (self.wait)(self.set, &mut event, 0);
            for small in &self.small {
                let mut numbers = [0; 2];
                small(self.device, numbers.as_mut_ptr());
                black_box(numbers);
            }
            for large in &self.large {
                let mut numbers = [MEMORY_VERSION, 0, 0, 0, 0];
                large(self.device, numbers.as_mut_ptr());
                black_box(numbers);
            }
            for (chosen, which) in &self.chosen {
                let mut numbers = [0; 2];
                chosen(self.device, *which, numbers.as_mut_ptr());
                black_box(numbers);
            }
            let empty = Field { id: 0, scope: 0, times: [0; 2], kind: 0, code: 0, value: 0 };
            let mut fields = [82, 197, 198].map(|id| Field { id, ..empty });
            (self.fields)(self.device, 3, fields.as_mut_ptr());
            black_box(fields);
            if let Some(gpm) = &mut self.gpm {
                gpm.tick(self.device);
            }
        }
    }
}

impl Gpm {
    unsafe fn tick(&mut self, device: Device) {
        // SAFETY: samples are the library's own, and the request is as its header has it.
        unsafe {
            let mut sample = ptr::null_mut();
            (self.alloc)(&mut sample);
            (self.get)(device, sample);
            if !self.last.is_null() {
                let mut request: Metrics = mem::zeroed();
                (request.version, request.samples) = (1, [self.last, sample]);
                for (metric, id) in request.metrics.iter_mut().zip([1, 2, 3, 5, 10, 11, 12, 13]) {
                    metric.id = id;
                    request.count += 1;
                }
                (self.pair)(&mut request);
                black_box(&request);
                (self.free)(self.last);
            }
            self.last = sample;
        }
    }
}

/// # Safety
///
/// The symbol must have this type.
unsafe fn call<F: Copy>(stub: &Stub, name: &CStr) -> F {
    let symbol = stub.symbol(name);
    // SAFETY: a function's pointer is as large as any other's; the rest is the caller's promise.
    unsafe { mem::transmute_copy(&symbol) }
}
