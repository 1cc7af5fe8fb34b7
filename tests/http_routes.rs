//! What the endpoint answers to clients that behave.

#![cfg(all(feature = "server", unix))]

mod http;

use std::io::{Read, Write};
use std::sync::mpsc;

use http::{Client, Endpoint, SOON};
use nissa::monitor::Stage;
use nissa::route::{Response, Route};
use nissa::server::Server;

#[test]
fn the_page_and_its_headers() {
    let endpoint = Endpoint::new(Server::new());
    let response = endpoint.get("/metrics");
    assert_eq!(response.status, 200);
    assert!(response.text().contains("\njobs_total 3\n"));
    for (name, value) in [
        ("content-type", "text/plain; version=0.0.4; charset=utf-8"),
        ("vary", "Accept, Accept-Encoding"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    assert!(response.header("content-encoding").is_none());
    assert!(response.header("date").is_some());
}

#[test]
fn each_scrape_shows_what_was_recorded_before_it() {
    let endpoint = Endpoint::new(Server::new());
    let counter = endpoint.registry.counter("jobs_total", &[]);
    let mut client = endpoint.connect();
    for expected in 4..50 {
        counter.increment(1);
        let page = client.get("/metrics").text();
        assert!(page.contains(&format!("\njobs_total {expected}\n")), "{expected}");
    }
}

#[test]
fn the_format_is_negotiated() {
    let endpoint = Endpoint::new(Server::new());
    let accept =
        "Accept: application/openmetrics-text;version=1.0.0;q=0.5\r\nAccept: */*;q=0.1\r\n";
    let response = endpoint.connect().request("GET", "/metrics", accept);
    let content_type = response.header("content-type").unwrap();
    assert!(content_type.starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(response.text().ends_with("# EOF\n"));
}

#[test]
fn head_is_get_without_the_page() {
    let endpoint = Endpoint::new(Server::new());
    let mut client = endpoint.connect();
    let head = client.request("HEAD", "/", "");
    let get = client.get("/");
    assert_eq!((head.status, get.status), (200, 200));
    assert_eq!(head.header("content-length"), get.header("content-length"));
    assert_ne!(head.header("content-length"), Some("0"));
}

#[test]
fn pages_are_compressed_for_who_asks() {
    let endpoint = Endpoint::new(Server::new());
    for index in 0..100 {
        let label = index.to_string();
        endpoint.registry.counter("many_total", &[("index", &label)]).increment(1);
    }
    let get = |accepted: &str| {
        let header = format!("Accept-Encoding: {accepted}\r\n");
        endpoint.connect().request("GET", "/metrics?name[]=many_total", &header)
    };
    let plain = get("identity").text();
    let gzip = get("gzip, deflate");
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&gzip.body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain);
    let zstd = get("gzip, zstd");
    assert_eq!(zstd.header("content-encoding"), Some("zstd"));
    assert_eq!(zstd::decode_all(&zstd.body[..]).unwrap(), plain.as_bytes());
    assert!(gzip.body.len() * 4 < plain.len() && zstd.body.len() * 4 < plain.len());
}

#[test]
fn only_the_metrics_that_are_named() {
    let endpoint = Endpoint::new(Server::new());
    endpoint.registry.histogram("wait_seconds", &[]).record(0.1);
    endpoint.registry.gauge("workers", &[]).set(1);
    let names = |query: &str| -> Vec<String> {
        let text = endpoint.get(&format!("/metrics?{query}")).text();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(names("name[]=workers"), ["workers"]);
    assert_eq!(names("name%5B%5D=wait_seconds_bucket&name[]=jobs"), ["jobs_total", "wait_seconds"]);
    assert_eq!(names("name[]=nobody"), [""; 0]);
    assert_eq!(names("other=workers&name[]=workers&name[]=workers"), ["workers"]);
    assert!(names("other=1").len() > 3, "no filter");
}

#[test]
fn the_snapshot_as_json() {
    let endpoint = Endpoint::new(Server::new());
    let response = endpoint.get("/metrics.json?name[]=jobs_total");
    assert_eq!(response.header("content-type"), Some("application/json"));
    let page: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(page["metrics"][0]["name"], "jobs_total");
    assert_eq!(page["metrics"][0]["series"][0]["value"], 3);
}

#[test]
fn what_is_not_there_and_what_is_not_done() {
    let endpoint = Endpoint::new(Server::new());
    let mut client = endpoint.connect();
    for path in ["/nothing", "/metrics/", "/../../etc/passwd", "/%2e%2e/etc/passwd", "//metrics"] {
        let response = client.get(path);
        assert_eq!(response.status, 404, "{path}");
        assert_eq!(response.text().lines().count(), 1);
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"] {
        let response = client.request(method, "/metrics", "");
        assert_eq!(response.status, 405, "{method}");
        assert_eq!(response.header("allow"), Some("GET, HEAD"));
        assert_eq!(response.text().lines().count(), 1);
    }
    assert_eq!(client.get("/metrics").status, 200, "the connection is still good");
}

#[test]
fn the_list_of_routes() {
    let endpoint = Endpoint::new(Server::new());
    let text = endpoint.get("/").text();
    for path in ["/metrics", "/metrics.json", "/health", "/live", "/ready"] {
        assert!(text.contains(&format!("GET {path}\n")), "{text}");
    }
}

struct Routes(Vec<Route>);

impl Stage for Routes {
    fn name(&self) -> &'static str {
        "routes"
    }

    fn routes(&self) -> Vec<Route> {
        self.0.clone()
    }
}

#[test]
fn a_stage_s_routes() {
    let route = Route::get("/echo", |request| {
        let parameters = match request.parameters() {
            Ok(parameters) => parameters,
            Err(refused) => return refused,
        };
        let body = format!("{parameters:?} {:?}", request.header("x-mark"));
        Response::text(203, body).header("x-answer", "42").header("content-length", "1")
    });
    let mine = Route::get("/metrics", |_| Response::text(200, "not the metrics"));
    let routes = Routes(vec![route, mine]);
    let endpoint = Endpoint::with(Server::new(), |builder| builder.stage(routes));
    let mut client = endpoint.connect();
    let response = client.request("GET", "/echo?a=1%20b", "X-Mark: here\r\n");
    assert_eq!((response.status, response.header("x-answer")), (203, Some("42")));
    assert_eq!(response.text(), "[(\"a\", \"1 b\")] Some(\"here\")");
    assert_eq!(client.get("/echo?a=%zz").status, 400);
    assert!(client.get("/metrics").text().contains("jobs_total"), "its place is taken");
}

#[test]
fn a_panic_in_a_route_is_a_500_for_that_request() {
    let bad = Route::get("/bad", |_| panic!("as the test wants it"));
    let endpoint = Endpoint::with(Server::new(), |builder| builder.stage(Routes(vec![bad])));
    let mut client = endpoint.connect();
    for _ in 0..5 {
        assert_eq!(client.get("/bad").status, 500);
        assert_eq!(client.get("/metrics").status, 200);
    }
    assert_eq!(endpoint.rejected("panic"), 5.0);
}

#[test]
fn a_route_that_hangs_holds_up_nobody_else() {
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let slow = Route::get("/slow", move |_| {
        let _ = held.lock().unwrap().recv();
        Response::text(200, "done")
    });
    let quick = Route::get("/quick", |_| Response::text(200, "quick"));
    let server = Server::new().answer_time(http::SHORT);
    let endpoint = Endpoint::with(server, |builder| builder.stage(Routes(vec![slow, quick])));
    let mut hanging: Vec<Client> = (0..9).map(|_| endpoint.connect()).collect();
    for client in &mut hanging {
        client.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    for _ in 0..3 {
        endpoint.scrape();
        assert_eq!(endpoint.get("/quick").text(), "quick");
        assert_eq!(endpoint.get("/live").status, 200);
    }
    // Two hang, the others wait for their turn, and the time of all is over.
    for client in &mut hanging {
        assert_eq!(client.response().status, 503);
    }
    assert_eq!((endpoint.rejected("timeout"), endpoint.rejected("busy")), (9.0, 0.0));
    drop(release);
    http::eventually("the route is free again", || endpoint.get("/slow").status == 200);
}

/// All threads for routes are taken, and whoever restarts programs must not think this one dead.
#[test]
fn routes_that_hang_do_not_hide_that_the_program_lives() {
    let (begin, begun) = mpsc::channel();
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Arc::new(std::sync::Mutex::new(held));
    let hanging = ["/one", "/two"].map(|path| {
        let (begin, held) = (begin.clone(), std::sync::Arc::clone(&held));
        Route::get(path, move |_| {
            begin.send(()).unwrap();
            let _ = held.lock().unwrap().recv();
            Response::text(200, "done")
        })
    });
    let server = Server::new().answer_time(SOON);
    let endpoint = Endpoint::with(server, |builder| builder.stage(Routes(hanging.into())));
    let clients = ["/one", "/one", "/two", "/two"].map(|path| {
        let mut client = endpoint.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        client
    });
    clients.iter().for_each(|_| begun.recv_timeout(SOON).unwrap());
    assert_eq!(endpoint.get("/live").status, 200);
    drop(release);
}

#[test]
fn the_scraper_s_patience_is_respected() {
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let slow = Route::get("/slow", move |_| {
        let _ = held.lock().unwrap().recv();
        Response::text(200, "done")
    });
    let server = Server::new().answer_time(SOON);
    let endpoint = Endpoint::with(server, |builder| builder.stage(Routes(vec![slow])));
    let header = "X-Prometheus-Scrape-Timeout-Seconds: 0.2\r\n";
    assert_eq!(endpoint.connect().request("GET", "/slow", header).status, 503);
    drop(release);
    for odd in ["-1", "NaN", "inf", "1e999", "x", ""] {
        let header = format!("X-Prometheus-Scrape-Timeout-Seconds: {odd}\r\n");
        assert_eq!(endpoint.connect().request("GET", "/metrics", &header).status, 200, "{odd}");
    }
}

#[test]
fn the_endpoint_counts_what_it_does() {
    let endpoint = Endpoint::new(Server::new());
    let mut client = endpoint.connect();
    let length = client.get("/metrics").body.len();
    client.get("/nothing?with=a&long=query");
    client.get("/another");
    client.request("POST", "/metrics", "");
    endpoint.connect().send("nonsense\r\n\r\n").response();
    endpoint.wait_for_rejected("malformed", 1.0);
    let page = client.get("/metrics").text();
    for line in [
        "nissa_http_requests_total{code=\"200\",route=\"/metrics\"} 1",
        "nissa_http_requests_total{code=\"404\",route=\"other\"} 2",
        "nissa_http_requests_total{code=\"405\",route=\"/metrics\"} 1",
        "nissa_http_requests_total{code=\"400\",route=\"other\"} 1",
        "nissa_http_request_duration_seconds_count{route=\"/metrics\"} 2",
    ] {
        assert!(page.contains(&format!("\n{line}\n")), "{line} in {page}");
    }
    let bytes = page.lines().find(|l| l.starts_with("nissa_http_response_bytes_total{route=\"/m"));
    let bytes: usize = bytes.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(bytes > length && bytes < length + 100, "{bytes} for a page of {length} and a line");
    drop(client);
    http::eventually("nobody is connected", || endpoint.connections() == 0.0);
}

#[test]
fn several_addresses_and_a_unix_socket() {
    let file = std::env::temp_dir().join(format!("nissa-{}.sock", std::process::id()));
    // One that another process left behind.
    drop(std::os::unix::net::UnixListener::bind(&file).unwrap());
    let server = Server::new().listen("127.0.0.1:0").listen(format!("unix:{}", file.display()));
    let endpoint = Endpoint::new(server);
    let addresses = endpoint.guard.addresses();
    assert_eq!(addresses.len(), 2);
    for address in addresses {
        assert_eq!(Client::connect(address).get("/metrics").status, 200);
    }
    let mut stream = std::os::unix::net::UnixStream::connect(&file).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.contains("\njobs_total 3\n"));
    let taken = Server::new().listen(format!("unix:{}", file.display()));
    let taken = nissa::builder().registry(nissa::Registry::new()).server(taken).start();
    assert!(taken.unwrap_err().is_listen());
    drop(endpoint);
    assert!(!file.exists());
}
