//! The one place that logs: through the `log` crate with feature `log`, else nowhere.

#[cfg(feature = "log")]
macro_rules! warn_ {
    ($($message:tt)*) => { ::log::warn!(target: "nissa", $($message)*) };
}

#[cfg(not(feature = "log"))]
macro_rules! warn_ {
    // Type-checks the arguments all the same, so that no feature hides a mistake.
    ($($message:tt)*) => {{ let _ = ::core::format_args!($($message)*); }};
}

pub(crate) use warn_ as warn;
