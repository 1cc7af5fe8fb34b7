//! Collectors: figures that something else keeps, read at intervals by a quiet thread.
//!
//! A [`Collector`] reads one thing: the machine, this process, its container, a GPU, or whatever a
//! program brings. Collectors know nothing of time; a [`Runner`] calls those that are due, times
//! them, counts what failed and puts up with what panics. What could not be read is **absent** from
//! the output: neither 0 nor the last value. That is what [`Observed`](crate::Observed) is for.

mod collector;
mod collectors;
mod failures;
mod runner;
mod stage;

#[cfg(feature = "host")]
mod container;
#[cfg(feature = "host")]
mod devices;
#[cfg(all(test, feature = "host"))]
mod documented;
#[cfg(feature = "host")]
mod facts;
#[cfg(any(feature = "host", feature = "tokio-runtime"))]
mod figure;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(feature = "host")]
mod hanging;
#[cfg(feature = "host")]
mod host;
#[cfg(all(feature = "host", target_os = "linux"))]
mod linux;
#[cfg(feature = "host")]
mod portable;
#[cfg(all(test, feature = "host"))]
mod probe;
#[cfg(feature = "host")]
mod process;

#[cfg(feature = "tokio-runtime")]
mod tokio_runtime;

pub use collector::Collector;
pub use collectors::Collectors;
pub use failures::{CollectionError, Failures};
#[cfg(feature = "gpu")]
pub use gpu::{Gpu, Gpus};
#[cfg(feature = "host")]
pub use host::Host;
pub use runner::Runner;
#[cfg(feature = "tokio-runtime")]
pub use tokio_runtime::TokioRuntime;
