//! Many scrapes at once: one reading serves all who wait, and none is older than its request.

#![cfg(feature = "server")]

mod host;
mod http;

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use http::{Endpoint, SOON};
use nissa::server::{Handler, Server};

/// The value of the counter on a page.
fn jobs(page: &str) -> u64 {
    let line = page.lines().find(|line| line.starts_with("jobs_total ")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// What was recorded before a request is on its page, however many scrape at once; what is
/// recorded while it is under way may be.
#[test]
fn no_page_is_older_than_its_request() {
    let endpoint = Endpoint::new(Server::new());
    let counter = endpoint.registry.counter("jobs_total", &[]);
    for index in 0..5000 {
        endpoint.registry.counter("large_total", &[("index", &index.to_string())]).increment(1);
    }
    let recorded = AtomicU64::new(3);
    std::thread::scope(|scope| {
        for scraper in 0..6 {
            let (endpoint, recorded, counter) = (&endpoint, &recorded, &counter);
            scope.spawn(move || {
                let mut client = endpoint.connect();
                let accepted = ["identity", "gzip", "zstd"][scraper % 3];
                for _ in 0..30 {
                    counter.increment(1);
                    let before = recorded.fetch_add(1, SeqCst) + 1;
                    let header = format!("Accept-Encoding: {accepted}\r\n");
                    let response = client.request("GET", "/metrics", &header);
                    let page = match response.header("content-encoding") {
                        None => response.body,
                        Some("gzip") => {
                            let mut page = Vec::new();
                            let mut reader = flate2::read::GzDecoder::new(&response.body[..]);
                            std::io::copy(&mut reader, &mut page).unwrap();
                            page
                        }
                        Some(_) => zstd::decode_all(&response.body[..]).unwrap(),
                    };
                    // Six count, then say so: up to six may have counted and not said it yet.
                    let (shown, after) =
                        (jobs(&String::from_utf8(page).unwrap()), recorded.load(SeqCst));
                    assert!((before..=after + 6).contains(&shown), "{before} {shown} {after}");
                }
            });
        }
    });
}

/// The same page for all who ask at once is one page in memory.
#[test]
fn a_crowd_of_scrapers_costs_one_page() {
    const SCRAPERS: usize = 50;
    if host::scenario().is_none() {
        let test = "a_crowd_of_scrapers_costs_one_page";
        return host::play(test, test, 2 * SOON);
    }
    let endpoint = Endpoint::new(Server::new());
    for index in 0..100_000 {
        let name = format!("large_{}_total", index % 100);
        endpoint.registry.counter(&name, &[("index", &index.to_string())]).increment(1);
    }
    let page = endpoint.get("/metrics").body.len();
    let before = host::resident_bytes();
    let mut clients: Vec<_> = (0..SCRAPERS).map(|_| endpoint.connect()).collect();
    for client in &mut clients {
        client.send("GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    // All are under way before the first is read.
    let mut most = 0;
    for client in &mut clients {
        most = most.max(host::resident_bytes().saturating_sub(before));
        let mut part = [0; 1000];
        std::io::Read::read_exact(&mut client.stream, &mut part).unwrap();
        assert!(part.starts_with(b"HTTP/1.1 200 "));
    }
    assert!(host::sanitized() || most < 6 * page, "{most} bytes for pages of {page}");
}

#[test]
fn more_scrapers_than_may_wait_are_told_at_once() {
    // With a runtime of the program's, as in axum, nothing else limits how many there are.
    let registry = nissa::Registry::new();
    for index in 0..20_000 {
        let name = format!("large_{}_total", index % 10);
        registry.counter(&name, &[("index", &index.to_string())]).increment(1);
    }
    let handler = Handler::new(&registry);
    let barrier = Barrier::new(8);
    let refused = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    barrier.wait();
                    let get = || ::http::Request::get("/metrics").body(()).unwrap();
                    let all: Vec<_> =
                        (0..200).map(|_| tokio::spawn(handler.handle(get()))).collect();
                    for one in all {
                        match one.await.unwrap().status().as_u16() {
                            200 => {}
                            503 => drop(refused.fetch_add(1, SeqCst)),
                            other => panic!("{other}"),
                        }
                    }
                });
            });
        }
    });
    let refused = refused.load(SeqCst);
    assert!(refused > 0 && refused < 1600, "{refused} of 1600");
    let snapshot = registry.snapshot();
    let counted = snapshot.get("nissa_http_rejected_total", &[("reason", "busy")]).unwrap();
    assert_eq!(counted.as_f64(), Some(refused as f64));
}

#[test]
fn a_page_that_takes_too_long_is_a_503() {
    let endpoint = Endpoint::new(Server::new());
    for index in 0..20_000 {
        let name = format!("large_{}_total", index % 10);
        endpoint.registry.counter(&name, &[("index", &index.to_string())]).increment(1);
    }
    let mut client = endpoint.connect();
    let patience = "X-Prometheus-Scrape-Timeout-Seconds: 0.000001\r\n";
    let response = client.request("GET", "/metrics", patience);
    assert_eq!((response.status, &*response.text()), (503, "it took too long\n"));
    assert_eq!(client.get("/metrics").status, 200, "who has patience gets it");
    assert_eq!(endpoint.rejected("timeout"), 1.0);
}

/// In a server of the program's, on a runtime of the program's.
#[test]
fn behind_the_program_s_own_hyper() {
    use hyper::server::conn::http1;
    use hyper_util::rt::TokioIo;

    let registry = nissa::Registry::new();
    registry.counter("jobs_total", &[]).increment(3);
    let handler = Handler::with_routes(&registry, nissa::health::Health::new().routes());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = std::thread::spawn(move || {
        let mut client = http::Client::connect(address);
        ["/metrics", "/live", "/nothing"].map(|path| client.get(path).status)
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        http1::Builder::new().serve_connection(TokioIo::new(stream), handler).await.unwrap();
    });
    assert_eq!(client.join().unwrap(), [200, 200, 404]);
}

/// A future that is dropped leaves nothing behind that keeps others from their page.
#[test]
fn scrapers_that_go_away() {
    let handler = Handler::new(&nissa::Registry::new());
    let get = || ::http::Request::get("/metrics").body(()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for _ in 0..1000 {
            let task = tokio::spawn(handler.handle(get()));
            tokio::task::yield_now().await;
            task.abort();
        }
        // Those that were begun are still being answered, to nobody.
        let start = std::time::Instant::now();
        while handler.handle(get()).await.status() != 200 {
            assert!(start.elapsed() < SOON, "they hold the endpoint for good");
            tokio::task::yield_now().await;
        }
    });
}
