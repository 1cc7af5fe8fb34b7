//! Without feature `detect` there is nothing to list.

use crate::monitor::Builder;

pub(super) fn listed(builder: Builder) -> Builder {
    builder
}
