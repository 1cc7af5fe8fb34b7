//! What the endpoint says of itself, with label values from closed sets only.

use std::time::Duration;

use crate::clock::{self, since};
use crate::logging;
use crate::registry::Registry;
use crate::sync::Mutex;

/// Why a client did not get what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// An address could not be had.
    Listen,
    /// More connections than allowed, and none that could go for it.
    Connections,
    /// Gone for a newer connection.
    Evicted,
    /// The system gave no file descriptor for it, or no memory.
    Accept,
    Handshake,
    /// A certificate or key could not be read again.
    Certificate,
    /// No whole request in time.
    SlowRequest,
    SlowBody,
    /// The response was not read in time.
    SlowReader,
    Malformed,
    TooLarge,
    Unauthorized,
    /// More work than there are hands.
    Busy,
    /// The answer took too long.
    Timeout,
    /// The answer panicked.
    Panic,
}

impl Refusal {
    const ALL: [Self; 15] = [
        Self::Listen,
        Self::Connections,
        Self::Evicted,
        Self::Accept,
        Self::Handshake,
        Self::Certificate,
        Self::SlowRequest,
        Self::SlowBody,
        Self::SlowReader,
        Self::Malformed,
        Self::TooLarge,
        Self::Unauthorized,
        Self::Busy,
        Self::Timeout,
        Self::Panic,
    ];

    /// The label, and what the log says.
    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Listen => ("listen", "an address could not be had; going on without it"),
            Self::Connections => ("connections", "too many connections; a new one was closed"),
            Self::Evicted => ("evicted", "too many connections; a silent one was closed"),
            Self::Accept => ("accept", "the system refuses connections; trying again"),
            Self::Handshake => ("handshake", "a TLS handshake failed or took too long"),
            Self::Certificate => ("certificate", "a changed certificate is bad; the old one stays"),
            Self::SlowRequest => ("slow_request", "a client sent no whole request in time"),
            Self::SlowBody => ("slow_body", "a client sent no whole body in time"),
            Self::SlowReader => ("slow_reader", "a client did not read its response in time"),
            Self::Malformed => ("malformed", "a client sent something else than HTTP/1.1"),
            Self::TooLarge => ("too_large", "a client sent more than is allowed"),
            Self::Unauthorized => ("unauthorized", "a client did not know the password"),
            Self::Busy => ("busy", "more requests than can be worked on; one got a 503"),
            Self::Timeout => ("timeout", "an answer took too long; the client got a 503"),
            Self::Panic => ("panic", "a route panicked; the client got a 500"),
        }
    }
}

/// The label that stands for all paths that are no route.
pub(super) const OTHER: &str = "other";

/// The endpoint's own metrics, in the registry it serves.
#[derive(Debug)]
pub(super) struct Meters {
    registry: Registry,
    /// When each refusal was last logged.
    logged: Mutex<[Option<std::time::Instant>; Refusal::ALL.len()]>,
}

impl Meters {
    pub(super) fn new(registry: &Registry) -> Self {
        let describe = |name, help| registry.describe_counter(name, None, help);
        describe("nissa_http_requests_total", "Requests answered, by route and status code.");
        describe("nissa_http_rejected_total", "Clients and requests refused, by reason.");
        describe("nissa_http_response_bytes_total", "Bytes of response bodies, by route.");
        registry.describe_gauge("nissa_http_connections", None, "Open connections.");
        registry.describe_histogram(
            "nissa_http_request_duration_seconds",
            Some(metrics::Unit::Seconds),
            "From the request until its response was handed to the connection, by route.",
        );
        Self { registry: registry.clone(), logged: Mutex::default() }
    }

    /// Counts a response that is over. `route` is one of the routes' paths, or `other`.
    pub(super) fn answered(&self, route: &'static str, code: u16, bytes: u64, took: Duration) {
        let mut digits = itoa::Buffer::new();
        let labels = [("route", route), ("code", digits.format(code))];
        self.registry.counter("nissa_http_requests_total", &labels).increment(1);
        let route = [("route", route)];
        self.registry.counter("nissa_http_response_bytes_total", &route).increment(bytes);
        self.registry
            .histogram("nissa_http_request_duration_seconds", &route)
            .record(took.as_secs_f64());
    }

    /// Counts a response to what was never read as a request.
    pub(super) fn answered_unread(&self, code: &'static str) {
        let labels = [("route", OTHER), ("code", code)];
        self.registry.counter("nissa_http_requests_total", &labels).increment(1);
    }

    /// Counts a refusal, and logs it unless its like was logged within the last minute.
    pub(super) fn refused(&self, refusal: Refusal) {
        const QUIET: Duration = Duration::from_secs(60);
        let (reason, message) = refusal.texts();
        self.registry.counter("nissa_http_rejected_total", &[("reason", reason)]).increment(1);
        let at = Refusal::ALL.iter().position(|other| *other == refusal).unwrap_or_default();
        if let Some(last) = self.logged.lock().get_mut(at) {
            if last.is_some_and(|last| since(last) < QUIET) {
                return;
            }
            *last = Some(clock::now());
        }
        logging::warn!("{message} (nissa_http_rejected_total{{reason=\"{reason}\"}} counts them)");
    }

    pub(super) fn connections(&self, open: usize) {
        self.registry.gauge("nissa_http_connections", &[]).set(open as f64);
    }
}
