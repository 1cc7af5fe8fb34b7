//! Many clients at once, and a system that has run out: a scraper still gets its page, and
//! afterwards everything is as it was.

#![cfg(all(feature = "server", target_os = "linux"))]

mod host;
mod http;

use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use http::{Client, Endpoint, SOON, eventually};
use nissa::Registry;
use nissa::server::Server;

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

fn descriptors() -> usize {
    count("/proc/self/fd")
}

fn threads() -> usize {
    count("/proc/self/task")
}

/// Descriptors and threads after what the first runtime of a process makes once and for all.
fn as_it_was() -> (usize, usize) {
    let tasks = threads();
    drop(Endpoint::new(Server::new()));
    eventually("threads are joined", || threads() == tasks);
    (descriptors(), tasks)
}

/// What a scenario of its own process is: others' threads and sockets must not be counted.
fn alone(test: &str, scenario: impl FnOnce()) {
    match host::scenario() {
        None => host::play(test, test, 2 * SOON),
        Some(_) => scenario(),
    }
}

#[test]
fn a_thousand_idle_connections() {
    alone("a_thousand_idle_connections", || {
        let (fds, tasks) = as_it_was();
        let endpoint = Endpoint::new(Server::new());
        endpoint.scrape();
        let (served_fds, memory) = (descriptors(), host::resident_bytes());
        let crowd: Vec<TcpStream> =
            (0..1000).map(|_| TcpStream::connect(endpoint.address()).unwrap()).collect();
        for _ in 0..20 {
            endpoint.scrape();
        }
        assert!(endpoint.connections() <= 257.0, "{}", endpoint.connections());
        assert!(endpoint.rejected("evicted") >= 700.0);
        assert_eq!(endpoint.rejected("connections"), 0.0);
        host::assert_grown_at_most(32 << 20, memory, "a thousand connections");
        drop(crowd);
        eventually("all are gone", || endpoint.connections() == 0.0);
        eventually("their descriptors are closed", || descriptors() <= served_fds);
        endpoint.scrape();
        drop(endpoint);
        eventually("threads are joined", || threads() == tasks);
        assert_eq!(descriptors(), fds);
    });
}

/// A scraper that keeps its connection is not pushed out by a flood of newcomers.
#[test]
fn a_flood_pushes_itself_out() {
    let endpoint = Endpoint::new(Server::new().connections(16));
    let mut scraper = endpoint.connect();
    assert_eq!(scraper.get("/metrics").status, 200);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut held = std::collections::VecDeque::new();
                while !done.load(Relaxed) {
                    held.push_back(TcpStream::connect(endpoint.address()));
                    if held.len() > 50 {
                        held.pop_front();
                    }
                }
            });
        }
        for _ in 0..50 {
            assert_eq!(scraper.get("/metrics").status, 200);
        }
        done.store(true, Relaxed);
    });
    assert!(endpoint.rejected("evicted") > 100.0);
    endpoint.scrape();
}

#[test]
fn where_everybody_is_at_work_the_newcomer_waits_outside() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let (begin, begun) = std::sync::mpsc::channel();
    let slow = nissa::route::Route::get("/slow", move |_| {
        begin.send(()).unwrap();
        let _ = held.lock().unwrap().recv();
        nissa::route::Response::text(200, "done")
    });
    struct Routes(nissa::route::Route);
    impl nissa::monitor::Stage for Routes {
        fn name(&self) -> &'static str {
            "routes"
        }
        fn routes(&self) -> Vec<nissa::route::Route> {
            vec![self.0.clone()]
        }
    }
    let server = Server::new().connections(2).answer_time(SOON);
    let endpoint = Endpoint::with(server, |builder| builder.stage(Routes(slow)));
    let mut busy: Vec<Client> = (0..2).map(|_| endpoint.connect()).collect();
    for client in &mut busy {
        client.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    (0..2).for_each(|_| begun.recv_timeout(SOON).unwrap());
    let mut newcomer = TcpStream::connect(endpoint.address()).unwrap();
    newcomer.set_read_timeout(Some(SOON)).unwrap();
    assert_eq!(newcomer.read(&mut [0]).unwrap(), 0, "turned away");
    assert_eq!((endpoint.rejected("connections"), endpoint.rejected("evicted")), (1.0, 0.0));
    drop(release);
    for client in &mut busy {
        assert_eq!(client.response().status, 200);
    }
    endpoint.scrape();
}

