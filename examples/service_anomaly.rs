//! A service under real HTTP load falls ill twice, notices, and sheds load until it is well.
//!
//!     cargo run --release --features full --example service_anomaly
//!
//! Eight clients ask as fast as they are answered. At 8 s the database becomes five times as slow,
//! so requests queue up; at 20 s it fails two queries of five. Rules judge the service ten times a
//! second, and their callbacks act inside it: the first lets fewer requests in, the second answers
//! from a cache. When an alert is resolved the service tries again, and the alert comes back if
//! that was too soon. Without callbacks (`--no-response`) both faults last until the database is
//! well again.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use nissa::alert::{Alert, Rule, Severity};
use nissa::collect::Host;
use nissa::{Buckets, Registry, counter, histogram};

const CLIENTS: usize = 8;
const SECONDS: u64 = 32;
/// When the database is slow, and when it fails.
const SLOW: std::ops::Range<u64> = 8..16;
const FAILING: std::ops::Range<u64> = 20..28;
/// How many requests may wait for the database while load is shed.
const FEW: usize = 2;

/// What the callbacks change in the service.
#[derive(Default)]
struct Controls {
    shed: AtomicBool,
    from_cache: AtomicBool,
    stop: AtomicBool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let responds = !env::args().any(|word| word == "--no-response");
    let controls = Arc::new(Controls::default());
    let (say, said) = mpsc::channel();
    let act = |what: fn(&Controls) -> &AtomicBool| {
        let (controls, say) = (Arc::clone(&controls), Mutex::new(say.clone()));
        move |alert: &Alert| {
            if responds {
                what(&controls).store(alert.is_firing(), Ordering::Relaxed);
            }
            if let Ok(say) = say.lock() {
                let _ = say.send(alert.to_string());
            }
        }
    };
    // So many ticks of the last thirty make an alert; thirty without a sign end it.
    let slow = Rule::new("http_request_duration_seconds")
        .named("slow")
        .quantile(0.9)
        .zscore(3.0)
        .too_high()
        .learn_anomalies(false)
        .at_least(8, 30)
        .severity(Severity::Critical)
        .action("let fewer requests in")
        .on_alert(act(|controls| &controls.shed));
    let errors = Rule::new("http_errors_total")
        .named("errors")
        .ratio("http_requests_total", 0.05)
        .at_least(3, 30)
        .severity(Severity::Critical)
        .action("answer from the cache")
        .on_alert(act(|controls| &controls.from_cache));
    let buckets = Buckets::exponential(0.05)?;
    let guard = nissa::builder()
        .configure(|registry| registry.default_buckets(buckets))
        .interval(Duration::from_millis(100))
        .alert(slow)
        .alert(errors)
        .collect(Host::default())
        .serve("127.0.0.1:0")
        .dashboard()
        .install()?;
    for address in guard.addresses() {
        writeln!(io::stderr(), "watch it at http://{address}/")?;
    }

    let started = Instant::now();
    let address = serve(Arc::clone(&controls), started)?;
    for _ in 0..CLIENTS {
        let controls = Arc::clone(&controls);
        thread::spawn(move || ask(address, &controls));
    }
    let outcome = timeline(started, &controls, &said);
    controls.stop.store(true, Ordering::Relaxed);
    drop(guard);
    writeln!(io::stdout(), "{outcome}")?;
    Ok(())
}

