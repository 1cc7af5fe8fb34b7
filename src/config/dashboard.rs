//! Whether there is a live page.

use serde::Deserialize;

use super::key::Key;
use crate::error::Error;
use crate::monitor::Builder;

pub(super) const ABSENT: Option<(&str, &str)> = None;

pub(super) const KEYS: &[Key] = &[Key::new("dashboard.enabled", "true or false", "false")];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Section {
    enabled: bool,
}

impl Section {
    /// Comes after the history, which it brings if there is none.
    #[allow(clippy::unnecessary_wraps, reason = "as the other sections")]
    pub(super) fn apply(self, builder: Builder) -> Result<Builder, Error> {
        Ok(if self.enabled { builder.dashboard() } else { builder })
    }
}
