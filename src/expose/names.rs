//! Names on a page: escaped as was agreed, and kept apart.
//!
//! An escaping scheme makes names legal one by one. Where that would make two metrics (or two
//! labels of a series) one, the names that were changed are written in Prometheus's `values`
//! escaping instead, which no two names share: `U__a_2e_b` for `a.b`. Names that stay are never
//! touched, with two exceptions: a metric whose name a histogram needs for its own lines
//! (`x_sum` beside a histogram `x`) is written so too, because one page cannot hold both; and so
//! is, where anything is, a legal name that looks escaped (`U__…`).

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use metrics::Unit;

use super::number;
use crate::entry::Kind;
use crate::escape::{Escaping, values};
use crate::key;
use crate::snapshot::{Exemplar, Family, Series, Snapshot};

/// The name each family is written under, in the snapshot's order. `created`: the page's reader
/// holds `_created` to belong to the family before it.
pub(super) fn of_families(
    snapshot: &Snapshot,
    escaping: Escaping,
    created: bool,
) -> Vec<Cow<'_, str>> {
    let written = |name| escaping.apply(name, key::is_legal_name);
    let mut names: Vec<Cow<'_, str>> =
        snapshot.families().map(|family| written(family.name())).collect();
    let distributions =
        snapshot.families().any(|family| matches!(family.kind(), Kind::Histogram | Kind::Summary));
    if !distributions && names.iter().all(|name| matches!(name, Cow::Borrowed(_))) {
        return names;
    }
    let clashes = clashes(snapshot, &names, created);
    if clashes.contains(&true) {
        for (index, family) in snapshot.families().enumerate() {
            // A name that looks escaped must not pass for one that is.
            if clashes[index] || names[index].starts_with("U__") {
                names[index] = Cow::Owned(values(family.name(), key::is_legal_name));
            }
        }
    }
    names
}

/// Which families must give way because another writes lines of the same name.
fn clashes(snapshot: &Snapshot, names: &[Cow<'_, str>], created: bool) -> Vec<bool> {
    let mut takers: HashMap<&str, usize> = HashMap::new();
    for name in names {
        *takers.entry(name).or_default() += 1;
    }
    let written = |wanted: Kind| -> HashSet<&str> {
        let all = snapshot.families().zip(names);
        all.filter(|(family, _)| family.kind() == wanted).map(|(_, name)| &**name).collect()
    };
    let (histograms, summaries) = (written(Kind::Histogram), written(Kind::Summary));
    let lines = ["_bucket", "_count", "_sum", "_created"];
    let lines = if created { &lines[..] } else { &lines[..3] };
    let taken_by_distribution = |name: &str| {
        lines.iter().any(|suffix| {
            let Some(stem) = name.strip_suffix(suffix) else { return false };
            histograms.contains(stem) || (summaries.contains(stem) && *suffix != "_bucket")
        })
    };
    let gives_way = |name: &Cow<'_, str>| {
        let changed = matches!(name, Cow::Owned(_));
        (changed && takers[&**name] > 1) || taken_by_distribution(name)
    };
    names.iter().map(gives_way).collect()
}

/// Whether a metric of this name is among those that somebody asked for, by the name it was
/// recorded under or as any format writes that, and by the name of any of its lines. For a filter
/// such as `?name[]=`, with [`Registry::snapshot_of`](crate::Registry::snapshot_of).
///
/// ```
/// use nissa::expose::is_named;
///
/// let registry = nissa::Registry::new();
/// registry.histogram("http.latency_seconds", &[]).record(0.1);
/// registry.counter("jobs_total", &[]).increment(1);
/// let names = |asked: &[&str]| -> Vec<String> {
///     let snapshot = registry.snapshot_of(|name| is_named(asked, name));
///     snapshot.families().map(|family| family.name().to_owned()).collect()
/// };
/// assert_eq!(names(&["http.latency_seconds"]), ["http.latency_seconds"]);
/// assert_eq!(names(&["http_latency_seconds_count", "jobs"]), ["http.latency_seconds", "jobs_total"]);
/// assert_eq!(names(&["latency"]), [""; 0]);
/// ```
pub fn is_named(asked: &[impl AsRef<str>], name: &str) -> bool {
    const SCHEMES: [Escaping; 4] =
        [Escaping::AllowUtf8, Escaping::Underscores, Escaping::Dots, Escaping::Values];
    const LINES: [&str; 3] = ["_bucket", "_count", "_sum"];
    let written = SCHEMES.map(|scheme| scheme.apply(name, key::is_legal_name));
    // The last for names that gave way to others, whatever they are.
    let apart = values(name, key::is_legal_name);
    let is = |asked: &str| asked == apart || written.iter().any(|name| **name == *asked);
    let stem = |asked: &str| written.iter().any(|name| name.strip_suffix("_total") == Some(asked));
    asked.iter().map(AsRef::as_ref).any(|asked| {
        let line = |suffix: &&str| asked.strip_suffix(*suffix).is_some_and(is);
        is(asked) || stem(asked) || LINES.iter().any(line)
    })
}

