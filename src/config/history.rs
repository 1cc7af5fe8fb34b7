//! Settings of the history.

use std::path::PathBuf;

use serde::Deserialize;

use super::key::Key;
use super::registry::Pattern;
use super::value::{List, Span};
use super::{set, wrong};
use crate::error::Error;
use crate::history::History;
use crate::monitor::Builder;

pub(super) const ABSENT: Option<(&str, &str)> = None;

pub(super) const KEYS: &[Key] = &[
    Key::new("history.enabled", "true or false", "false"),
    Key::new("history.memory", "a whole number of bytes", "67108864"),
    Key::new("history.resolution", "a duration", "10s"),
    Key::new("history.recent", "a duration", "15m"),
    Key::new("history.retention", "a duration", "7d"),
    Key::new("history.only", super::registry::METRICS, "[] (all)"),
    Key::new("history.path", "the path of a file", "none"),
    Key::new("history.flush", "a duration", "60s"),
];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Section {
    enabled: Option<bool>,
    memory: Option<usize>,
    resolution: Option<Span>,
    recent: Option<Span>,
    retention: Option<Span>,
    only: List<Pattern>,
    path: Option<PathBuf>,
    flush: Option<Span>,
}

impl Section {
    pub(super) fn apply(self, builder: Builder) -> Result<Builder, Error> {
        match self.enabled {
            Some(true) => Ok(builder.history(self.history())),
            Some(false) => Ok(builder),
            None if format!("{self:?}") == format!("{:?}", Self::default()) => Ok(builder),
            None => Err(wrong("history.enabled", "is missing")),
        }
    }

    fn history(self) -> History {
        let history = set(History::new(), self.memory, History::memory);
        let history = set(history, self.resolution, |to, Span(step)| to.resolution(step));
        let history = set(history, self.recent, |to, Span(time)| to.recent(time));
        let history = set(history, self.retention, |to, Span(time)| to.retention(time));
        let only = self.only.0.into_iter();
        let history = only.fold(history, |history, pattern| history.only(pattern.into()));
        let history = set(history, self.path, History::path);
        set(history, self.flush, |to, Span(every)| to.flush(every))
    }
}
