//! What tests of collectors look at.

use crate::registry::Registry;

pub(crate) fn value(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    registry.snapshot().get(name, labels).and_then(|value| value.as_f64())
}
