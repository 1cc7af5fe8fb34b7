//! NVML's field values: many numbers by one call.
//!
//! The driver 580.82 gave the ids from 251 on other meanings; nvml-wrapper knows which driver it
//! talks to and asks for what these names meant before. NVLink's byte counters (fields 138 and 139)
//! are not here: they need the link in `scopeId`, which the wrapper leaves at 0, so they would be
//! the first link's alone.

use nvml_wrapper::Device;
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id::{
    NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN as HW_POWER_BRAKE,
    NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN as HW_THERMAL,
    NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN as SW_THERMAL,
    NVML_FI_DEV_MEMORY_TEMP as MEMORY_TEMP, NVML_FI_DEV_PCIE_COUNT_RX_BYTES as PCIE_RX,
    NVML_FI_DEV_PCIE_COUNT_TX_BYTES as PCIE_TX, NVML_FI_DEV_REMAPPED_COR as REMAPPED_COR,
    NVML_FI_DEV_REMAPPED_UNC as REMAPPED_UNC,
};

use super::metric::{Metric, NANO, ONE, Seen, Shape, gauge, real, whole};
use super::source::Readings;
use super::verdict::{Fault, Verdict, absent, fault};

struct Field {
    /// Its name in `gpu_collect_errors_total`.
    name: &'static str,
    id: u32,
    is_slow: bool,
    metric: Metric,
}

const fn field(name: &'static str, id: u32, metric: Metric) -> Field {
    Field { name, id, is_slow: false, metric }
}

const fn slow(name: &'static str, id: u32, metric: Metric) -> Field {
    Field { name, id, is_slow: true, metric }
}

const fn held(reason: &'static [(&'static str, &'static str)]) -> Metric {
    real("gpu_throttle_seconds_total", NANO).of(reason)
}

static FIELDS: &[Field] = &[
    field("field_memory_temp", MEMORY_TEMP, gauge("gpu_memory_temperature_celsius", ONE)),
    field("field_pcie_rx_bytes", PCIE_RX, whole("gpu_pcie_receive_bytes_total")),
    field("field_pcie_tx_bytes", PCIE_TX, whole("gpu_pcie_transmit_bytes_total")),
    field("field_sw_thermal", SW_THERMAL, held(&[("reason", "sw_thermal_slowdown")])),
    field("field_hw_thermal", HW_THERMAL, held(&[("reason", "hw_thermal_slowdown")])),
    field("field_hw_power_brake", HW_POWER_BRAKE, held(&[("reason", "hw_power_brake_slowdown")])),
    slow(
        "field_remapped_corrected",
        REMAPPED_COR,
        gauge("gpu_remapped_rows", ONE).of(&[("type", "corrected")]),
    ),
    slow(
        "field_remapped_uncorrected",
        REMAPPED_UNC,
        gauge("gpu_remapped_rows", ONE).of(&[("type", "uncorrected")]),
    ),
];

/// The metrics of all fields.
pub(super) fn metrics() -> impl Iterator<Item = &'static Metric> {
    FIELDS.iter().map(|field| &field.metric)
}

/// The fields that one GPU has.
pub(super) struct Fields {
    fast: Batch,
    slow: Batch,
}

struct Batch {
    call: Verdict,
    /// What is asked for, and where in `FIELDS` it stands.
    ids: Vec<FieldId>,
    places: Vec<usize>,
    counts: Vec<Count>,
}

impl Fields {
    pub(super) fn new() -> Self {
        Self { fast: Batch::of(false), slow: Batch::of(true) }
    }

    /// Reads them; `first` is the place of the first field's metric.
    pub(super) fn read(
        &mut self,
        device: &Device<'static>,
        is_slow: bool,
        first: usize,
        into: &mut Readings,
    ) {
        let batch = if is_slow { &mut self.slow } else { &mut self.fast };
        batch.read(device, first, into);
    }

    /// Whether the GPU was seen to count bytes over PCIe.
    pub(super) fn count_pcie(&self) -> bool {
        let mut fields = self.fast.ids.iter().zip(&self.fast.counts);
        fields.any(|(id, count)| id.0 == PCIE_RX && count.was_seen)
    }
}

