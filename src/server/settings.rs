//! What the endpoint listens on, and what it allows.

use std::fmt;
use std::time::Duration;

use super::access::Access;
use super::pages;
use super::password::PasswordHash;
use super::tls::Tls;

/// The endpoint's settings. Every limit on what a client controls is here, with a default that is
/// fit for use.
///
/// ```
/// use std::time::Duration;
/// use nissa::server::Server;
///
/// let server = Server::new()
///     .listen("127.0.0.1:0")
///     .listen("[::1]:0")
///     .token("s3cret")
///     .open("/live")
///     .connections(64)
///     .write_stall(Duration::from_secs(5));
/// let guard = nissa::builder().registry(nissa::Registry::new()).server(server).start();
/// # if let Ok(guard) = &guard { assert_eq!(guard.addresses().len(), 2) }
/// ```
#[must_use = "a server listens once it is given to a builder that installs"]
#[derive(Default)]
pub struct Server {
    pub(super) addresses: Vec<String>,
    pub(super) optional: bool,
    pub(super) limits: Limits,
    pub(super) access: Access,
    pub(super) tls: Option<Tls>,
}

/// What a client may do, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connections: usize,
    pub(super) header_bytes: usize,
    pub(super) headers: usize,
    pub(super) uri_bytes: usize,
    pub(super) body_bytes: usize,
    pub(super) pipelined: usize,
    pub(super) header_time: Duration,
    pub(super) body_time: Duration,
    pub(super) handshake_time: Duration,
    pub(super) answer_time: Duration,
    pub(super) write_stall: Duration,
    pub(super) response_time: Duration,
    pub(super) idle_time: Duration,
    pub(super) drain: Duration,
    pub(super) pages: pages::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        const TEN: Duration = Duration::from_secs(10);
        Self {
            connections: 256,
            header_bytes: 16 << 10,
            headers: 64,
            uri_bytes: 8 << 10,
            body_bytes: 64 << 10,
            pipelined: 128,
            header_time: TEN,
            body_time: TEN,
            handshake_time: TEN,
            answer_time: TEN,
            write_stall: TEN,
            response_time: Duration::from_secs(120),
            idle_time: Duration::from_secs(120),
            drain: Duration::from_millis(500),
            pages: pages::Limits::default(),
        }
    }
}

impl Server {
    /// An endpoint that listens nowhere yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens there too: `127.0.0.1:9090`, `[::1]:9090`, `localhost:9090`, or `unix:/run/app.sock`
    /// for a Unix socket. With port 0 the system chooses, and
    /// [`Guard::addresses`](crate::monitor::Guard::addresses) says what. Nothing listens beyond
    /// the machine unless the address says so (`0.0.0.0:9090`).
    ///
    /// A Unix socket's file is removed at the end, and replaced if nobody listens on it any more.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// Goes on without an address that cannot be had, say because its port is in use: logs it and
    /// counts it in `nissa_http_rejected_total{reason="listen"}`. Without this, installing fails.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// How many connections may be open (256). For one more, a silent one goes: one that has asked
    /// for nothing, of the address that has most. If all are at work, the new one is closed.
    pub fn connections(mut self, most: usize) -> Self {
        self.limits.connections = most.max(1);
        self
    }

    /// How long a request's line and headers may be together (16 KiB, at least 8 KiB); then 431.
    pub fn header_bytes(mut self, most: usize) -> Self {
        // Less, and hyper would panic.
        self.limits.header_bytes = most.max(8 << 10);
        self
    }

    /// How many headers a request may have (64, at most 1,000); then 431.
    pub fn headers(mut self, most: usize) -> Self {
        // Room for all of them is made for every request.
        self.limits.headers = most.min(1_000);
        self
    }

    /// How long a path with its query may be (8 KiB); then 414.
    pub fn uri_bytes(mut self, most: usize) -> Self {
        self.limits.uri_bytes = most;
        self
    }

    /// How long a request's body may be (64 KiB); then 413, and no more of it is read.
    pub fn body_bytes(mut self, most: usize) -> Self {
        self.limits.body_bytes = most;
        self
    }

    /// How many requests may have been sent ahead of the answer to the one before (128); then 429.
    pub fn pipelined(mut self, most: usize) -> Self {
        self.limits.pipelined = most;
        self
    }

    /// The time from a connection's or request's first moment to the end of its headers (10 s);
    /// then 408.
    pub fn header_time(mut self, limit: Duration) -> Self {
        self.limits.header_time = limit;
        self
    }

    /// The time for the body of a request (10 s); then 408.
    pub fn body_time(mut self, limit: Duration) -> Self {
        self.limits.body_time = limit;
        self
    }

    /// The time for a TLS handshake (10 s); then the connection is closed.
    pub fn handshake_time(mut self, limit: Duration) -> Self {
        self.limits.handshake_time = limit;
        self
    }

    /// The time until an answer begins (10 s); then 503. A scraper that says how long it waits, in
    /// `X-Prometheus-Scrape-Timeout-Seconds`, may get its 503 earlier.
    pub fn answer_time(mut self, limit: Duration) -> Self {
        self.limits.answer_time = limit;
        self
    }

    /// The time in which a client that cannot take more at once must read 64 KiB (10 s); then the
    /// connection is cut.
    pub fn write_stall(mut self, limit: Duration) -> Self {
        self.limits.write_stall = limit;
        self
    }

    /// The time for reading a whole response (120 s); then the connection is cut.
    pub fn response_time(mut self, limit: Duration) -> Self {
        self.limits.response_time = limit;
        self
    }

    /// How long a connection may stay open between two requests (120 s).
    pub fn idle_time(mut self, limit: Duration) -> Self {
        self.limits.idle_time = limit;
        self
    }

    /// How long responses may go on when the endpoint stops (500 ms).
    pub fn drain(mut self, limit: Duration) -> Self {
        self.limits.drain = limit;
        self
    }

    /// How many bytes of pages clients may be reading (64 MiB; two pages in any case). For one more
    /// page the slowest reader is cut; if nobody is slow, the scraper gets a 503.
    pub fn page_memory(mut self, most: usize) -> Self {
        self.limits.pages.memory = most;
        self
    }

    /// Asks for this token, as `Authorization: Bearer <token>`. Of several tokens and users each
    /// one will do.
    pub fn token(mut self, token: &str) -> Self {
        self.access.token(token);
        self
    }

    /// Asks for this name and password, by basic authentication. Only a salted digest of the
    /// password is kept. Without TLS passwords travel in the clear: stay on the loopback then.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.access.user(name, password);
        self
    }

    /// As [`user`](Self::user), by the hash of a password.
    pub fn user_hash(mut self, name: &str, hash: PasswordHash) -> Self {
        self.access.hashed_user(name, hash);
        self
    }

    /// Leaves the route of exactly this path open to everybody, say `/live`.
    pub fn open(mut self, path: &str) -> Self {
        self.access.open(path);
        self
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses)
            .field("optional", &self.optional)
            .field("limits", &self.limits)
            .field("access", &self.access)
            .field("tls", &self.tls)
            .finish()
    }
}
