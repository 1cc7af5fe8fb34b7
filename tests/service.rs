//! The tower layer in a real axum service over real sockets, and the endpoint mounted beside it.
#![cfg(feature = "tower")]

#[path = "../examples/axum_service/app.rs"]
mod app;
mod http;

use std::net::SocketAddr;
use std::thread::JoinHandle;

use ::http::{Request, StatusCode};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Client, eventually};
use nissa::health::{Health, Status};
use nissa::server::Handler;
use nissa::service::Measure;
use nissa::{Buckets, Registry};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};
use tower_layer::Layer;
use tower_service::Service;

const REQUESTS: &str = "http_server_requests_total";
const DURATION: &str = "http_server_request_duration_seconds";
const ACTIVE: &str = "http_server_active_requests";

/// A router on a free port, until it is dropped.
struct Served {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    fn new(router: Router) -> Self {
        let (stop, stopping) = watch::channel(false);
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            runtime().block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                app::serve(listener, router, stopping).await.unwrap();
            });
        });
        Self { address: told.recv().unwrap(), stop, thread: Some(thread) }
    }

    fn connect(&self) -> Client {
        Client::connect(self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.send(true).unwrap();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn value(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> f64 {
    let snapshot = registry.snapshot();
    snapshot.get(name, labels).and_then(|value| value.as_f64()).unwrap_or(0.0)
}

fn requests(registry: &Registry, method: &str, route: &str, status: &str) -> f64 {
    let labels = [("method", method), ("route", route), ("status", status)];
    value(registry, REQUESTS, &labels)
}

fn total(registry: &Registry) -> f64 {
    let snapshot = registry.snapshot();
    let series = snapshot
        .family(REQUESTS)
        .map(|family| family.series().filter_map(|series| series.value().as_f64()).sum::<f64>());
    series.unwrap_or(0.0)
}

#[test]
fn requests_are_counted_and_timed_by_route_template() {
    let registry = Registry::new();
    let measure = Measure::new().registry(registry.clone());
    let served = Served::new(app::service(measure));
    let mut client = served.connect();
    for id in 0..50 {
        assert_eq!(client.get(&format!("/users/{id}")).status, 200);
        assert_eq!(client.get(&format!("/no/such/page/{id}")).status, 404);
        assert_eq!(client.get(&format!("/users/nobody{id}?x={id}")).status, 400);
    }
    assert_eq!(client.request("POST", "/orders", "").status, 201);
    assert_eq!(client.request("HEAD", "/", "").status, 200);
    for method in ["FROBNICATE", "get", "X-Y"] {
        assert_eq!(client.request(method, "/orders", "").status, 405);
    }
    assert_eq!(client.request("PATCH", "/orders", "").status, 405);

    // A request ends when its body was sent, which is a moment after the client has it.
    eventually("all counted", || total(&registry) >= 156.0);
    assert_eq!(requests(&registry, "GET", "/users/{id}", "2xx"), 50.0);
    assert_eq!(requests(&registry, "GET", "/users/{id}", "4xx"), 50.0);
    assert_eq!(requests(&registry, "GET", "unmatched", "4xx"), 50.0);
    assert_eq!(requests(&registry, "POST", "/orders", "2xx"), 1.0);
    assert_eq!(requests(&registry, "HEAD", "/", "2xx"), 1.0);
    assert_eq!(requests(&registry, "_OTHER", "/orders", "4xx"), 3.0);
    assert_eq!(requests(&registry, "PATCH", "/orders", "4xx"), 1.0);
    assert_eq!(value(&registry, ACTIVE, &[]), 0.0);

    let snapshot = registry.snapshot();
    let family = snapshot.family(REQUESTS).unwrap();
    assert_eq!(family.series().count(), 7, "what a client sends makes no series");
    let labels = [("method", "GET"), ("route", "/users/{id}"), ("status", "2xx")];
    let Some(nissa::snapshot::Value::Distribution(times)) = snapshot.get(DURATION, &labels) else {
        panic!("no distribution");
    };
    assert_eq!(times.count(), 50);
    assert!(times.sum() > 0.0);
}

#[test]
fn requests_at_work_are_shown_and_those_given_up_are_counted() {
    let registry = Registry::new();
    let (begun, go) = (std::sync::Arc::new(Notify::new()), std::sync::Arc::new(Notify::new()));
    let (tell, wait) = (begun.clone(), go.clone());
    let held = get(move || {
        let (tell, wait) = (tell.clone(), wait.clone());
        async move {
            tell.notify_one();
            wait.notified().await;
            "at last"
        }
    });
    let router = Router::new()
        .route("/held", held)
        .layer(Measure::new().registry(registry.clone()).route(|_| Some("/held")));
    let served = Served::new(router);
    assert_eq!(value(&registry, ACTIVE, &[]), 0.0);

    let mut first = served.connect();
    first.send("GET /held HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut second = served.connect();
    second.send("GET /held HTTP/1.1\r\nHost: test\r\n\r\n");
    eventually("two at work", || value(&registry, ACTIVE, &[]) == 2.0);
    assert_eq!(total(&registry), 0.0);

    drop(second);
    eventually("one given up", || value(&registry, ACTIVE, &[]) == 1.0);
    assert_eq!(requests(&registry, "GET", "/held", "none"), 1.0);
    go.notify_one();
    assert_eq!(first.response().text(), "at last");
    eventually("none at work", || value(&registry, ACTIVE, &[]) == 0.0);
    assert_eq!(requests(&registry, "GET", "/held", "2xx"), 1.0);
    drop(begun);
}

/// Fails for one path, panics for another, and answers the rest.
#[derive(Clone)]
struct Fragile;

impl Service<Request<Body>> for Fragile {
    type Response = ::http::Response<Body>;
    type Error = &'static str;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        std::future::ready(match request.uri().path() {
            "/fail" => Err("as the test wants it"),
            path => {
                let code = path.trim_start_matches('/').parse().unwrap();
                let answer =
                    ::http::Response::builder().status(StatusCode::from_u16(code).unwrap());
                Ok(answer.body(Body::empty()).unwrap())
            }
        })
    }
}

#[test]
fn every_end_of_a_request_has_a_status() {
    let registry = Registry::new();
    let bounds = Buckets::explicit(&[1.0]).unwrap();
    let measure = Measure::new().registry(registry.clone()).buckets(bounds);
    let mut service = measure.layer(Fragile);
    let mut ask = |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        runtime().block_on(service.call(request)).map(drop)
    };
    for code in ["/200", "/204", "/301", "/404", "/503", "/101", "/799"] {
        ask(code).unwrap();
    }
    assert_eq!(ask("/fail"), Err("as the test wants it"));
    for (status, count) in
        [("1xx", 1.0), ("2xx", 2.0), ("3xx", 1.0), ("4xx", 1.0), ("5xx", 1.0), ("other", 1.0)]
    {
        assert_eq!(requests(&registry, "GET", "unmatched", status), count, "{status}");
    }
    assert_eq!(requests(&registry, "GET", "unmatched", "none"), 1.0);
    assert_eq!(value(&registry, ACTIVE, &[]), 0.0);
    let snapshot = registry.snapshot();
    let labels = [("method", "GET"), ("route", "unmatched"), ("status", "2xx")];
    let Some(nissa::snapshot::Value::Distribution(times)) = snapshot.get(DURATION, &labels) else {
        panic!("no distribution");
    };
    assert_eq!(times.scheme().bounds(), [1.0]);
}

#[test]
fn the_endpoint_is_mounted_in_one_line() {
    let (registry, health) = (Registry::new(), Health::new());
    registry.counter("jobs_total", &[]).increment(3);
    let endpoint = Handler::with_routes(&registry, health.routes());
    let served = Served::new(Router::new().fallback_service(endpoint));
    let mut client = served.connect();
    let page = client.get("/metrics");
    assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(page.text().contains("\njobs_total 3\n"), "{}", page.text());
    assert_eq!(client.get("/live").status, 200);
    assert_eq!(client.get("/health").status, 200);
    assert_eq!(client.get("/nothing").status, 404);
    let refused = client.request("POST", "/metrics", "");
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
    health.set("database", Status::Critical, "gone");
    assert_eq!(client.get("/ready").status, 503);
    assert_eq!(client.request("HEAD", "/metrics", "").body, b"");
}
