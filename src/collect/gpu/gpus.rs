//! Which GPUs are read.

/// Which GPUs to read: all, some, or those this process may use.
///
/// ```
/// use nissa::collect::{Gpus, Gpu};
///
/// let first_and_that = Gpus::listed(["0", "GPU-8932f937"]);
/// let gpu = Gpu::default().devices(first_and_that);
/// # drop(gpu);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gpus(Option<Vec<String>>);

impl Gpus {
    /// Every GPU that the driver shows.
    pub fn all() -> Self {
        Self(None)
    }

    /// Those of these numbers (as the driver counts, by PCI bus), PCI bus ids, card names (`card0`,
    /// of AMD) or the beginnings of their UUIDs.
    pub fn listed(devices: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(Some(devices.into_iter().map(Into::into).collect()))
    }

    /// Those that `CUDA_VISIBLE_DEVICES` names in the environment now; all if it is not set.
    ///
    /// Numbers are taken as the driver counts, which is CUDA's order with
    /// `CUDA_DEVICE_ORDER=PCI_BUS_ID`; unlike GPUs CUDA sorts otherwise by default. As in CUDA
    /// nothing counts from the first entry on that makes no sense, `-1` for one.
    pub fn cuda_visible() -> Self {
        std::env::var("CUDA_VISIBLE_DEVICES").map_or(Self::all(), |list| Self::parse(&list))
    }

    fn parse(list: &str) -> Self {
        let entries = list.split(',').map(str::trim);
        let sensible = entries.take_while(|entry| is_number(entry) || is_uuid(entry));
        let mut devices = Vec::new();
        for entry in sensible {
            match entry.strip_prefix("MIG-") {
                // A part of a GPU. Which GPU, only old ids tell; with others any may be meant.
                Some(part) if part.starts_with("GPU-") => {
                    devices.push(part.split('/').next().unwrap_or(part).to_owned());
                }
                Some(_) => return Self::all(),
                None => devices.push(entry.to_owned()),
            }
        }
        Self(Some(devices))
    }

    /// Whether a GPU with these names is meant.
    pub(super) fn include(&self, gpu: &str, uuid: &str, pci_bus_id: &str) -> bool {
        let Some(listed) = &self.0 else { return true };
        listed.iter().any(|entry| {
            entry == gpu
                || (is_uuid(entry) && uuid.starts_with(&**entry))
                || (!pci_bus_id.is_empty() && entry.eq_ignore_ascii_case(pci_bus_id))
        })
    }

    /// Whether a GPU of this number is meant, if nothing else is known of it.
    pub(super) fn include_number(&self, gpu: &str) -> bool {
        self.include(gpu, "", "")
    }
}

fn is_number(entry: &str) -> bool {
    !entry.is_empty() && entry.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_uuid(entry: &str) -> bool {
    entry.strip_prefix("GPU-").or(entry.strip_prefix("MIG-")).is_some_and(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visible(list: &str) -> Vec<u32> {
        let devices = Gpus::parse(list);
        let is_visible = |number: &u32| {
            devices.include(&number.to_string(), &format!("GPU-{number}aaa-bbb"), "")
        };
        (0..4).filter(is_visible).collect()
    }

    #[test]
    fn numbers_and_uuids_are_taken_until_nonsense() {
        assert_eq!(visible("0,2"), [0, 2]);
        assert_eq!(visible(" 3 , 1 "), [1, 3]);
        assert_eq!(visible("0,-1,2"), [0]);
        assert!(visible("-1").is_empty());
        assert!(visible("").is_empty());
        assert!(visible("NoDevFiles").is_empty());
        assert_eq!(visible("GPU-2aaa,0"), [0, 2]);
        assert!(visible("GPU-").is_empty());
        assert_eq!(visible("MIG-GPU-1aaa-bbb/7/0"), [1]);
        assert_eq!(visible("MIG-c6d4f1ef"), [0, 1, 2, 3]);
    }

    #[test]
    fn a_number_is_not_the_beginning_of_another() {
        let devices = Gpus::listed(["1"]);
        assert!(devices.include("1", "GPU-f", ""));
        assert!(!devices.include("10", "GPU-1", ""));
    }

    #[test]
    fn a_bus_id_names_a_gpu_in_any_case() {
        let devices = Gpus::listed(["00000000:1b:00.0"]);
        assert!(devices.include("0", "GPU-f", "00000000:1B:00.0"));
        assert!(!devices.include("1", "GPU-f", ""));
    }

    proptest::proptest! {
        #[test]
        fn any_list_is_read(list in ".*") {
            let _ = Gpus::parse(&list).include("0", "GPU-0", "");
        }
    }
}
