//! A snapshot in the formats of the field.
//!
//! [`negotiate`] answers an `Accept` header; a [`Format`] says which format that is and writes it;
//! [`text`] is the one every Prometheus reads; [`json`] is for programs of one's own. What each can
//! carry, and the rules for names, units and numbers, is told in
//! [docs/FORMATS.md](https://docs.rs/crate/nissa/latest/source/docs/FORMATS.md).

mod accept;
mod format;
mod json;
mod line;
mod names;
mod native;
mod number;
mod openmetrics;
mod openmetrics2;
mod proto;
mod protobuf;
mod text;

#[cfg(feature = "server")]
pub(crate) use accept::weight;

pub use crate::escape::Escaping;
pub use format::{Format, negotiate};
pub use json::{json, json_into};
pub use names::is_named;
pub use text::{text, text_into};
