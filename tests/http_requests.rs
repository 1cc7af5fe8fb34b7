//! Requests that nobody should send, and rare ones that somebody may: each gets the answer it
//! deserves, and a scraper beside it gets its page.

#![cfg(feature = "server")]

mod http;

use std::io::Read;

use http::{Client, Endpoint, Response};
use nissa::server::Server;

/// Sends bytes; the answer, after which the connection must end.
fn refused(endpoint: &Endpoint, request: impl AsRef<[u8]>) -> Response {
    let mut client = endpoint.connect();
    client.try_send(&request);
    let response = client.response();
    let shown = String::from_utf8_lossy(request.as_ref()).chars().take(200).collect::<String>();
    assert!(client.is_closed(), "{shown}");
    endpoint.scrape();
    response
}

fn headers(lines: &str) -> String {
    format!("GET /metrics HTTP/1.1\r\nHost: test\r\n{lines}\r\n")
}

#[test]
fn contradictions_about_length_end_the_connection() {
    let endpoint = Endpoint::new(Server::new());
    let smuggled = "GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n";
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: \r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Host: other\r\n",
    ] {
        for body in ["", "0\r\n\r\n", "hello"] {
            let request = format!("{}{body}{smuggled}", headers(lines));
            assert_eq!(refused(&endpoint, request).status, 400, "{lines:?} {body:?}");
        }
    }
}

#[test]
fn what_is_no_request_ends_the_connection() {
    let endpoint = Endpoint::new(Server::new());
    for request in [
        "GET /metrics HTTP/1.1\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost : test\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: test\r\n folded: yes\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: test\r\nA\0: b\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: test\r\nno colon\r\n\r\n",
        "GET /met rics HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET  /metrics HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /metrics HTTP/3.0\r\nHost: test\r\n\r\n",
        "GET /metrics HTTPS/1.1\r\nHost: test\r\n\r\n",
        "GET metrics HTTP/1.1\r\nHost: test\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n",
        "CONNECT test:80 HTTP/1.1\r\nHost: test\r\n\r\n",
        "\u{1}\u{2}\u{3}\r\n\r\n",
        "GET /metrics HTTP/1.1\rHost: test\r\r",
    ] {
        let response = refused(&endpoint, request);
        assert_eq!(response.status, 400, "{request:?}");
    }
    assert!(endpoint.rejected("malformed") >= 14.0);
}

#[test]
fn other_protocols_are_told_so() {
    let endpoint = Endpoint::new(Server::new());
    let h2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let response = refused(&endpoint, h2);
    assert_eq!((response.status, &*response.text()), (505, "only HTTP/1.1\n"));
    // The first bytes of a TLS client.
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20);
    assert_eq!(refused(&endpoint, hello).status, 400);
}

#[test]
fn what_is_too_long_is_refused() {
    let endpoint = Endpoint::new(Server::new());
    let many: String = (0..65).map(|index| format!("X-{index}: y\r\n")).collect();
    assert_eq!(refused(&endpoint, headers(&many)).status, 431);
    let few: String = (0..60).map(|index| format!("X-{index}: y\r\n")).collect();
    assert_eq!(endpoint.connect().request("GET", "/metrics", &few).status, 200);
    let long = format!("X: {}\r\n", "y".repeat(17 << 10));
    assert_eq!(refused(&endpoint, headers(&long)).status, 431);
    let endless = format!("GET /metrics HTTP/1.1\r\nX: {}", "y".repeat(1 << 20));
    assert_eq!(refused(&endpoint, endless).status, 431);
    let uri = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: test\r\n\r\n", "u".repeat(length));
    assert_eq!(refused(&endpoint, uri(8 << 10)).status, 414);
    assert_eq!(refused(&endpoint, uri(1 << 20)).status, 431);
    assert_eq!(endpoint.get(&format!("/{}", "u".repeat(8000))).status, 404);
    assert!(endpoint.rejected("too_large") >= 5.0);
}

