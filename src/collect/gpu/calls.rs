//! The NVML calls that tell plain numbers, and which metrics those are.

use nvml_wrapper::Device;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{
    Clock, EccCounter, MemoryError, PerformancePolicy, PerformanceState, TemperatureSensor,
};
use nvml_wrapper::error::NvmlError;

use super::metric::{MEGA, MILLI, Metric, NANO, ONE, PERCENT, gauge, real, whole};

/// One call and what it tells.
pub(super) struct Call {
    /// Its name in `gpu_collect_errors_total`.
    pub(super) name: &'static str,
    /// Rarely changing or slow to read, so read less often.
    pub(super) is_slow: bool,
    pub(super) metrics: &'static [Metric],
    pub(super) read: fn(&Device<'static>) -> Result<Raw, NvmlError>,
}

/// The numbers of one call in NVML's units, in the order of its metrics.
pub(super) type Raw = [Option<u64>; MOST];
const MOST: usize = 9;

fn one(value: impl Into<u64>) -> Raw {
    few([value.into()])
}

fn few<const N: usize>(values: [u64; N]) -> Raw {
    let mut raw = [None; MOST];
    for (slot, value) in raw.iter_mut().zip(values) {
        *slot = Some(value);
    }
    raw
}

const fn fast(
    name: &'static str,
    metrics: &'static [Metric],
    read: fn(&Device<'static>) -> Result<Raw, NvmlError>,
) -> Call {
    Call { name, is_slow: false, metrics, read }
}

const fn slow(
    name: &'static str,
    metrics: &'static [Metric],
    read: fn(&Device<'static>) -> Result<Raw, NvmlError>,
) -> Call {
    Call { name, is_slow: true, metrics, read }
}

const fn active(reason: &'static [(&'static str, &'static str)]) -> Metric {
    gauge("gpu_throttle_active", ONE).of(reason)
}

const fn held(reason: &'static [(&'static str, &'static str)]) -> Metric {
    real("gpu_throttle_seconds_total", NANO).of(reason)
}

const fn ecc(labels: &'static [(&'static str, &'static str)]) -> Metric {
    whole("gpu_ecc_errors_total").of(labels)
}

const fn fan(number: &'static [(&'static str, &'static str)]) -> Metric {
    gauge("gpu_fan_ratio", PERCENT).of(number)
}

/// All of them, in the order they are made. Not here is `pcie_throughput`, which counts for 20 ms
/// inside the call, for who asks for it alone.
pub(super) static CALLS: &[Call] = &[
    fast(
        "utilization_rates",
        &[
            gauge("gpu_utilization_ratio", PERCENT),
            gauge("gpu_memory_copy_utilization_ratio", PERCENT),
        ],
        |device| {
            device.utilization_rates().map(|rates| few([rates.gpu, rates.memory].map(u64::from)))
        },
    ),
    fast(
        "memory_info",
        &[
            gauge("gpu_memory_used_bytes", ONE),
            gauge("gpu_memory_reserved_bytes", ONE),
            gauge("gpu_memory_free_bytes", ONE),
            gauge("gpu_memory_total_bytes", ONE),
        ],
        |device| {
            let memory = device.memory_info()?;
            Ok(few([memory.used, memory.reserved, memory.free, memory.total]))
        },
    ),
    fast("power_usage", &[gauge("gpu_power_watts", MILLI)], |device| device.power_usage().map(one)),
    fast("enforced_power_limit", &[gauge("gpu_power_limit_watts", MILLI)], |device| {
        device.enforced_power_limit().map(one)
    }),
    fast("total_energy_consumption", &[real("gpu_energy_joules_total", MILLI)], |device| {
        device.total_energy_consumption().map(one)
    }),
    fast("temperature", &[gauge("gpu_temperature_celsius", ONE)], |device| {
        device.temperature(TemperatureSensor::Gpu).map(one)
    }),
    fast("sm_clock", &[gauge("gpu_clock_sm_hertz", MEGA)], |device| {
        device.clock_info(Clock::SM).map(one)
    }),
    fast("memory_clock", &[gauge("gpu_clock_memory_hertz", MEGA)], |device| {
        device.clock_info(Clock::Memory).map(one)
    }),
    fast(
        "current_throttle_reasons",
        &[
            active(&[("reason", "gpu_idle")]),
            active(&[("reason", "applications_clocks_setting")]),
            active(&[("reason", "sw_power_cap")]),
            active(&[("reason", "hw_slowdown")]),
            active(&[("reason", "sync_boost")]),
            active(&[("reason", "sw_thermal_slowdown")]),
            active(&[("reason", "hw_thermal_slowdown")]),
            active(&[("reason", "hw_power_brake_slowdown")]),
            active(&[("reason", "display_clock_setting")]),
        ],
        |device| {
            const REASONS: [ThrottleReasons; MOST] = [
                ThrottleReasons::GPU_IDLE,
                ThrottleReasons::APPLICATIONS_CLOCKS_SETTING,
                ThrottleReasons::SW_POWER_CAP,
                ThrottleReasons::HW_SLOWDOWN,
                ThrottleReasons::SYNC_BOOST,
                ThrottleReasons::SW_THERMAL_SLOWDOWN,
                ThrottleReasons::HW_THERMAL_SLOWDOWN,
                ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN,
                ThrottleReasons::DISPLAY_CLOCK_SETTING,
            ];
            let active = device.current_throttle_reasons()?;
            Ok(few(REASONS.map(|reason| active.contains(reason).into())))
        },
    ),
    // Further reasons are fields, see `fields.rs`.
    fast("violation_power", &[held(&[("reason", "sw_power_cap")])], |device| {
        violation(device, PerformancePolicy::Power)
    }),
    fast("violation_thermal", &[held(&[("reason", "thermal")])], |device| {
        violation(device, PerformancePolicy::Thermal)
    }),
    fast("violation_sync_boost", &[held(&[("reason", "sync_boost")])], |device| {
        violation(device, PerformancePolicy::SyncBoost)
    }),
    fast("violation_board_limit", &[held(&[("reason", "board_limit")])], |device| {
        violation(device, PerformancePolicy::BoardLimit)
    }),
    fast("violation_low_utilization", &[held(&[("reason", "low_utilization")])], |device| {
        violation(device, PerformancePolicy::LowUtilization)
    }),
    fast("violation_reliability", &[held(&[("reason", "reliability")])], |device| {
        violation(device, PerformancePolicy::Reliability)
    }),
    slow("ecc_corrected", &[ecc(&[("memory_scope", "all"), ("type", "corrected")])], |device| {
        device.total_ecc_errors(MemoryError::Corrected, EccCounter::Volatile).map(one)
    }),
    slow(
        "ecc_uncorrected",
        &[ecc(&[("memory_scope", "all"), ("type", "uncorrected")])],
        |device| device.total_ecc_errors(MemoryError::Uncorrected, EccCounter::Volatile).map(one),
    ),
    slow("pcie_replay_counter", &[whole("gpu_pcie_replay_total")], |device| {
        device.pcie_replay_counter().map(one)
    }),
    slow("current_pcie_link_gen", &[gauge("gpu_pcie_link_generation", ONE)], |device| {
        device.current_pcie_link_gen().map(one)
    }),
    slow("current_pcie_link_width", &[gauge("gpu_pcie_link_width", ONE)], |device| {
        device.current_pcie_link_width().map(one)
    }),
    slow(
        "fan_speed",
        &[fan(&[("fan", "0")]), fan(&[("fan", "1")]), fan(&[("fan", "2")]), fan(&[("fan", "3")])],
        |device| {
            let mut raw = [None; MOST];
            let fans = device.num_fans()?;
            for (slot, fan) in raw.iter_mut().zip(0..fans.min(4)) {
                *slot = Some(device.fan_speed(fan)?.into());
            }
            Ok(raw)
        },
    ),
    slow("encoder_utilization", &[gauge("gpu_encoder_utilization_ratio", PERCENT)], |device| {
        device.encoder_utilization().map(|engine| one(engine.utilization))
    }),
    slow("decoder_utilization", &[gauge("gpu_decoder_utilization_ratio", PERCENT)], |device| {
        device.decoder_utilization().map(|engine| one(engine.utilization))
    }),
    slow("performance_state", &[gauge("gpu_performance_state", ONE)], |device| {
        device.performance_state().map(|state| match state {
            PerformanceState::Unknown => [None; MOST],
            state => one(state.as_c()),
        })
    }),
];

fn violation(device: &Device<'static>, policy: PerformancePolicy) -> Result<Raw, NvmlError> {
    device.violation_status(policy).map(|status| one(status.violation_time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_a_call_has_a_number() {
        for call in CALLS {
            assert!((1..=MOST).contains(&call.metrics.len()), "{}", call.name);
        }
    }

    #[test]
    fn numbers_keep_their_order_and_the_rest_is_absent() {
        let raw = few([7, 8]);
        assert_eq!(raw[..3], [Some(7), Some(8), None]);
    }
}
