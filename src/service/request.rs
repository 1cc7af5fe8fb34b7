//! A request under way, and what is counted of it when it ends.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use http::{Method, StatusCode};
use metrics::Unit;

use crate::buckets::Buckets;
use crate::clock;
use crate::instrument::Gauge;
use crate::registry::Registry;

const REQUESTS: &str = "http_server_requests_total";
const DURATION: &str = "http_server_request_duration_seconds";
const ACTIVE: &str = "http_server_active_requests";

/// Where a layer's requests are counted.
pub(super) struct Meters {
    registry: Registry,
    active: Gauge,
}

impl Meters {
    pub(super) fn new(registry: &Registry, buckets: Option<Buckets>) -> Self {
        registry.describe_counter(REQUESTS, None, "Requests that were answered, or ended without.");
        let help = "Time from a request's arrival until its answer was sent.";
        registry.describe_histogram(DURATION, Some(Unit::Seconds), help);
        registry.describe_gauge(ACTIVE, None, "Requests that are being answered.");
        if let Some(buckets) = buckets {
            registry.describe_buckets(DURATION, buckets);
        }
        let active = registry.gauge(ACTIVE, &[]);
        // In the output before the first request, and after an idle time.
        active.increment(0);
        Self { registry: registry.clone(), active }
    }
}

/// Counted as at work while it lives, and as a request when it is dropped: its body was sent, or
/// nobody waits for it any more.
pub(super) struct Underway {
    meters: Arc<Meters>,
    method: &'static str,
    route: Box<str>,
    status: &'static str,
    began: Instant,
}

impl Underway {
    pub(super) fn new(meters: Arc<Meters>, method: &Method, route: Option<&str>) -> Self {
        meters.active.increment(1);
        let route = route.unwrap_or("unmatched").into();
        Self { meters, method: name(method), route, status: "none", began: clock::now() }
    }

    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = class(status);
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.meters.active.decrement(1);
        let labels = [("method", self.method), ("route", &*self.route), ("status", self.status)];
        self.meters.registry.counter(REQUESTS, &labels).increment(1);
        self.meters.registry.histogram(DURATION, &labels).record(clock::since(self.began));
    }
}

impl fmt::Debug for Underway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.method, self.route, self.status)
    }
}

/// A method of RFC 9110 or 5789; a client can send any word as one.
fn name(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        // `http` allows codes up to 999.
        _ => "other",
    }
}