/// A metric's name as `#` lines show it: in quotes if it needs them.
pub(super) fn quoted(name: &str) -> Cow<'_, str> {
    if key::is_legal_name(name) {
        return Cow::Borrowed(name);
    }
    let mut text = String::from("\"");
    key::escape_into(&mut text, name);
    text.push('"');
    Cow::Owned(text)
}

/// The unit of a family, if the name it is written under says it too: readers refuse one that does
/// not. A mere count has none, and `_count` is a line of histograms.
pub(super) fn unit(family: &Family, name: &str) -> Option<&'static str> {
    let unit = family.unit().filter(|unit| *unit != Unit::Count)?.as_str();
    name.strip_suffix(unit).is_some_and(|stem| stem.ends_with('_')).then_some(unit)
}

/// The labels of all series of a page.
pub(super) struct Labels<'a> {
    /// Shown by every series that has none of that name itself.
    global: &'a [(String, String)],
    escaping: Escaping,
}

impl<'a> Labels<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, escaping: Escaping) -> Self {
        Self { global: snapshot.global_labels(), escaping }
    }

    /// The labels of a series as text: its own canonical text, in the usual case as it is.
    #[inline]
    pub(super) fn text<'s>(&self, series: &Series<'s>) -> Cow<'s, [u8]> {
        let as_it_is = match self.escaping {
            Escaping::AllowUtf8 => self.global.is_empty(),
            _ => self.stay(series),
        };
        if as_it_is {
            return Cow::Borrowed(series.entry.text());
        }
        self.rewritten(series)
    }

    /// Whether the labels of a series are its own, under legal names that stay as they are.
    #[inline]
    pub(super) fn stay(&self, series: &Series<'_>) -> bool {
        self.global.is_empty() && self.escaping != Escaping::Dots && series.entry.has_legal_names()
    }

    #[cold]
    fn rewritten<'s>(&self, series: &Series<'s>) -> Cow<'s, [u8]> {
        Cow::Owned(labels_text(&self.pairs(series)).into_bytes())
    }

    /// The labels of a series, global ones first, under the names they are written with.
    pub(super) fn pairs<'s>(&self, series: &Series<'s>) -> Vec<(Cow<'s, str>, Cow<'s, str>)> {
        let own: Vec<_> = series.labels().collect();
        let global = self.global.iter().filter(|(name, _)| !own.iter().any(|(own, _)| own == name));
        let global =
            global.map(|(name, value)| (Cow::Owned(name.clone()), Cow::Owned(value.clone())));
        of_labels(global.chain(own.iter().cloned()).collect(), self.escaping)
    }
}

/// Characters that the labels of an exemplar may have on a page.
const EXEMPLAR_CHARACTERS: usize = 128;

impl Labels<'_> {
    /// The labels of an exemplar under the names they are written with; `None` if these are too
    /// long, for which readers refuse the page.
    pub(super) fn exemplar_pairs<'e>(
        &self,
        exemplar: Exemplar<'e>,
    ) -> Option<Vec<(Cow<'e, str>, Cow<'e, str>)>> {
        let pairs = of_labels(exemplar.labels().collect(), self.escaping);
        let length = |(name, value): &(Cow<'_, str>, Cow<'_, str>)| {
            name.chars().count() + value.chars().count()
        };
        (pairs.iter().map(length).sum::<usize>() <= EXEMPLAR_CHARACTERS).then_some(pairs)
    }

    /// An exemplar as it stands behind a number.
    pub(super) fn exemplar(&self, exemplar: Exemplar<'_>) -> Option<String> {
        let labels = labels_text(&self.exemplar_pairs(exemplar)?);
        let (value, at) = (number::to_string(exemplar.value()), number::seconds(exemplar.unix()));
        Some(format!(" # {{{labels}}} {value} {at}"))
    }
}

