//! The parts of a GPU that is divided (MIG), for who asks for them.

use nvml_wrapper::Device;
use nvml_wrapper::error::NvmlError;

use super::source::{Part, Readings};
use super::verdict::Verdict;

/// No GPU has more today; NVML says how many there can be.
const MOST: u32 = 16;

#[derive(Default)]
pub(super) struct Mig {
    mode: Verdict,
    count: Verdict,
    part: Verdict,
    memory: Verdict,
}

impl Mig {
    /// Lists the parts there are now, each with its memory.
    pub(super) fn read(&mut self, device: &Device<'static>, into: &mut Readings) {
        into.parts = Some(Vec::new());
        if !self.mode.is_open() || !self.count.is_open() || !self.part.is_open() {
            return;
        }
        let Some(mode) = self.mode.judge("mig_mode", device.mig_mode(), into) else { return };
        if mode.current == 0 {
            return;
        }
        let count = self.count.judge("mig_device_count", device.mig_device_count(), into);
        let parts = (0..count.unwrap_or(0).min(MOST))
            .filter_map(|index| self.read_part(device, index, into))
            .collect();
        into.parts = Some(parts);
    }

    fn read_part(
        &mut self,
        device: &Device<'static>,
        index: u32,
        into: &mut Readings,
    ) -> Option<Part> {
        let part = match device.mig_device_by_index(index) {
            // This place is not taken.
            Err(NvmlError::NotFound | NvmlError::InvalidArg) => return None,
            part => self.part.judge("mig_device_by_index", part, into)?,
        };
        let uuid = self.part.judge("mig_uuid", part.uuid(), into)?;
        let name = part.name().unwrap_or_default();
        let memory = match self.memory.is_open() {
            true => self.memory.judge("mig_memory_info", part.memory_info(), into),
            false => None,
        };
        Some(Part {
            index,
            uuid,
            name,
            used: memory.as_ref().map(|memory| memory.used),
            free: memory.as_ref().map(|memory| memory.free),
            total: memory.as_ref().map(|memory| memory.total),
        })
    }
}

/// The instances that a MIG device's id tells: `MIG-GPU-<uuid>/<gi>/<ci>` does so, newer ids do
/// not, and nvml-wrapper does not ask for them.
pub(super) fn instances(uuid: &str) -> Option<(&str, &str)> {
    let mut parts = uuid.strip_prefix("MIG-")?.split('/').skip(1);
    let (gi, ci) = (parts.next()?, parts.next()?);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(gi) && is_number(ci) && parts.next().is_none()).then_some((gi, ci))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_ids_tell_their_instances() {
        assert_eq!(instances("MIG-GPU-8932f937-d72c/7/0"), Some(("7", "0")));
        assert_eq!(instances("MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f"), None);
        assert_eq!(instances("MIG-GPU-8932f937/7"), None);
        assert_eq!(instances("MIG-GPU-8932f937/a/b"), None);
        assert_eq!(instances("GPU-8932f937/7/0"), None);
    }
}
