//! Settings of the Alertmanager that alerts go to.

use std::path::PathBuf;

use serde::Deserialize;

use super::key::Key;
use super::secret::Secret;
use super::value::{Pairs, Span};
use super::{set, wrong};
use crate::alert::Alertmanager;
use crate::error::Error;
use crate::monitor::Builder;

pub(super) const ABSENT: Option<(&str, &str)> = None;

pub(super) const KEYS: &[Key] = &[
    Key::new("alertmanager.url", "an http or https URL", "none"),
    Key::new("alertmanager.label", "a table of label names and values", "{}"),
    Key::new("alertmanager.repeat", "a duration", "60s"),
    Key::new("alertmanager.header", "a table of header names and values", "{}").secret(),
    Key::new("alertmanager.root_certificates", "the path of a PEM file", "the system's alone"),
    Key::new("alertmanager.timeout", "a duration", "10s"),
];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Section {
    url: Option<String>,
    label: Pairs<String>,
    repeat: Option<Span>,
    header: Pairs<Secret>,
    root_certificates: Option<PathBuf>,
    timeout: Option<Span>,
}

impl Section {
    /// Sends alerts if there is a URL; other settings alone would do nothing, which is an error.
    pub(super) fn apply(self, builder: Builder) -> Result<Builder, Error> {
        let Some(url) = &self.url else {
            let alone = format!("{self:?}") != format!("{:?}", Self::default());
            return if alone { Err(wrong("alertmanager.url", "is missing")) } else { Ok(builder) };
        };
        let alertmanager = Alertmanager::new(url);
        let alertmanager = alertmanager
            .map_err(|error| wrong("alertmanager.url", "is no http or https URL").because(error))?;
        Ok(builder.alertmanager(self.settings(alertmanager)?))
    }

    fn settings(self, mut alertmanager: Alertmanager) -> Result<Alertmanager, Error> {
        for (name, value) in self.label.0 {
            alertmanager = alertmanager.label(name, value);
        }
        alertmanager = set(alertmanager, self.repeat, |to, Span(every)| to.repeat(every));
        for (name, Secret(value)) in self.header.0 {
            alertmanager = alertmanager.header(name, value);
        }
        if let Some(path) = self.root_certificates {
            let pem = std::fs::read(&path).map_err(|error| {
                let place = "alertmanager.root_certificates";
                wrong(place, format!("{} cannot be read", path.display())).because(error)
            })?;
            alertmanager = alertmanager.root_certificates(pem);
        }
        Ok(set(alertmanager, self.timeout, |to, Span(limit)| to.timeout(limit)))
    }
}
