//! Stands for the settings below `dashboard` in a build without them.

use serde::Deserialize;

use super::key::Key;
use crate::error::Error;
use crate::monitor::Builder;

pub(super) const KEYS: &[Key] = &[];
pub(super) const ABSENT: Option<(&str, &str)> = Some(("dashboard", "dashboard"));

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {}

impl Section {
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "as where there are some")]
    pub(super) fn apply(self, builder: Builder) -> Result<Builder, Error> {
        Ok(builder)
    }
}