impl Batch {
    fn of(is_slow: bool) -> Self {
        let mine = || FIELDS.iter().enumerate().filter(move |(_, field)| field.is_slow == is_slow);
        Self {
            call: Verdict::default(),
            ids: mine().map(|(_, field)| FieldId(field.id)).collect(),
            places: mine().map(|(place, _)| place).collect(),
            counts: mine().map(|_| Count::default()).collect(),
        }
    }

    fn read(&mut self, device: &Device<'static>, first: usize, into: &mut Readings) {
        if !self.call.is_open() || self.ids.is_empty() {
            return;
        }
        let result = device.field_values_for(&self.ids);
        let Some(values) = self.call.judge("field_values", result, into) else {
            return self.places.iter().for_each(|place| absent(into, first + place, 1));
        };
        let mut never = false;
        for ((place, count), value) in self.places.iter().zip(&mut self.counts).zip(values) {
            let Some(field) = FIELDS.get(*place) else { continue };
            let seen = match value.and_then(|sample| sample.value) {
                Ok(value) => count.see(&value, field.metric.shape),
                Err(error) => {
                    match fault(&error) {
                        Fault::Never => {
                            count.never = true;
                            never = true;
                        }
                        Fault::Lost => into.lost = true,
                        Fault::Passing => into.fault(field.name, error),
                    }
                    Seen::Absent
                }
            };
            into.set(first + place, seen);
        }
        if never {
            self.drop_unsupported();
        }
    }

    fn drop_unsupported(&mut self) {
        let keep: Vec<bool> = self.counts.iter().map(|count| !count.never).collect();
        fn keeping<T>(list: &mut Vec<T>, keep: &[bool]) {
            let mut keep = keep.iter();
            list.retain(|_| keep.next().copied().unwrap_or(true));
        }
        keeping(&mut self.ids, &keep);
        keeping(&mut self.places, &keep);
        keeping(&mut self.counts, &keep);
    }
}

/// A number that may be a counter of 32 bits, which begins again every 4 GiB.
#[derive(Debug, Default)]
struct Count {
    never: bool,
    was_seen: bool,
    last: u32,
    /// What was counted before it began again last.
    before: u64,
}

impl Count {
    fn see(&mut self, value: &SampleValue, shape: Shape) -> Seen {
        self.was_seen = true;
        match *value {
            SampleValue::U32(narrow) if shape != Shape::Gauge => {
                if narrow < self.last {
                    self.before = self.before.saturating_add(1 << 32);
                }
                self.last = narrow;
                Seen::Whole(self.before.saturating_add(narrow.into()))
            }
            SampleValue::U32(value) => Seen::Whole(value.into()),
            SampleValue::U64(value) => Seen::Whole(value),
            SampleValue::I64(value) => u64::try_from(value).ok().into(),
            SampleValue::F64(value) if value.is_finite() => Seen::Real(value),
            SampleValue::F64(_) => Seen::Absent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_counter_goes_on_where_it_wraps() {
        let mut count = Count::default();
        let mut see = |value| count.see(&SampleValue::U32(value), Shape::Whole);
        assert_eq!(see(4_294_967_290), Seen::Whole(4_294_967_290));
        assert_eq!(see(4), Seen::Whole(4_294_967_300));
        assert_eq!(see(9), Seen::Whole(4_294_967_305));
        assert_eq!(see(3), Seen::Whole(8_589_934_595));
    }

    proptest::proptest! {
        /// As wide a counter would have it, if none of its steps is a whole turn.
        #[test]
        fn narrow_counters_count_as_wide_ones(
            start: u32,
            steps in proptest::collection::vec(0..u32::MAX, 0..50),
        ) {
            let mut count = Count::default();
            let mut wide = u64::from(start);
            count.see(&SampleValue::U32(start), Shape::Whole);
            for step in steps {
                wide += u64::from(step);
                let seen = count.see(&SampleValue::U32(wide as u32), Shape::Whole);
                proptest::prop_assert_eq!(seen, Seen::Whole(wide));
            }
        }
    }

    #[test]
    fn a_gauge_may_fall_and_nonsense_is_absent() {
        let mut count = Count::default();
        let mut see = |value: SampleValue| count.see(&value, Shape::Gauge);
        assert_eq!(see(SampleValue::U32(60)), Seen::Whole(60));
        assert_eq!(see(SampleValue::U32(40)), Seen::Whole(40));
        assert_eq!(see(SampleValue::I64(-1)), Seen::Absent);
        assert_eq!(see(SampleValue::F64(f64::NAN)), Seen::Absent);
    }
}
