#![doc = include_str!("../../docs/ALERTS.md")]

mod builder;
mod condition;
mod courier;
mod evaluator;
mod history;
mod keeper;
mod ledger;
mod machine;
mod other;
mod own;
mod reading;
mod report;
mod rule;
mod sender;
mod stage;
mod store;
mod tracked;

pub use crate::anomaly::Severity;
pub use report::{Alert, State};
pub use rule::Rule;
