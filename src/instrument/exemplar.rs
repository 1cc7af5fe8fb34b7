//! Recording with an exemplar.

use crate::cells::{self, CellId, Exemplar};
use crate::clock;
use crate::key::{self, Labels, Rules};
use crate::notice::{self, Notice};

/// The most characters that OpenMetrics allows the names and values of an exemplar's labels to
/// have together.
const MOST_CHARACTERS: usize = 128;

const RULES: Rules<'static> = Rules { value_bytes: usize::MAX, reserved: &[], dropped: &[] };

/// Keeps what was just recorded as the exemplar of its bucket.
#[cold]
pub(super) fn keep(cell: CellId, value: f64, labels: &[(&str, &str)]) {
    let text = match fits(labels.iter().copied()) {
        true => Labels::new(labels, RULES, |_| ()).text,
        false => return notice::process().count(Notice::ExemplarLabels, ""),
    };
    // A reserved name has got longer.
    if !fits(key::parse(&text)) {
        return notice::process().count(Notice::ExemplarLabels, "");
    }
    let exemplar = Exemplar { labels: text.into_boxed_str(), value, unix: clock::unix() };
    cells::keep_exemplar(cell, exemplar);
}

fn fits(labels: impl Iterator<Item = (impl AsRef<str>, impl AsRef<str>)>) -> bool {
    let characters = |text: &str| text.chars().take(MOST_CHARACTERS + 1).count();
    let mut sum = 0;
    for (name, value) in labels {
        sum += characters(name.as_ref()) + characters(value.as_ref());
        if sum > MOST_CHARACTERS {
            return false;
        }
    }
    true
}
