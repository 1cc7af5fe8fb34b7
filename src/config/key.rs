//! What can be set.

use super::{
    alertmanager, alerts, dashboard, gpu, health, history, host, registry, server, tls, webhook,
};

/// A setting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// Its tables and its name, with dots between.
    pub(super) path: &'static str,
    /// What it may be, for a person to read.
    pub(super) allowed: &'static str,
    /// What it is without being set; for docs/CONFIG.md.
    #[cfg_attr(not(test), allow(dead_code, reason = "the test of the documentation reads it"))]
    pub(super) default: &'static str,
    /// Whether its value must not be shown.
    pub(super) secret: bool,
}

impl Key {
    pub(super) const fn new(
        path: &'static str,
        allowed: &'static str,
        default: &'static str,
    ) -> Self {
        Self { path, allowed, default, secret: false }
    }

    #[allow(dead_code, reason = "only the endpoint's settings have secrets")]
    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The environment variable.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.path.to_uppercase().replace('.', "_"))
    }
}

pub(super) const PREFIX: &str = "NISSA_";

const TOP: &[Key] = &[
    Key::new("interval", "a duration, at least 1ms", "1s"),
    Key::new("shutdown_timeout", "a duration", "5s"),
];

/// Keys that this build does not have: where they begin, and the feature that brings them.
pub(super) fn absent() -> impl Iterator<Item = (&'static str, &'static str)> {
    let stages = [host::ABSENT, gpu::ABSENT, history::ABSENT, alerts::ABSENT];
    let senders = [alertmanager::ABSENT, webhook::ABSENT];
    [server::ABSENT, tls::ABSENT, dashboard::ABSENT]
        .into_iter()
        .chain(stages)
        .chain(senders)
        .flatten()
}

/// All keys of this build.
pub(super) fn all() -> impl Iterator<Item = &'static Key> {
    let sections = [registry::KEYS, health::KEYS, server::KEYS, tls::KEYS];
    let stages = [host::KEYS, gpu::KEYS, history::KEYS, alerts::KEYS];
    let senders = [alertmanager::KEYS, webhook::KEYS, dashboard::KEYS];
    TOP.iter().chain(sections.into_iter().chain(stages).chain(senders).flatten())
}

pub(super) fn find(path: &str) -> Option<&'static Key> {
    all().find(|key| key.path == path)
}

/// Whether keys lie below.
pub(super) fn is_table(path: &str) -> bool {
    all().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// What to say of a name that is no key, with the names there are.
pub(super) fn unknown(name: &str, of: fn(&Key) -> String, absent: &[(String, &str)]) -> String {
    if let Some((_, feature)) = absent.iter().find(|(start, _)| name.starts_with(start)) {
        return format!("needs nissa's feature `{feature}`");
    }
    let nearest = all().map(of).map(|known| (distance(name, &known), known)).min();
    match nearest {
        Some((edits, known)) if edits * 3 <= name.len() => {
            format!("unknown; did you mean {known}?")
        }
        _ => "unknown; docs/CONFIG.md lists what there is".to_owned(),
    }
}

/// How many characters must be put in, taken out or changed (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    // Longer ones are nobody's misspelling, and would take their square in time.
    if from.len() > 100 {
        return usize::MAX / 4;
    }
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (deleted, char) in from.chars().enumerate() {
        let mut diagonal = deleted;
        let mut left = deleted + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(&to) {
            let changed = diagonal + usize::from(char != *other);
            diagonal = *cell;
            *cell = changed.min(diagonal + 1).min(left + 1);
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = deleted + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let cases = [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("ab", "ba", 2),
        ];
        for (from, to, edits) in cases {
            assert_eq!(distance(from, to), edits, "{from} {to}");
        }
    }

    #[test]
    fn no_two_keys_share_a_variable() {
        let mut variables: Vec<String> = all().map(Key::variable).collect();
        let count = variables.len();
        variables.sort_unstable();
        variables.dedup();
        assert_eq!(variables.len(), count);
    }
}
