//! Which metrics a setting is for.

/// Chooses metrics by name, and series by labels. `*` stands for any run of characters.
///
/// ```
/// use nissa::{Matcher, Registry};
///
/// let registry = Registry::builder()
///     .deny(Matcher::name("tower_*"))
///     .deny(Matcher::name("http_*").label("path", "/health*"))
///     .build();
/// registry.counter("tower_calls_total", &[]).increment(1);
/// registry.counter("http_requests_total", &[("path", "/healthz")]).increment(1);
/// registry.counter("http_requests_total", &[("path", "/")]).increment(1);
/// assert_eq!(registry.snapshot().value("http_requests_total"), Some(1.0));
/// assert_eq!(registry.snapshot().value("tower_calls_total"), None);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a matcher does nothing until a builder gets it"]
pub struct Matcher {
    name: String,
    labels: Vec<(String, String)>,
}

impl Matcher {
    /// Metrics whose name fits the pattern.
    pub fn name(pattern: impl Into<String>) -> Self {
        Self { name: pattern.into(), labels: Vec::new() }
    }

    /// Of those, only series that have this label with a value that fits the pattern. Several
    /// must all fit.
    pub fn label(mut self, name: impl Into<String>, pattern: impl Into<String>) -> Self {
        self.labels.push((name.into(), pattern.into()));
        self
    }

    pub(crate) fn looks_at_labels(&self) -> bool {
        !self.labels.is_empty()
    }

    pub(crate) fn matches_name(&self, name: &str) -> bool {
        glob(&self.name, name)
    }

    pub(crate) fn matches(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        let has = |(wanted, pattern): &(String, String)| {
            labels.iter().any(|(label, value)| label == wanted && glob(pattern, value))
        };
        self.matches_name(name) && self.labels.iter().all(has)
    }
}

/// Matches left to right; on a mismatch the last `*` takes one character more. Linear for one
/// `*`, and never worse than pattern times text.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((after, taken)) => {
                    star = Some((after, taken + 1));
                    p = after + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text) in
            [("a", "a"), ("*", ""), ("a*", "abc"), ("*c", "abc"), ("a*c*e", "abcde"), ("a**", "a")]
        {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("", "a"), ("a*d", "abc"), ("*ab", "abc"), ("b*", "a")]
        {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }
}
