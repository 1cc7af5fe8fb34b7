//! Settings of TLS.

use std::path::PathBuf;

use serde::Deserialize;

use super::key::Key;
use super::value::Span;
use super::{set, wrong};
use crate::error::Error;
use crate::server::{Server, Tls};

pub(super) const ABSENT: Option<(&str, &str)> = None;

pub(super) const KEYS: &[Key] = &[
    Key::new("server.tls.certificate", "the path of a PEM file", "none"),
    Key::new("server.tls.key", "the path of a PEM file", "none"),
    Key::new("server.tls.client_authority", "the path of a PEM file", "none"),
    Key::new("server.tls.look", "a duration", "20s"),
];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Section {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    client_authority: Option<PathBuf>,
    look: Option<Span>,
}

impl Section {
    pub(super) fn apply(self, server: Server) -> Result<Server, Error> {
        let (certificate, key) = match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) if self.client_authority.is_none() && self.look.is_none() => {
                return Ok(server);
            }
            (None, _) => return Err(wrong("server.tls.certificate", "is missing")),
            (_, None) => return Err(wrong("server.tls.key", "is missing")),
        };
        let tls = set(Tls::files(certificate, key), self.client_authority, Tls::client_authority);
        Ok(server.tls(set(tls, self.look, |to, Span(interval)| to.look(interval))))
    }
}
