//! Settings of the endpoint.

use std::fmt;

use serde::Deserialize;

use super::key::Key;
use super::secret::Secret;
use super::tls;
use super::value::{Entry, List, Pairs, Span};
use super::{set, wrong};
use crate::error::Error;
use crate::monitor::Builder;
use crate::server::{PasswordHash, Server};

pub(super) const ABSENT: Option<(&str, &str)> = None;

pub(super) const KEYS: &[Key] = &[
    Key::new("server.listen", "a list of addresses: host:port, or unix:path", "[] (nowhere)"),
    Key::new("server.optional", "true or false", "false"),
    Key::new("server.connections", NUMBER, "256"),
    Key::new("server.header_bytes", "a whole number, at least 8192", "16384"),
    Key::new("server.headers", NUMBER, "64"),
    Key::new("server.uri_bytes", NUMBER, "8192"),
    Key::new("server.body_bytes", NUMBER, "65536"),
    Key::new("server.pipelined", NUMBER, "128"),
    Key::new("server.header_time", SPAN, "10s"),
    Key::new("server.body_time", SPAN, "10s"),
    Key::new("server.handshake_time", SPAN, "10s"),
    Key::new("server.answer_time", SPAN, "10s"),
    Key::new("server.write_stall", SPAN, "10s"),
    Key::new("server.response_time", SPAN, "120s"),
    Key::new("server.idle_time", SPAN, "120s"),
    Key::new("server.drain", SPAN, "500ms"),
    Key::new("server.page_memory", "a whole number of bytes", "67108864"),
    Key::new("server.token", "a list of tokens", "[]").secret(),
    Key::new("server.user", "a table of names and passwords", "{}").secret(),
    Key::new("server.user_hash", "a table of names and password hashes", "{}").secret(),
    Key::new("server.open", "a list of paths", "[]"),
];

const NUMBER: &str = "a whole number";
const SPAN: &str = "a duration";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Section {
    listen: List<String>,
    optional: bool,
    connections: Option<usize>,
    header_bytes: Option<usize>,
    headers: Option<usize>,
    uri_bytes: Option<usize>,
    body_bytes: Option<usize>,
    pipelined: Option<usize>,
    header_time: Option<Span>,
    body_time: Option<Span>,
    handshake_time: Option<Span>,
    answer_time: Option<Span>,
    write_stall: Option<Span>,
    response_time: Option<Span>,
    idle_time: Option<Span>,
    drain: Option<Span>,
    page_memory: Option<usize>,
    token: List<Secret>,
    user: Pairs<Secret>,
    user_hash: Pairs<Hash>,
    open: List<String>,
    tls: tls::Section,
}

impl Section {
    /// Serves if there is an address to listen on; other settings alone would do nothing, which is
    /// an error.
    pub(super) fn apply(self, builder: Builder) -> Result<Builder, Error> {
        if !self.listen.0.is_empty() {
            return Ok(builder.server(self.into_server()?));
        }
        let alone = format!("{self:?}") != format!("{:?}", Self::default());
        if alone { Err(wrong("server.listen", "is missing")) } else { Ok(builder) }
    }

    fn into_server(self) -> Result<Server, Error> {
        let mut server = self.listen.0.into_iter().fold(Server::new(), Server::listen);
        if self.optional {
            server = server.optional();
        }
        for Secret(token) in self.token.0 {
            server = server.token(&token);
        }
        for (name, Secret(password)) in self.user.0 {
            server = server.user(&name, &password);
        }
        for (name, Hash(hash)) in self.user_hash.0 {
            server = server.user_hash(&name, hash);
        }
        for path in self.open.0 {
            server = server.open(&path);
        }
        server = set(server, self.connections, Server::connections);
        server = set(server, self.header_bytes, Server::header_bytes);
        server = set(server, self.headers, Server::headers);
        server = set(server, self.uri_bytes, Server::uri_bytes);
        server = set(server, self.body_bytes, Server::body_bytes);
        server = set(server, self.pipelined, Server::pipelined);
        server = set(server, self.header_time, |to, Span(limit)| to.header_time(limit));
        server = set(server, self.body_time, |to, Span(limit)| to.body_time(limit));
        server = set(server, self.handshake_time, |to, Span(limit)| to.handshake_time(limit));
        server = set(server, self.answer_time, |to, Span(limit)| to.answer_time(limit));
        server = set(server, self.write_stall, |to, Span(limit)| to.write_stall(limit));
        server = set(server, self.response_time, |to, Span(limit)| to.response_time(limit));
        server = set(server, self.idle_time, |to, Span(limit)| to.idle_time(limit));
        server = set(server, self.drain, |to, Span(limit)| to.drain(limit));
        server = set(server, self.page_memory, Server::page_memory);
        self.tls.apply(server)
    }
}

#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
struct Hash(PasswordHash);

impl TryFrom<String> for Hash {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse().map(Self)
    }
}

impl Entry for Hash {
    fn of(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
