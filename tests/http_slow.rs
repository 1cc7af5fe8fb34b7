//! Clients that take their time: each is cut at its deadline, and a scraper beside them does not
//! notice.

#![cfg(feature = "server")]

mod host;
mod http;

use std::io::Read;
use std::time::{Duration, Instant};

use http::{Client, Endpoint, SHORT, SOON};
use nissa::server::Server;

/// Some megabytes: more than the sockets of both sides take in without anybody reading.
fn large(endpoint: &Endpoint) -> usize {
    let value = "v".repeat(3000);
    for index in 0..5000 {
        let labels = [("index", &*index.to_string()), ("value", &*value)];
        endpoint.registry.counter(&format!("large_{}_total", index % 40), &labels).increment(1);
    }
    endpoint.get("/metrics").body.len()
}

/// Waits for the end of a connection; what was read until then.
fn rest(client: &mut Client) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest);
    rest
}

#[test]
fn headers_that_never_end() {
    let endpoint = Endpoint::new(Server::new().header_time(SHORT));
    let mut silent: Vec<Client> = (0..20).map(|_| endpoint.connect()).collect();
    let mut begun: Vec<Client> = (0..20).map(|_| endpoint.connect()).collect();
    for client in &mut begun {
        client.send("GET /metrics HTTP/1.1\r\nHost: te");
    }
    // One that adds a header now and then, which keeps many a server waiting for ever.
    let address = endpoint.address();
    let dripping = std::thread::spawn(move || {
        let mut client = Client::connect(address);
        client.send("GET /metrics HTTP/1.1\r\n");
        let start = Instant::now();
        while start.elapsed() < SOON && client.try_send("X-A: b\r\n") {
            std::thread::sleep(Duration::from_millis(20));
        }
        start.elapsed()
    });
    endpoint.scrape();
    for client in silent.iter_mut().chain(&mut begun) {
        let said = String::from_utf8(rest(client)).unwrap();
        assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    }
    assert!(dripping.join().unwrap() < SOON, "it was never cut");
    assert!(endpoint.rejected("slow_request") >= 41.0);
    endpoint.scrape();
    http::eventually("their places are free", || endpoint.connections() == 0.0);
}

#[test]
fn a_second_request_has_a_deadline_of_its_own() {
    let endpoint = Endpoint::new(Server::new().header_time(Duration::from_secs(1)));
    let mut client = endpoint.connect();
    for _ in 0..2 {
        assert_eq!(client.get("/metrics").status, 200);
        // One that comes now and says nothing is cut; who has asked may think for longer.
        assert!(endpoint.connect().is_closed());
    }
    client.send("GET /metrics HTTP/1.1\r\nHo");
    assert!(rest(&mut client).starts_with(b"HTTP/1.1 408 "));
}

#[test]
fn connections_that_nobody_uses_any_more() {
    let endpoint = Endpoint::new(Server::new().idle_time(SHORT));
    let mut client = endpoint.connect();
    assert_eq!(client.get("/metrics").status, 200);
    assert_eq!(rest(&mut client), b"", "closed without a word");
    assert_eq!(endpoint.rejected("slow_request"), 0.0);
}

#[test]
fn bodies_that_never_end() {
    let endpoint = Endpoint::new(Server::new().body_time(SHORT));
    for start in ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nab"] {
        let mut client = endpoint.connect();
        client.send(format!("POST /metrics HTTP/1.1\r\nHost: test\r\n{start}"));
        endpoint.scrape();
        assert_eq!(client.response().status, 408);
        assert!(client.is_closed());
    }
    assert_eq!(endpoint.rejected("slow_body"), 2.0);
}

/// One that never reads holds its socket and no page of its own, and is cut at its deadline.
#[test]
fn readers_that_never_read() {
    let endpoint = Endpoint::new(Server::new().write_stall(SHORT));
    let page = large(&endpoint);
    assert!(page > 12 << 20, "{page} bytes");
    let before = host::resident_bytes();
    let mut clients: Vec<Client> = (0..40).map(|_| endpoint.connect()).collect();
    for client in &mut clients {
        client.send("GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n".repeat(100));
    }
    let mut most = 0;
    while endpoint.rejected("slow_reader") + endpoint.rejected("busy") < 20.0 {
        endpoint.get("/live");
        most = most.max(host::resident_bytes().saturating_sub(before));
    }
    if !host::sanitized() {
        // Pages of different moments may be under way; but never one for each of forty.
        assert!(most < 10 * page, "{} pages at once", most / page);
    }
    http::eventually("all are cut", || endpoint.connections() == 0.0);
    let response = endpoint.get("/metrics");
    assert_eq!((response.status, response.body.len() > page / 2), (200, true));
}

#[test]
fn a_reader_who_reads_drop_by_drop() {
    let endpoint = Endpoint::new(Server::new().write_stall(SHORT));
    large(&endpoint);
    let mut client = endpoint.connect();
    client.send("GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n");
    // 1 KiB in 20 ms is 15 KiB in the time in which 64 KiB are asked for.
    let mut drop = [0; 1 << 10];
    let start = Instant::now();
    while endpoint.rejected("slow_reader") == 0.0 {
        assert!(start.elapsed() < SOON);
        let _ = client.stream.get_mut().read(&mut drop);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_reader_who_is_slow_and_steady_gets_it_all() {
    let endpoint = Endpoint::new(Server::new().write_stall(Duration::from_secs(2)));
    let page = large(&endpoint);
    let mut client = endpoint.connect();
    client.send("GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    let mut piece = vec![0; 256 << 10];
    let mut read = 0;
    loop {
        match client.stream.get_mut().read(&mut piece).unwrap() {
            0 => break,
            more => read += more,
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(read >= page, "{read} of {page}");
    assert_eq!(endpoint.rejected("slow_reader"), 0.0);
}

#[test]
fn a_response_as_a_whole_has_a_deadline() {
    let server = Server::new().write_stall(SOON).response_time(SHORT);
    let endpoint = Endpoint::new(server);
    large(&endpoint);
    let mut client = endpoint.connect();
    client.send("GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n");
    endpoint.wait_for_rejected("slow_reader", 1.0);
    http::eventually("it is cut", || endpoint.connections() == 0.0);
}

/// Pages that slow readers hold are limited: the slowest goes when room is needed.
#[test]
fn slow_readers_do_not_fill_the_memory() {
    let server = Server::new().write_stall(SOON).response_time(SOON).page_memory(1 << 20);
    let endpoint = Endpoint::new(server);
    large(&endpoint);
    let mut clients = Vec::new();
    let start = Instant::now();
    while endpoint.rejected("slow_reader") < 3.0 {
        assert!(start.elapsed() < SOON);
        let mut client = endpoint.connect();
        client.send("GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n");
        clients.push(client);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(endpoint.rejected("busy") > 0.0, "some had to wait for a slow one to be slow");
}
