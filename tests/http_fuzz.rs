//! What strangers send, changed at random (see `fuzz`).
//!
//! What is asked of each input is little, and true of every one: no panic, an answer that is HTTP
//! with a status that is documented, an end, and a scraper beside it that gets its page.

#![cfg(feature = "server")]

mod fuzz;
mod http;

use std::future::Future;
use std::io::Read;
use std::time::Duration;

use ::http::{HeaderValue, Request};
use fuzz::fuzz;
use http::{Client, Endpoint};
use nissa::expose::Format;
use nissa::server::{Handler, Server};

/// Statuses that the endpoint's documentation names.
const DOCUMENTED: [u16; 13] = [100, 200, 400, 404, 405, 408, 413, 414, 415, 417, 429, 431, 505];

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

#[test]
fn accept_headers() {
    let seeds: [&[u8]; 4] = [
        b"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
        b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        b"text/plain; version=\"1.0.0\"; escaping=values",
        b"application/openmetrics-text;version=2.0.0",
    ];
    let words: [&[u8]; 8] = [b";q=", b"version=", b"\"", b",", b"*/*", b"\\", b";;", b"1e999"];
    let registry = nissa::Registry::new();
    registry.counter("a.b", &[("k", "v")]).increment(1);
    let handler = Handler::new(&registry);
    fuzz("accept", |random| {
        let accept = random.input(&seeds, &words);
        let encoding = random.input(&[b"gzip;q=0.5, zstd, identity;q=0"], &words);
        let text = String::from_utf8_lossy(&accept);
        let format = Format::negotiate(&text);
        assert!(format.content_type().contains('/'));
        let (Ok(accept), Ok(encoding)) =
            (HeaderValue::from_bytes(&accept), HeaderValue::from_bytes(&encoding))
        else {
            return;
        };
        let request = Request::get("/metrics").header("accept", accept);
        let request = request.header("accept-encoding", encoding).body(()).unwrap();
        let response = block_on(handler.handle(request));
        assert_eq!(response.status(), 200);
        assert!(!response.into_body().into_bytes().is_empty());
    });
}

#[test]
fn query_strings() {
    let seeds: [&[u8]; 4] = [
        b"name[]=jobs_total&name%5B%5D=wait_seconds_bucket",
        b"name[]=%E2%82%AC&a=b+c&limit=-1",
        b"&&=&name[]",
        b"name[]=x&name[]=x&name[]=y",
    ];
    let words: [&[u8]; 7] = [b"%", b"%ff", b"&", b"=", b"name[]=", b"%00", b"+"];
    let registry = nissa::Registry::new();
    registry.counter("jobs_total", &[]).increment(1);
    let handler = Handler::new(&registry);
    fuzz("query", |random| {
        let mut target = b"/metrics?".to_vec();
        target.extend(random.input(&seeds, &words));
        let Ok(uri) = ::http::Uri::try_from(target) else { return };
        let response = block_on(handler.handle(Request::get(uri).body(()).unwrap()));
        let status = response.status().as_u16();
        assert!([200, 400].contains(&status), "{status}");
        let body = response.into_body().into_bytes();
        assert!(status == 200 || body.starts_with(b"bad query: "), "{body:?}");
    });
}

#[test]
fn bytes_of_a_connection() {
    let seeds: [&[u8]; 8] = [
        b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /?x=1 HTTP/1.0\r\n\r\n",
        b"HEAD /metrics.json HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ];
    let words: [&[u8]; 14] = [
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b":",
        b"\r\n\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Host: b\r\n",
        b"99999999999",
        b"HTTP/1.1",
        b"\xff",
        b"Connection: close\r\n",
    ];
    let limit = Duration::from_millis(50);
    let server = Server::new().header_time(limit).body_time(limit).idle_time(limit);
    let endpoint = Endpoint::new(server);
    let mut inputs = 0;
    fuzz("connection", |random| {
        let input = random.input(&seeds, &words);
        let mut client = Client::connect(endpoint.address());
        // In one piece or two, as networks do.
        let (first, second) = input.split_at(random.below(input.len()));
        client.try_send(first);
        client.try_send(second);
        // No more is to come, so the answer has to.
        let _ = client.stream.get_ref().shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = client.stream.read_to_end(&mut answer);
        if !answer.is_empty() {
            let text = String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned();
            let status = text.strip_prefix("HTTP/1.").and_then(|text| text.get(2..5)?.parse().ok());
            let status: u16 = status.unwrap_or_else(|| panic!("{text:?} to {input:?}"));
            assert!(DOCUMENTED.contains(&status), "{status} to {input:?}");
        }
        inputs += 1;
        if inputs % 50 == 0 {
            endpoint.scrape();
        }
    });
    endpoint.scrape();
    assert_eq!(endpoint.rejected("panic"), 0.0);
    http::eventually("all are gone", || endpoint.connections() == 0.0);
}
