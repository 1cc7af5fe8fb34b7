//! A client that says exactly what a test wants it to, and a server for it to say it to.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nissa::Registry;
use nissa::monitor::Guard;
use nissa::server::Server;

/// Longer than anything takes that works; what hangs would do so for ever.
pub const SOON: Duration = Duration::from_secs(60);
/// For limits that are to be hit.
pub const SHORT: Duration = Duration::from_millis(300);

/// A server on a free port, over a registry with one counter.
pub struct Endpoint {
    pub registry: Registry,
    pub guard: Guard,
}

impl Endpoint {
    pub fn new(server: Server) -> Self {
        Self::with(server, |builder| builder)
    }

    pub fn with(
        server: Server,
        change: impl FnOnce(nissa::monitor::Builder) -> nissa::monitor::Builder,
    ) -> Self {
        let registry = Registry::new();
        registry.counter("jobs_total", &[]).increment(3);
        let builder = nissa::builder().registry(registry.clone());
        let guard = change(builder).server(server.listen("127.0.0.1:0")).start().unwrap();
        Self { registry, guard }
    }

    pub fn address(&self) -> SocketAddr {
        self.guard.addresses()[0]
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// One request on a connection of its own.
    pub fn get(&self, path: &str) -> Response {
        self.connect().get(path)
    }

    /// What a scraper does; panics if it does not get its page. Where limits are short and the
    /// machine is busy it may be late itself: then it is told, or pushed out by those who come
    /// before it asks, which is counted, and it tries again.
    pub fn scrape(&self) -> String {
        for _ in 0..20 {
            let mut client = self.connect();
            client.try_send("GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n");
            if !client.is_answered() {
                assert!(self.all_rejected() > 0.0, "no answer, and nobody was rejected");
                continue;
            }
            let response = client.response();
            if response.status == 408 {
                continue;
            }
            assert_eq!(response.status, 200, "{response:?}");
            let text = response.text();
            assert!(text.contains("\njobs_total "), "{text}");
            return text;
        }
        panic!("late twenty times");
    }

    fn all_rejected(&self) -> f64 {
        let snapshot = self.registry.snapshot();
        let family = snapshot.family("nissa_http_rejected_total");
        let series = family.iter().flat_map(|family| family.series());
        series.filter_map(|series| series.value().as_f64()).sum()
    }

    pub fn rejected(&self, reason: &str) -> f64 {
        let snapshot = self.registry.snapshot();
        let value = snapshot.get("nissa_http_rejected_total", &[("reason", reason)]);
        value.and_then(|value| value.as_f64()).unwrap_or(0.0)
    }

    /// Waits until so many were refused for this reason.
    pub fn wait_for_rejected(&self, reason: &str, count: f64) {
        eventually(&format!("{count} rejected for {reason}"), || self.rejected(reason) >= count);
    }

    pub fn connections(&self) -> f64 {
        self.registry.snapshot().value("nissa_http_connections").unwrap_or(0.0)
    }
}

/// Waits until something holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// One connection.
pub struct Client {
    pub stream: BufReader<TcpStream>,
}

#[derive(Debug, PartialEq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, SOON).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_write_timeout(Some(SOON)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Sends what the server may not want any more.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    pub fn get(&mut self, path: &str) -> Response {
        self.request("GET", path, "")
    }

    /// `headers` are whole lines.
    pub fn request(&mut self, method: &str, path: &str, headers: &str) -> Response {
        self.try_send(format!("{method} {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n"));
        self.read_response(method != "HEAD")
    }

    /// Waits for the first byte; false if the server has closed before.
    fn is_answered(&mut self) -> bool {
        self.stream.fill_buf().is_ok_and(|bytes| !bytes.is_empty())
    }

    pub fn response(&mut self) -> Response {
        self.read_response(true)
    }

    fn read_response(&mut self, has_body: bool) -> Response {
        let status = self.line();
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.expect("a status line");
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').expect("a header");
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, headers, body: Vec::new() };
        if has_body {
            let length = response.header("content-length").map_or(0, |it| it.parse().unwrap());
            response.body = vec![0; length];
            self.stream.read_exact(&mut response.body).unwrap();
        }
        response
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line in time");
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// Whether the server has closed, or closes soon; what it still says does not count.
    pub fn is_closed(&mut self) -> bool {
        let mut ignored = Vec::new();
        match self.stream.read_to_end(&mut ignored) {
            Ok(_) => true,
            Err(error) => !matches!(
                error.kind(),
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
            ),
        }
    }
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| &**value)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// A socket that exists already and goes nowhere yet.
#[cfg(target_os = "linux")]
pub struct Unconnected(std::os::fd::OwnedFd);

#[cfg(target_os = "linux")]
impl Unconnected {
    pub fn new() -> Self {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
        let flags = SockFlag::SOCK_CLOEXEC;
        Self(socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap())
    }

    pub fn connect(self, address: SocketAddr) -> Client {
        use std::os::fd::AsRawFd;

        use nix::sys::socket::{SockaddrIn, connect};
        let SocketAddr::V4(address) = address else { panic!("{address}") };
        connect(self.0.as_raw_fd(), &SockaddrIn::from(address)).unwrap();
        let stream = TcpStream::from(self.0);
        stream.set_read_timeout(Some(SOON)).unwrap();
        Client { stream: BufReader::new(stream) }
    }
}
