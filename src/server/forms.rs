//! What `/metrics` and `/metrics.json` are written as.

use crate::expose::{self, Format};
use crate::snapshot::Snapshot;

/// A form of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Exposition(Format),
    Json,
}

impl Form {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Exposition(format) => format.content_type(),
            Self::Json => "application/json",
        }
    }

    pub(super) fn write(self, snapshot: &Snapshot, out: &mut Vec<u8>) {
        match self {
            Self::Exposition(format) => format.encode_into(snapshot, out),
            Self::Json => expose::json_into(snapshot, out),
        }
    }
}