/// Out of file descriptors: no spinning, and an answer as soon as there are some again.
#[test]
fn out_of_file_descriptors() {
    alone("out_of_file_descriptors", || {
        let endpoint = Endpoint::new(Server::new());
        endpoint.scrape();
        eventually("nobody is connected", || endpoint.connections() == 0.0);
        // A socket for later, because there will be no making one.
        let waiting = http::Unconnected::new();
        let hoard = hoard_descriptors();
        let mut waiting = waiting.connect(endpoint.address());
        waiting.send("GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n");
        eventually("the system refuses", || endpoint.rejected("accept") >= 3.0);
        let (cpu, start) = (processor_time(), Instant::now());
        let tries = endpoint.rejected("accept");
        eventually("it goes on trying", || endpoint.rejected("accept") >= tries + 3.0);
        let (cpu, took) = (processor_time() - cpu, start.elapsed());
        assert!(took > Duration::from_millis(100), "{took:?} for three tries: it spins");
        assert!(cpu < took, "{cpu:?} in {took:?}");
        drop(hoard);
        assert_eq!(waiting.response().status, 200, "it waited in the queue of the system");
        endpoint.scrape();
    });
}

/// Who is silent gives his file descriptor to who is not.
#[test]
fn the_last_file_descriptor() {
    alone("the_last_file_descriptor", || {
        let endpoint = Endpoint::new(Server::new());
        let mut silent = endpoint.connect();
        assert_eq!(silent.get("/metrics").status, 200);
        let waiting = http::Unconnected::new();
        let _hoard = hoard_descriptors();
        let mut waiting = waiting.connect(endpoint.address());
        assert_eq!(waiting.get("/metrics").status, 200);
        assert!(silent.is_closed());
        assert_eq!(endpoint.rejected("evicted"), 1.0);
    });
}

/// All that this process may open from now on.
fn hoard_descriptors() -> Vec<std::fs::File> {
    limit_descriptors(descriptors() as u64 + 20);
    let hoard: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    assert!(hoard.len() > 5 && std::fs::File::open("/dev/null").is_err());
    hoard
}

fn limit_descriptors(most: u64) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, hard).unwrap();
}

fn processor_time() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap().into()
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Everything a client can do wrong, from many threads, beside a scraper that must not notice.
#[test]
fn a_mob_and_a_scraper() {
    alone("a_mob_and_a_scraper", || {
        let (fds, tasks) = as_it_was();
        let server = Server::new().header_time(http::SHORT).write_stall(http::SHORT);
        let endpoint = Endpoint::new(server);
        for index in 0..2000 {
            let labels = [("index", &*index.to_string())];
            endpoint.registry.counter("large_total", &labels).increment(1);
        }
        let address = endpoint.address();
        let done = AtomicBool::new(false);
        let offences: [&[u8]; 6] = [
            b"GET /metrics HTTP/1.1\r\nHost: te",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\nx",
            b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
            b"",
        ];
        std::thread::scope(|scope| {
            for offence in offences {
                let done = &done;
                scope.spawn(move || {
                    let mut held = std::collections::VecDeque::new();
                    while !done.load(Relaxed) {
                        let mut client = Client::connect(address);
                        client.try_send(offence);
                        held.push_back(client);
                        if held.len() > 60 {
                            held.pop_front();
                        }
                    }
                });
            }
            // The mob ends when this panics, too.
            let _ends = Ends(&done);
            for _ in 0..100 {
                endpoint.scrape();
            }
        });
        assert!(threads() <= tasks + 8, "{} threads", threads());
        eventually("all are gone", || endpoint.connections() == 0.0);
        endpoint.scrape();
        drop(endpoint);
        eventually("threads are joined", || threads() == tasks);
        assert_eq!(descriptors(), fds);
    });
}

#[test]
fn endpoints_leave_nothing_behind() {
    alone("endpoints_leave_nothing_behind", || {
        let registry = Registry::new();
        let round = || {
            let builder = nissa::builder().registry(registry.clone());
            let guard = builder.serve("127.0.0.1:0").start().unwrap();
            assert_eq!(Client::connect(guard.addresses()[0]).get("/metrics").status, 200);
        };
        round();
        let before = (descriptors(), host::resident_bytes());
        let tasks = threads();
        (0..100).for_each(|_| round());
        eventually("threads are joined", || threads() == tasks);
        assert_eq!(descriptors(), before.0);
        host::assert_grown_at_most(8 << 20, before.1, "a hundred endpoints");
    });
}