/// Prints a line a second, and says at the end how much of the two faults users felt.
fn timeline(started: Instant, controls: &Controls, said: &mpsc::Receiver<String>) -> String {
    let mut before = Registry::global().snapshot();
    let (mut slow_seconds, mut bad_seconds, mut told) = (0, 0, 0);
    for second in 1..=SECONDS {
        let due = Duration::from_secs(second).saturating_sub(started.elapsed());
        let deadline = Instant::now() + due;
        while let Ok(alert) = said.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            told += usize::from(alert.contains(" firing: "));
            let _ =
                writeln!(io::stdout(), "{:>5.1} s  ALERT {alert}", started.elapsed().as_secs_f64());
        }
        let now = Registry::global().snapshot();
        let delta = now.since(&before);
        before = now;
        let value = |name| delta.value(name).unwrap_or(0.0);
        let p90 = 1e3 * delta.quantile("http_request_duration_seconds", 0.9).unwrap_or(0.0);
        let (requests, errors) = (value("http_requests_total"), value("http_errors_total"));
        slow_seconds += u64::from(p90 > 40.0);
        bad_seconds += u64::from(errors > 0.05 * requests);
        let fault = match second - 1 {
            at if SLOW.contains(&at) => "database slow",
            at if FAILING.contains(&at) => "database failing",
            _ => "",
        };
        let shed = if controls.shed.load(Ordering::Relaxed) { "shedding " } else { "" };
        let cache = if controls.from_cache.load(Ordering::Relaxed) { "from cache" } else { "" };
        let _ = writeln!(
            io::stdout(),
            "{second:>3} s    {requests:>5} requests, p90 {p90:>5.1} ms, {errors:>4} errors, {:>5} \
             turned away   {fault} {shed}{cache}",
            value("http_shed_total")
        );
    }
    format!("result alerts={told} slow_seconds={slow_seconds} error_seconds={bad_seconds}")
}

/// An HTTP server with a thread per connection, in front of one database.
fn serve(controls: Arc<Controls>, started: Instant) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let database = Arc::new(Mutex::new(0u64));
    let waiting = Arc::new(AtomicUsize::new(0));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (controls, database) = (Arc::clone(&controls), Arc::clone(&database));
            let waiting = Arc::clone(&waiting);
            thread::spawn(move || {
                let _ = stream.set_nodelay(true);
                let mut stream = BufReader::new(stream);
                while read_head(&mut stream).is_ok_and(|head| !head.is_empty()) {
                    let status = answer(&controls, &database, &waiting, started);
                    let page = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                    if stream.get_mut().write_all(page.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(address)
}

/// One request, measured as any service would.
fn answer(
    controls: &Controls,
    database: &Mutex<u64>,
    waiting: &AtomicUsize,
    started: Instant,
) -> &'static str {
    let ahead = waiting.fetch_add(1, Ordering::Relaxed);
    if controls.shed.load(Ordering::Relaxed) && ahead >= FEW {
        waiting.fetch_sub(1, Ordering::Relaxed);
        counter!("http_shed_total").increment(1);
        // Clients that are told to go away take a moment to come back.
        thread::sleep(Duration::from_millis(20));
        return "503 Service Unavailable";
    }
    counter!("http_requests_total").increment(1);
    let timer = histogram!("http_request_duration_seconds").start_timer();
    let fine = if controls.from_cache.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(1));
        true
    } else {
        query(database, started)
    };
    drop(timer);
    waiting.fetch_sub(1, Ordering::Relaxed);
    if fine {
        return "200 OK";
    }
    counter!("http_errors_total").increment(1);
    "500 Internal Server Error"
}

/// One query at a time: 2 ms, or as ill as the database is.
fn query(database: &Mutex<u64>, started: Instant) -> bool {
    let second = started.elapsed().as_secs();
    let Ok(mut queries) = database.lock() else { return false };
    *queries += 1;
    thread::sleep(Duration::from_millis(if SLOW.contains(&second) { 10 } else { 2 }));
    !(FAILING.contains(&second) && *queries % 5 < 2)
}

fn ask(address: SocketAddr, controls: &Controls) {
    let Ok(stream) = TcpStream::connect(address) else { return };
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    while !controls.stop.load(Ordering::Relaxed) {
        let request = b"GET / HTTP/1.1\r\nhost: service\r\n\r\n";
        if stream.get_mut().write_all(request).is_err() || read_head(&mut stream).is_err() {
            return;
        }
    }
}

/// Everything up to the empty line; nothing if the connection has ended.
fn read_head(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Ok(String::new());
        }
    }
    Ok(head)
}
