//! Stands for the settings of TLS in a build without it.

use super::key::Key;
use crate::error::Error;

pub(super) const KEYS: &[Key] = &[];
pub(super) const ABSENT: Option<(&str, &str)> = Some(("server.tls", "tls"));

#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "where there is no endpoint either, nothing holds it")]
pub(super) struct Section {}

impl Section {
    /// Any server will do; there may be none either.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, dead_code, reason = "as with TLS")]
    pub(super) fn apply<S>(self, server: S) -> Result<S, Error> {
        Ok(server)
    }
}
