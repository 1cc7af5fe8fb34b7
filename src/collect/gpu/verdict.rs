//! What an NVML error means for the call that met it.

use nvml_wrapper::error::NvmlError;

use super::metric::Seen;
use super::source::Readings;

/// What to make of an error. Everything but the first may be otherwise next time: a call that is
/// given up after any error stays given up when the driver has long recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The GPU or the library has no such thing, and will not come to have it.
    Never,
    /// The GPU has gone.
    Lost,
    Passing,
}

pub(super) fn fault(error: &NvmlError) -> Fault {
    match error {
        NvmlError::NotSupported
        | NvmlError::FailedToLoadSymbol(_)
        | NvmlError::FunctionNotFound => Fault::Never,
        NvmlError::GpuLost | NvmlError::Uninitialized => Fault::Lost,
        _ => Fault::Passing,
    }
}

/// Whether a call is worth making. Kept because each miss allocates its error's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    never: bool,
}

impl Verdict {
    /// Whether the call can succeed at all.
    pub(super) fn is_open(self) -> bool {
        !self.never
    }

    /// Gives the call up for good.
    pub(super) fn close(&mut self) {
        self.never = true;
    }

    /// The value, or `None` with what that means written down.
    pub(super) fn judge<T>(
        &mut self,
        call: &'static str,
        result: Result<T, NvmlError>,
        into: &mut Readings,
    ) -> Option<T> {
        let error = match result {
            Ok(value) => {
                into.answered = true;
                return Some(value);
            }
            Err(error) => error,
        };
        match fault(&error) {
            Fault::Never => self.never = true,
            Fault::Lost => {
                into.lost = true;
                into.fault(call, error);
            }
            Fault::Passing => into.fault(call, error),
        }
        None
    }
}

/// Says of a row of metrics that there is nothing to show.
pub(super) fn absent(into: &mut Readings, first: usize, count: usize) {
    (first..first + count).for_each(|index| into.set(index, Seen::Absent));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_come_to_be_is_given_up() {
        let missing = || NvmlError::FailedToLoadSymbol("nvmlDeviceGetX".into());
        for error in [NvmlError::NotSupported, missing(), NvmlError::FunctionNotFound] {
            assert_eq!(fault(&error), Fault::Never, "{error}");
        }
        for error in [
            NvmlError::Unknown,
            NvmlError::NoPermission,
            NvmlError::ResetRequired,
            NvmlError::InsufficientMemory,
            NvmlError::UnexpectedVariant(77),
        ] {
            assert_eq!(fault(&error), Fault::Passing, "{error}");
        }
        assert_eq!(fault(&NvmlError::GpuLost), Fault::Lost);
    }

    #[test]
    fn a_verdict_is_kept() {
        let mut readings = Readings::default();
        let mut verdict = Verdict::default();
        let failed: Result<u32, _> = Err(NvmlError::Unknown);
        assert_eq!(verdict.judge("power_usage", failed, &mut readings), None);
        assert!(verdict.is_open());
        assert_eq!(readings.faults[0].0, "power_usage");
        let unsupported: Result<u32, _> = Err(NvmlError::NotSupported);
        assert_eq!(verdict.judge("power_usage", unsupported, &mut readings), None);
        assert!(!verdict.is_open());
        assert_eq!(readings.faults.len(), 1, "what is not there has not failed");
    }
}
