//! A page that a parser can read: legal names, one `# TYPE` a name, no series twice.

use std::collections::HashSet;

use nissa::{Registry, expose};

/// The page, after making sure that a parser can read it without losing anything.
pub(crate) fn page(registry: &Registry) -> String {
    let text = expose::text(&registry.snapshot());
    let mut typed = HashSet::new();
    let mut series = HashSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().unwrap();
            assert!(is_legal(name), "an illegal name in {line:?}");
            assert!(typed.insert(name.to_owned()), "two TYPE lines for {name}\n{text}");
        } else if !line.starts_with('#') {
            let (key, value) = line.rsplit_once(' ').unwrap();
            assert!(value.replace("Inf", "inf").parse::<f64>().is_ok(), "no number in {line:?}");
            check_labels(key);
            assert!(series.insert(key.to_owned()), "two lines of {key}\n{text}");
        }
    }
    text
}

/// Whether every Prometheus version accepts a metric's name.
fn is_legal(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// `name{label="value",…}` with legal names and no label twice.
fn check_labels(key: &str) {
    let Some((name, labels)) = key.split_once('{') else {
        return assert!(is_legal(key), "{key:?}");
    };
    assert!(is_legal(name), "{key:?}");
    let mut rest = labels.strip_suffix('}').unwrap();
    let mut seen = HashSet::new();
    while !rest.is_empty() {
        let (label, tail) = rest.split_once("=\"").unwrap();
        assert!(is_legal(label) && !label.contains(':'), "label {label:?} of {key:?}");
        assert!(seen.insert(label), "label {label} twice in {key:?}");
        let end = tail.replace("\\\\", "..").replace("\\\"", "..").find('"').unwrap();
        rest = &tail[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

/// How often a registry counted something under this reason.
pub(crate) fn noted(registry: &Registry, metric: &str, reason: &str) -> Option<f64> {
    registry.snapshot().get(metric, &[("reason", reason)])?.as_f64()
}
