#![doc = include_str!("../../docs/ALERTS.md")]

#[cfg(feature = "alertmanager")]
mod alertmanager;
mod builder;
mod condition;
mod courier;
#[cfg(feature = "client")]
mod endpoint;
mod evaluator;
mod fitting;
mod group;
mod history;
mod keeper;
mod ledger;
mod machine;
mod member;
mod other;
mod own;
mod reading;
mod remembered;
mod report;
mod rule;
mod sender;
mod stage;
mod store;
mod tracked;
#[cfg(feature = "webhook")]
mod webhook;

#[cfg(feature = "alertmanager")]
pub use alertmanager::Alertmanager;
#[cfg(feature = "webhook")]
pub use webhook::Webhook;

pub use crate::anomaly::Severity;
pub use member::Member;
pub use report::{Alert, State};
pub use rule::Rule;
