//! Anomalies are part of the page where the crate can find any.

use crate::monitor::Builder;

/// What inline watches find is listed for the page, even if there is no rule.
pub(super) fn listed(builder: Builder) -> Builder {
    builder.list_anomalies()
}
