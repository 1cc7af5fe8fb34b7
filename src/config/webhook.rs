//! Settings of the webhook that alerts go to.

use std::path::PathBuf;

use serde::Deserialize;

use super::key::Key;
use super::secret::Secret;
use super::value::{Pairs, Span};
use super::{set, wrong};
use crate::alert::Webhook;
use crate::error::Error;
use crate::monitor::Builder;

pub(super) const ABSENT: Option<(&str, &str)> = None;

pub(super) const KEYS: &[Key] = &[
    // Whoever knows such a URL can often post there.
    Key::new("webhook.url", "an http or https URL", "none").secret(),
    Key::new("webhook.secret", "a string", "none").secret(),
    Key::new("webhook.header", "a table of header names and values", "{}").secret(),
    Key::new("webhook.root_certificates", "the path of a PEM file", "the system's alone"),
    Key::new("webhook.timeout", "a duration", "10s"),
];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Section {
    url: Option<Secret>,
    secret: Option<Secret>,
    header: Pairs<Secret>,
    root_certificates: Option<PathBuf>,
    timeout: Option<Span>,
}

impl Section {
    /// Sends alerts if there is a URL; other settings alone would do nothing, which is an error.
    pub(super) fn apply(self, builder: Builder) -> Result<Builder, Error> {
        let Some(Secret(url)) = &self.url else {
            let alone = format!("{self:?}") != format!("{:?}", Self::default());
            return if alone { Err(wrong("webhook.url", "is missing")) } else { Ok(builder) };
        };
        let webhook = Webhook::new(url);
        let webhook = webhook
            .map_err(|error| wrong("webhook.url", "is no http or https URL").because(error))?;
        Ok(builder.webhook(self.settings(webhook)?))
    }

    fn settings(self, mut webhook: Webhook) -> Result<Webhook, Error> {
        webhook = set(webhook, self.secret, |to, Secret(key)| to.secret(key));
        for (name, Secret(value)) in self.header.0 {
            webhook = webhook.header(name, value);
        }
        if let Some(path) = self.root_certificates {
            let pem = std::fs::read(&path).map_err(|error| {
                let place = "webhook.root_certificates";
                wrong(place, format!("{} cannot be read", path.display())).because(error)
            })?;
            webhook = webhook.root_certificates(pem);
        }
        Ok(set(webhook, self.timeout, |to, Span(limit)| to.timeout(limit)))
    }
}
