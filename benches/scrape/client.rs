//! Scrapers: blocking sockets that read every page to its end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// One connection, kept alive.
pub struct Scraper {
    stream: TcpStream,
    request: String,
    buffer: Vec<u8>,
}

/// One scrape.
#[derive(Clone, Copy, Default)]
pub struct Scrape {
    pub first_byte: Duration,
    pub took: Duration,
    pub bytes: usize,
}

/// What a round of scraping came to.
#[derive(Default)]
pub struct Load {
    pub scrapes: Vec<Scrape>,
    pub took: Duration,
    pub bytes: usize,
    /// The server's processor time.
    pub spent: Duration,
}

impl Scraper {
    pub fn new(address: SocketAddr, encoding: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: bench\r\nAccept: text/plain;version=0.0.4\r\n\
             Accept-Encoding: {encoding}\r\n\r\n"
        );
        Self { stream, request, buffer: vec![0; 256 << 10] }
    }

    pub fn ask(&mut self) {
        self.stream.write_all(self.request.as_bytes()).expect("the server reads");
    }

    /// The bytes of the answer's body; the first byte's time is `first`.
    pub fn read(&mut self, first: impl FnOnce()) -> usize {
        let mut first = Some(first);
        let mut have = 0;
        let (head, length) = loop {
            let read = self.stream.read(&mut self.buffer[have..]).expect("the server answers");
            assert!(read > 0, "the server closed");
            first.take().into_iter().for_each(|first| first());
            have += read;
            let text = String::from_utf8_lossy(&self.buffer[..have.min(4096)]);
            if let Some(end) = text.find("\r\n\r\n") {
                assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
                let lower = text[..end].to_ascii_lowercase();
                let length = lower.split("content-length:").nth(1).expect("a length");
                let length = length.split("\r\n").next().and_then(|it| it.trim().parse().ok());
                break (end + 4, length.expect("a number"));
            }
        };
        let mut left: usize = head + length - have;
        while left > 0 {
            let most = left.min(self.buffer.len());
            let read = self.stream.read(&mut self.buffer[..most]).expect("the rest");
            assert!(read > 0, "the server closed within a page");
            left -= read;
        }
        length
    }

    /// How many bytes of the answer are there to be read, at most a few.
    pub fn peek(&self) -> usize {
        self.stream.peek(&mut [0; 8]).expect("the server answers")
    }

    pub fn scrape(&mut self) -> Scrape {
        let start = Instant::now();
        let mut first_byte = Duration::ZERO;
        self.ask();
        let bytes = self.read(|| first_byte = start.elapsed());
        Scrape { first_byte, took: start.elapsed(), bytes }
    }
}

/// So many scrapers for so long.
pub fn load(address: SocketAddr, scrapers: usize, encoding: &str, round: Duration) -> Load {
    let start = Instant::now();
    let scrapes: Vec<Scrape> = thread::scope(|scope| {
        let one = || {
            let mut scraper = Scraper::new(address, encoding);
            let mut scrapes = Vec::new();
            while start.elapsed() < round {
                scrapes.push(scraper.scrape());
            }
            scrapes
        };
        let all: Vec<_> = (0..scrapers).map(|_| scope.spawn(one)).collect();
        all.into_iter().flat_map(|one| one.join().expect("a scraper")).collect()
    });
    let bytes = scrapes.last().map_or(0, |scrape| scrape.bytes);
    Load { scrapes, took: start.elapsed(), bytes, spent: Duration::ZERO }
}

impl Load {
    pub fn throughput(&self) -> f64 {
        self.scrapes.len() as f64 / self.took.as_secs_f64()
    }

    /// Milliseconds to the last byte.
    pub fn latency(&self, quantile: f64) -> f64 {
        self.quantile(quantile, |scrape| scrape.took)
    }

    /// Milliseconds to the first byte.
    pub fn first_byte(&self, quantile: f64) -> f64 {
        self.quantile(quantile, |scrape| scrape.first_byte)
    }

    /// Milliseconds of the server's processor time, by scrape.
    pub fn processor(&self) -> f64 {
        self.spent.as_secs_f64() * 1e3 / self.scrapes.len() as f64
    }

    fn quantile(&self, quantile: f64, of: impl Fn(&Scrape) -> Duration) -> f64 {
        let mut all: Vec<Duration> = self.scrapes.iter().map(of).collect();
        all.sort_unstable();
        let at = ((all.len() as f64 * quantile).ceil() as usize).saturating_sub(1);
        all.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }
}
