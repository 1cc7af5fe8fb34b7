//! Metrics for training loops and services that cost less than one atomic instruction.
//!
//! ```
//! use nissa::{counter, describe_histogram, gauge, histogram};
//!
//! describe_histogram!("step_duration_seconds", "Time of one training step.");
//! counter!("batches_total", "split" => "train").increment(1);
//! gauge!("training_loss").set(0.234);
//! histogram!("step_duration_seconds").record(0.012);
//!
//! let text = nissa::expose::text(&nissa::Registry::global().snapshot());
//! assert!(text.contains("batches_total{split=\"train\"} 1\n"));
//! assert!(text.contains("training_loss 0.234\n"));
//! ```
//!
//! The two nouns: a [`Registry`] holds metrics, a [`Snapshot`] is what it held
//! at one moment. The rest:
//!
//! - [`counter!`], [`gauge!`] and [`histogram!`] give handles: [`Counter`], [`Gauge`],
//!   [`Histogram`]. A handle may be kept, cloned and sent; [`FloatCounter`] counts seconds.
//! - [`Buckets`] cut a histogram: explicit, exponential, or shown as quantiles.
//! - [`Registry::builder`] sets limits, filters, global labels, buckets and idle expiry.
//! - [`install`] makes the registry the recorder of the `metrics` facade; [`Recorder`] is for its
//!   layers.
//! - [`Registry::enter`] gives a test its own registry, in spite of what call sites remember.
//! - [`expose`] writes a snapshot as text, OpenMetrics, protobuf or JSON.
//!
//! Features add what works beside the program, in stages that `nissa::builder()` starts and a
//! guard stops:
//!
//! - `server`, `tls`, `tower`: the endpoint, and metrics of requests; `dashboard`: the live page.
//! - `host`, `gpu`, `tokio-runtime`: collectors of what the machine, the process, its container,
//!   its GPUs and its runtime do.
//! - `detect`: `nissa::watch`, which judges a value in the step that brings it; alert rules over
//!   every series; `alertmanager` and `webhook` send alerts out.
//! - `history`: the recent past of every series.
//! - `config`: the builder's settings from a file and the environment.
//!
//! Nothing starts a thread or opens a port that was not asked to, and nothing panics. What is
//! refused or dropped is counted in a `nissa_*` metric and, with feature `log`, logged once.

#![cfg_attr(docsrs, feature(doc_cfg), doc(auto_cfg(hide(nissa_loom))))]
#![warn(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(nissa_loom, allow(dead_code, unused_imports, reason = "only the cells are modelled"))]

mod buckets;
mod cells;
mod error;
mod sync;

// Loom rewinds time; what keeps its state in statics cannot take part.
#[cfg(not(nissa_loom))]
mod clock;
#[cfg(not(nissa_loom))]
mod entry;
#[cfg(not(nissa_loom))]
mod escape;
#[cfg(not(nissa_loom))]
pub mod expose;
#[cfg(not(nissa_loom))]
mod instrument;
#[cfg(not(nissa_loom))]
#[allow(dead_code, reason = "of stages, which features bring")]
mod json;
#[cfg(not(nissa_loom))]
mod key;
#[cfg(not(nissa_loom))]
mod logging;
#[cfg(not(nissa_loom))]
mod macros;
#[cfg(all(any(test, feature = "test-util"), not(nissa_loom)))]
mod manual_clock;
#[cfg(not(nissa_loom))]
mod notice;
#[cfg(not(nissa_loom))]
mod recorder;
#[cfg(not(nissa_loom))]
mod registry;
#[cfg(not(nissa_loom))]
mod site;
#[cfg(not(nissa_loom))]
pub mod snapshot;

#[cfg(all(feature = "detect", not(nissa_loom)))]
pub mod alert;
#[cfg(all(feature = "detect", not(nissa_loom)))]
mod anomaly;
#[cfg(all(any(feature = "alertmanager", feature = "webhook"), not(nissa_loom)))]
mod client;
#[cfg(all(feature = "monitor", not(nissa_loom)))]
pub mod collect;
#[cfg(all(feature = "config", not(nissa_loom)))]
mod config;
#[cfg(all(feature = "dashboard", not(nissa_loom)))]
mod dashboard;
#[cfg(all(feature = "detect", not(nissa_loom)))]
pub mod detect;
#[cfg(all(feature = "monitor", not(nissa_loom)))]
pub mod health;
#[cfg(all(feature = "history", not(nissa_loom)))]
pub mod history;
#[cfg(all(feature = "monitor", not(nissa_loom)))]
pub mod monitor;
#[cfg(all(feature = "monitor", not(nissa_loom)))]
pub mod route;
#[cfg(all(feature = "server", not(nissa_loom)))]
pub mod server;
#[cfg(all(feature = "tower", not(nissa_loom)))]
pub mod service;
#[cfg(all(feature = "monitor", not(nissa_loom)))]
mod thread;
#[cfg(all(feature = "detect", not(nissa_loom)))]
pub mod watch;

#[cfg(all(test, not(nissa_loom)))]
#[path = "../tests/fuzz/mod.rs"]
mod fuzz;

#[cfg(all(feature = "monitor", not(nissa_loom)))]
pub use monitor::builder;

pub use buckets::Buckets;
#[cfg(all(feature = "config", not(nissa_loom)))]
pub use config::Config;
pub use error::Error;
#[cfg(all(feature = "monitor", not(nissa_loom)))]
pub use health::health;
#[cfg(all(any(test, feature = "test-util"), not(nissa_loom)))]
pub use manual_clock::ManualClock;
#[cfg(not(nissa_loom))]
pub use {
    entry::Kind,
    instrument::{Counter, FloatCounter, Gauge, Histogram, Timed, TimedFuture, Timer},
    metrics::{IntoLabels, Label, Level, Unit},
    recorder::{Recorder, install},
    registry::{
        Cardinality, FamilyCardinality, FamilyInfo, LabelCardinality, Matcher, Observed, Registry,
        RegistryBuilder, Scope,
    },
    snapshot::Snapshot,
};

#[cfg(all(feature = "detect", not(nissa_loom)))]
pub use watch::watch;

#[cfg(all(doctest, feature = "full"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../docs/MIGRATING.md")]
struct Migrating;

#[cfg(all(doctest, feature = "config"))]
#[doc = include_str!("../docs/CONFIG.md")]
struct Configuring;

#[cfg(all(doctest, feature = "dashboard"))]
#[doc = include_str!("../docs/PAGE.md")]
struct Page;

/// What the macros need in scope; not part of the API.
#[cfg(not(nissa_loom))]
#[doc(hidden)]
pub mod __private {
    pub use core::compile_error;
    pub use core::option::Option::{None, Some};
    pub use core::primitive::str;

    pub use metrics::IntoLabels;

    pub use crate::site::{
        DynamicSite, Site, counter, describe_buckets, describe_counter, describe_gauge,
        describe_histogram, gauge, histogram, pairs, text,
    };
}
