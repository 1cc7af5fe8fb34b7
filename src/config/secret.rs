//! Tokens, passwords and keys.

use std::fmt;

use serde::Deserialize;

use super::value::{Entry, Item};

/// Text that is never shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Secret(pub(super) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Item for Secret {
    fn of(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Entry for Secret {
    fn of(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }
}
