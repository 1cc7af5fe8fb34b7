//! `/health` and the probes.

use super::{Health, Status, json};
use crate::route::{Response, Route};

impl Health {
    /// `/health` and `/health/system` (the whole report as JSON), `/live` and `/ready`.
    ///
    /// None of them waits for a check: they tell what is known, and start the checks whose results
    /// have aged. 503 means critical, not alive or not ready; all else is 200.
    ///
    /// ```
    /// use nissa::health::{Health, Status};
    /// use nissa::route::Request;
    ///
    /// let health = Health::new();
    /// let ready = health.routes().into_iter().find(|route| route.path() == "/ready").unwrap();
    /// let ask = || ready.handle(&Request::new("/ready", ""));
    /// assert_eq!(ask().status(), 200);
    ///
    /// health.set("database", Status::Critical, "connection refused");
    /// assert_eq!(ask().status(), 503);
    /// assert_eq!(ask().body(), b"not ready: database: connection refused\n");
    /// ```
    pub fn routes(&self) -> Vec<Route> {
        let route = |path, answer: fn(&Self) -> Response| {
            let health = self.clone();
            Route::get(path, move |_| answer(&health).header("cache-control", "no-store"))
        };
        vec![
            route("/health", whole),
            route("/health/system", whole),
            // Whoever gets no answer here ends the program: it must not depend on a thread.
            route("/live", live).quick(),
            route("/ready", ready),
        ]
    }
}

fn whole(health: &Health) -> Response {
    let report = health.latest();
    let status = if report.overall() == Status::Critical { 503 } else { 200 };
    Response::json(status, json::document(&report))
}

fn live(health: &Health) -> Response {
    if health.is_live() { Response::text(200, "live\n") } else { Response::text(503, "not live\n") }
}

fn ready(health: &Health) -> Response {
    match health.latest().unready() {
        None => Response::text(200, "ready\n"),
        Some(reason) => Response::text(503, format!("not ready: {}\n", one_line(&reason))),
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}
