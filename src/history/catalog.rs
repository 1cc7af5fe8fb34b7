//! Which series there are.

use std::time::Duration;

use super::family::Part;
use super::query::{Limit, Lines, Span, each, moment};
use super::selector::Selector;
use super::{History, Line};

/// From when to when a series has samples.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct About {
    /// The first sample's time, since the Unix epoch; of what was rolled up, the first step's end.
    pub first: Duration,
    /// The last sample's time.
    pub last: Duration,
}

impl History {
    /// The series there are, each with one point that tells from when to when it has samples.
    ///
    /// ```
    /// # use nissa::history::{History, Selector};
    /// let history = History::new();
    /// let registry = nissa::Registry::new();
    /// let guard = nissa::builder().registry(registry.clone()).history(history.clone()).start()?;
    /// registry.counter("steps_total", &[("run", "a")]).increment(1);
    /// drop(guard); // a last tick
    ///
    /// let series = history.series(&Selector::name("steps_total"));
    /// assert_eq!(series.lines[0].label("run"), Some("a"));
    /// assert_eq!(series.lines[0].points[0].last, history.now());
    /// # Ok::<(), nissa::Error>(())
    /// ```
    pub fn series(&self, selector: &Selector) -> Lines<About> {
        self.series_of(selector, Limit::LIBRARY)
    }

    pub(super) fn series_of(&self, selector: &Selector, limit: Limit) -> Lines<About> {
        let span = Span { from: 0, to: u64::MAX, limit };
        each(self.store(), selector, span, |view, times| {
            let (first, last) = view.extent(times)?;
            Some(vec![About { first: moment(first), last: moment(last) }])
        })
    }

    /// The unit and the help text of a line's metric, as it was last described. Those of a
    /// histogram's count and sum are the histogram's.
    pub fn description<P>(&self, line: &Line<P>) -> (Option<metrics::Unit>, Option<String>) {
        let store = self.store().lock();
        let family = |name| store.families.get(*store.by_name.get(name)? as usize);
        let part = || Part::of(&line.name).and_then(|(name, _)| family(name));
        let family = family(&line.name).or_else(part);
        let help = family.and_then(|family| family.help.as_deref()).map(str::to_owned);
        (family.and_then(|family| family.unit), help)
    }
}
