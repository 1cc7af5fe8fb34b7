//! Settings of health.

use serde::Deserialize;

use super::key::Key;
use super::value::{Pairs, Share};
use crate::error::Error;
use crate::monitor::{Builder, Context, Stage};

pub(super) const KEYS: &[Key] = &[
    Key::new("health.version", "a string", "this crate's version"),
    Key::new("health.default_threshold", SHARE, "0.9"),
    Key::new("health.thresholds", SHARES, "{}"),
    Key::new("health.critical_thresholds", SHARES, "{}"),
];

const SHARE: &str = "a used share, 0 to 1";
const SHARES: &str = "a table of resources and used shares, 0 to 1";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Section {
    version: Option<String>,
    default_threshold: Option<Share>,
    thresholds: Pairs<Share>,
    critical_thresholds: Pairs<Share>,
}

impl Section {
    /// Set when the builder starts, for only then it is known whose health it is.
    pub(super) fn apply(self, builder: Builder) -> Builder {
        builder.stage(self)
    }
}

impl Stage for Section {
    fn name(&self) -> &'static str {
        "config"
    }

    fn start(&mut self, context: &Context) -> Result<(), Error> {
        let health = context.health();
        if let Some(version) = &self.version {
            health.version(version);
        }
        if let Some(Share(share)) = self.default_threshold {
            health.default_threshold(share);
        }
        for (resource, Share(share)) in &self.thresholds.0 {
            health.threshold(resource, *share);
        }
        for (resource, Share(share)) in &self.critical_thresholds.0 {
            health.critical_threshold(resource, *share);
        }
        Ok(())
    }
}
