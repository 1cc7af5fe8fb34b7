//! Streams of events: what is published arrives, a client that does not read is cut, and streams
//! never keep a scraper out.

#![cfg(feature = "server")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nissa::Registry;
use nissa::monitor::{Guard, Stage};
use nissa::route::{Feed, Response, Route};
use nissa::server::Server;

const LIMIT: Duration = Duration::from_secs(30);

struct Events(Feed);

impl Stage for Events {
    fn name(&self) -> &'static str {
        "events"
    }

    fn routes(&self) -> Vec<Route> {
        let feed = self.0.clone();
        vec![Route::get("/events", move |_| Response::events(&feed)).quick()]
    }

    fn stop(&mut self, _: Duration) {
        self.0.close();
    }
}

fn serve(server: Server) -> (Guard, SocketAddr, Feed) {
    let feed = Feed::new();
    let builder = nissa::builder().registry(Registry::new());
    let guard = builder.server(server.listen("127.0.0.1:0")).stage(Events(feed.clone()));
    let guard = guard.start().unwrap();
    let address = guard.addresses()[0];
    (guard, address, feed)
}

fn ask(address: SocketAddr, path: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    BufReader::new(stream)
}

fn head(reader: &mut impl BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "closed after {head:?}");
    }
    head.to_lowercase()
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LIMIT, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn events_arrive_as_they_are_published_and_end_with_the_feed() {
    let (guard, address, feed) = serve(Server::new());
    let mut readers = [ask(address, "/events"), ask(address, "/events")];
    for reader in &mut readers {
        let head = head(reader);
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        assert!(!head.contains("content-length"), "{head}");
    }
    assert_eq!(feed.readers(), 2);
    feed.publish("data: 1\n\n");
    for reader in &mut readers {
        let mut chunk = String::new();
        (0..3).for_each(|_| _ = reader.read_line(&mut chunk).unwrap());
        assert_eq!(chunk, "9\r\ndata: 1\n\n");
    }
    feed.publish("data: 2\n\n");
    assert!(guard.shutdown());
    for reader in &mut readers {
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n");
    }
    assert_eq!(feed.readers(), 0);
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let (_guard, address, feed) = serve(Server::new().write_stall(Duration::from_millis(100)));
    let mut lazy = ask(address, "/events");
    head(&mut lazy);
    let event = format!("data: {}\n\n", "x".repeat(1 << 20));
    wait_for("it is never cut", || {
        feed.publish(event.clone());
        feed.readers() == 0
    });
}

#[test]
fn streams_make_room_for_who_asks_for_a_page() {
    let (_guard, address, feed) = serve(Server::new().connections(4));
    let mut streams: Vec<_> = (0..4).map(|_| ask(address, "/events")).collect();
    streams.iter_mut().for_each(|stream| _ = head(stream));
    assert_eq!(feed.readers(), 4);
    let mut page = ask(address, "/metrics");
    assert!(head(&mut page).starts_with("http/1.1 200"));
    wait_for("no stream went", || feed.readers() == 3);
}
