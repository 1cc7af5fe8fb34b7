//! Collectors: figures that something else keeps, read at intervals by a quiet thread.
//!
//! A [`Collector`] reads one thing: the machine, this process, its container, a GPU, or whatever a
//! program brings. Collectors know nothing of time; a [`Runner`] calls those that are due, times
//! them, counts what failed and puts up with what panics. What could not be read is **absent** from
//! the output: neither 0 nor the last value. That is what [`Observed`](crate::Observed) is for.

mod collector;
mod failures;
#[cfg(feature = "gpu")]
mod gpu;
mod runner;

pub use collector::Collector;
pub use failures::{CollectionError, Failures};
#[cfg(feature = "gpu")]
pub use gpu::{Devices, Gpu};
pub use runner::Runner;