#[test]
fn bodies_are_limited_however_they_come() {
    let endpoint = Endpoint::new(Server::new());
    let post = |lines: &str| format!("POST /metrics HTTP/1.1\r\nHost: test\r\n{lines}\r\n");
    // Announced and never sent: nothing is waited for, and nothing allocated.
    for (length, status) in [(65_537, 413), (1 << 60, 413), (u64::MAX - 1, 431)] {
        let request = post(&format!("Content-Length: {length}\r\n"));
        assert_eq!(refused(&endpoint, request).status, status, "{length}");
    }
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let chunked = post("Transfer-Encoding: chunked\r\n") + &chunk + &chunk;
    assert_eq!(refused(&endpoint, chunked).status, 413);
    let bad = post("Transfer-Encoding: chunked\r\n") + "zz\r\n";
    assert_eq!(refused(&endpoint, bad).status, 400);
    let huge = post("Transfer-Encoding: chunked\r\n") + "fffffffffffffffff\r\n";
    assert_eq!(refused(&endpoint, huge).status, 400);
    for encoding in ["gzip", "identity, gzip", "zstd"] {
        let lines = format!("Content-Encoding: {encoding}\r\nContent-Length: 3\r\n");
        assert_eq!(refused(&endpoint, post(&lines) + "abc").status, 415, "{encoding}");
    }
    // What is within the limits is no offence: the method is.
    let mut client = endpoint.connect();
    client.send(post("Content-Length: 65536\r\n") + &"x".repeat(65_536));
    assert_eq!(client.response().status, 405);
    assert_eq!(client.get("/metrics").status, 200, "the next request begins behind the body");
    client.send(post("Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\n\r\n");
    assert_eq!(client.response().status, 405);
    assert!(client.is_closed(), "who sends chunks sends nothing after them");
}

#[test]
fn a_huge_post_that_is_really_sent_is_not_read() {
    let endpoint = Endpoint::new(Server::new());
    let mut client = endpoint.connect();
    client.send("POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 1073741824\r\n\r\n");
    let piece = vec![b'x'; 1 << 20];
    let sent = (0..1024).take_while(|_| client.try_send(&piece)).count();
    assert!(sent < 64, "{sent} MiB were taken");
    endpoint.scrape();
}

#[test]
fn expectations() {
    let endpoint = Endpoint::new(Server::new());
    let mut client = endpoint.connect();
    client.send(
        "POST /metrics HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    );
    assert_eq!(client.response().status, 100);
    client.send("abc");
    assert_eq!(client.response().status, 405);
    assert_eq!(client.get("/metrics").status, 200);
    client.send(
        "POST /metrics HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 99999\r\n\r\n",
    );
    assert_eq!(client.response().status, 413, "no 100 before");
    assert!(client.is_closed());
    assert_eq!(refused(&endpoint, headers("Expect: a miracle\r\n")).status, 417);
}

#[test]
fn http_1_0_and_connections_that_stay() {
    let endpoint = Endpoint::new(Server::new());
    let mut client = endpoint.connect();
    client.send("GET /metrics HTTP/1.0\r\n\r\n");
    assert_eq!(client.response().status, 200);
    assert!(client.is_closed());
    let mut client = endpoint.connect();
    for _ in 0..3 {
        client.send("GET /metrics HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(client.response().status, 200);
    }
    let response = client.request("GET", "/metrics", "Connection: close\r\n");
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    assert!(client.is_closed());
    let mut client = endpoint.connect();
    client.send("GET http://test/metrics HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.response().status, 200, "as proxies ask");
}

#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let endpoint = Endpoint::new(Server::new());
    let mut client = endpoint.connect();
    let paths = ["/metrics", "/nothing", "/metrics.json", "/"];
    let requests: String = (0..100)
        .map(|index| format!("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", paths[index % 4]))
        .collect();
    client.send(requests);
    for index in 0..100 {
        let response = client.response();
        let expected = [200, 404, 200, 200][index % 4];
        assert_eq!(response.status, expected, "the answer to request {index}");
        let is_json = response.header("content-type") == Some("application/json");
        assert_eq!(is_json, index % 4 == 2, "the answer to request {index}");
    }
}

#[test]
fn too_many_requests_ahead_end_the_connection() {
    let endpoint = Endpoint::new(Server::new().pipelined(10));
    let mut client = endpoint.connect();
    client.send("GET /nothing HTTP/1.1\r\nHost: test\r\n\r\n".repeat(300));
    assert_eq!(client.response().status, 429);
    assert!(client.is_closed());
    endpoint.scrape();
}

#[test]
fn a_client_that_has_said_all_gets_its_answer() {
    let endpoint = Endpoint::new(Server::new());
    let mut client = endpoint.connect();
    client.send("GET /metrics HTTP/1.1\r\nHost: test\r\n\r\nGET / HTTP/1.1\r\nHost: test\r\n\r\n");
    client.stream.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    assert!(client.response().text().contains("jobs_total"));
    assert!(client.response().text().contains("GET /metrics"));
    assert!(client.is_closed());
}

#[test]
fn queries_that_make_no_sense() {
    let endpoint = Endpoint::new(Server::new());
    let params = |count: usize| "a=1&".repeat(count);
    for bad in ["name[]=%", "name[]=%zz", "name[]=%ff%fe", &params(2000)] {
        let response = endpoint.get(&format!("/metrics?{bad}"));
        assert_eq!(response.status, 400, "{bad}");
        assert!(response.body.len() < 200);
    }
    for odd in ["limit=-1", "", "&&&", "=", "name[]", "name[]=", "a=b=c", &params(100)] {
        assert_eq!(endpoint.get(&format!("/metrics?{odd}")).status, 200, "{odd}");
    }
    // Not UTF-8 at all.
    let mut client = endpoint.connect();
    client.send(b"GET /metrics?name[]=\xff\xfe HTTP/1.1\r\nHost: test\r\n\r\n");
    assert!([200, 400].contains(&client.response().status));
    endpoint.scrape();
}

#[test]
fn odd_accept_headers_get_the_default() {
    let endpoint = Endpoint::new(Server::new());
    let long = format!("{};q=0.5", "a/b,".repeat(2000));
    for accept in ["", ",", ";;;", "q=", "*/*;q=nan", "text/plain;version=9", &long, "\u{1f600}"] {
        let response =
            endpoint.connect().request("GET", "/metrics", &format!("Accept: {accept}\r\n"));
        assert_eq!(response.status, 200);
        assert!(response.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    }
}

#[test]
fn one_byte_at_a_time_is_a_request_too() {
    let endpoint = Endpoint::new(Server::new());
    let mut client = endpoint.connect();
    for byte in b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n" {
        client.send([*byte]);
    }
    assert_eq!(client.response().status, 200);
}

/// Labels of the endpoint's own metrics come from closed sets, whatever is asked for.
#[test]
fn nobody_can_make_series() {
    let endpoint = Endpoint::new(Server::new());
    let mut client = endpoint.connect();
    let one = |client: &mut Client, index: usize| {
        client.request(&format!("M{index}"), &format!("/{index}?{index}"), "");
        client.request(&format!("M{index}"), "/metrics", "");
    };
    one(&mut client, 0);
    let series = |endpoint: &Endpoint| endpoint.registry.cardinality().series;
    endpoint.scrape();
    let before = series(&endpoint);
    (1..200).for_each(|index| one(&mut client, index));
    assert_eq!(series(&endpoint), before);
    let mut rest = Vec::new();
    client.stream.get_ref().shutdown(std::net::Shutdown::Both).unwrap();
    let _ = client.stream.read_to_end(&mut rest);
}

/// Who sets no limit gets none, and no panic from a sum that is too large.
#[test]
fn limits_may_be_as_large_as_numbers_go() {
    let forever = std::time::Duration::MAX;
    let server = Server::new().connections(usize::MAX).headers(usize::MAX).pipelined(usize::MAX);
    let server = server.header_bytes(usize::MAX).uri_bytes(usize::MAX).body_bytes(usize::MAX);
    let server = server.header_time(forever).body_time(forever).handshake_time(forever);
    let server = server.answer_time(forever).write_stall(forever).response_time(forever);
    let server = server.idle_time(forever).drain(forever).page_memory(usize::MAX);
    let endpoint = Endpoint::new(server);
    let mut client = endpoint.connect();
    for _ in 0..3 {
        assert_eq!(client.request("POST", "/metrics", "Content-Length: 0\r\n").status, 405);
        assert_eq!(client.get("/metrics").status, 200);
    }
    drop(client);
    assert!(endpoint.guard.shutdown());
}