/// Labels under the names they are written with.
pub(super) fn of_labels<'a>(
    mut labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    escaping: Escaping,
) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let written: Vec<Option<String>> = labels
        .iter()
        .map(|(name, _)| match escaping.apply(name, key::is_legal_label) {
            Cow::Borrowed(_) => None,
            Cow::Owned(written) => Some(written),
        })
        .collect();
    let shown = |index: usize| written[index].as_deref().unwrap_or(&labels[index].0);
    let clashes = |index: usize| {
        written[index].is_some()
            && (0..labels.len()).filter(|other| shown(*other) == shown(index)).count() > 1
    };
    let clashing: Vec<bool> = (0..labels.len()).map(clashes).collect();
    let clash = clashing.contains(&true);
    for (index, written) in written.into_iter().enumerate() {
        let name = &mut labels[index].0;
        if clashing[index] || (clash && name.starts_with("U__")) {
            *name = Cow::Owned(values(name, key::is_legal_label));
        } else if let Some(written) = written {
            *name = Cow::Owned(written);
        }
    }
    labels
}

/// Labels as text, names that need it in quotes.
pub(super) fn labels_text(labels: &[(Cow<'_, str>, Cow<'_, str>)]) -> String {
    let mut text = String::new();
    for (index, (name, value)) in labels.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        if key::is_legal_label(name) {
            text.push_str(name);
        } else {
            text.push('"');
            key::escape_into(&mut text, name);
            text.push('"');
        }
        text.push_str("=\"");
        key::escape_into(&mut text, value);
        text.push('"');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;

    fn names(families: &[&str]) -> Vec<String> {
        names_by(Escaping::Underscores, families)
    }

    fn names_by(escaping: Escaping, families: &[&str]) -> Vec<String> {
        let registry = Registry::new();
        families.iter().for_each(|name| registry.counter(name, &[]).increment(1));
        written(&registry, escaping, false)
    }

    /// Without the registry's own, which count the collisions.
    fn written(registry: &Registry, escaping: Escaping, created: bool) -> Vec<String> {
        let snapshot = registry.snapshot();
        let names = of_families(&snapshot, escaping, created).into_iter().map(Cow::into_owned);
        names.filter(|name| !name.starts_with("nissa_")).collect()
    }

    #[test]
    fn illegal_characters_become_underscores() {
        assert_eq!(names(&["a.b", "ключ", "1st"]), ["_st", "a_b", "____"]);
    }

    #[test]
    fn names_that_would_merge_are_kept_apart() {
        assert_eq!(names(&["a.b", "a_b"]), ["U__a_2e_b", "a_b"]);
        assert_eq!(names(&["a.b", "a/b"]), ["U__a_2e_b", "U__a_2f_b"]);
        assert_eq!(names_by(Escaping::Dots, &["a.b", "a/b"]), ["a_dot_b", "a_b"]);
        assert_eq!(names_by(Escaping::Dots, &["a-b", "a/b"]), ["U__a_2d_b", "U__a_2f_b"]);
        assert_eq!(names_by(Escaping::AllowUtf8, &["a.b", "a_b"]), ["a.b", "a_b"]);
    }

    #[test]
    fn a_name_that_looks_escaped_is_escaped() {
        let names = names(&["U__a_2e_b", "a.b", "a_b"]);
        assert_eq!(names, ["U__U____a__2e__b", "U__a_2e_b", "a_b"]);
        let names = names_by(Escaping::Values, &["U__a_2e_b", "a.b"]);
        assert_eq!(names, ["U__U____a__2e__b", "U__a_2e_b"]);
    }

    #[test]
    fn a_histogram_keeps_its_own_lines() {
        let registry = Registry::new();
        registry.histogram("x", &[]).record(1);
        for name in ["x_created", "x_sum", "x_total"] {
            registry.counter(name, &[]).increment(1);
        }
        for escaping in [Escaping::Underscores, Escaping::AllowUtf8] {
            let names = written(&registry, escaping, false);
            assert_eq!(names, ["x", "x_created", "U__x__sum", "x_total"]);
        }
        let names = written(&registry, Escaping::Underscores, true);
        assert_eq!(names, ["x", "U__x__created", "U__x__sum", "x_total"]);
    }

    #[test]
    fn labels_that_would_merge_are_kept_apart() {
        let label = |name: &'static str| (Cow::Borrowed(name), Cow::Borrowed("v"));
        let text = |labels: &[(Cow<'static, str>, _)], escaping| {
            labels_text(&of_labels(labels.to_vec(), escaping))
        };
        assert_eq!(text(&[label("a.b")], Escaping::Underscores), r#"a_b="v""#);
        let both = [label("a.b"), label("a_b")];
        assert_eq!(text(&both, Escaping::Underscores), r#"U__a_2e_b="v",a_b="v""#);
        assert_eq!(text(&both, Escaping::AllowUtf8), r#""a.b"="v",a_b="v""#);
        assert_eq!(text(&both, Escaping::Dots), r#"a_dot_b="v",a__b="v""#);
    }
}
