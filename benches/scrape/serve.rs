//! The systems, each served the way its own documentation shows.

use std::convert::Infallible;
use std::io::{BufRead, stdin};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use metrics_exporter_prometheus::PrometheusBuilder;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::os::{barrier, thread_time};
use crate::workload::{BOUNDS, durations, for_each_series};

pub const SYSTEMS: [&str; 3] = ["nissa", "metrics-exporter-prometheus", "prometheus-client"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Histogram,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

type Update = dyn Fn(&'static str, &str, u64);

/// How a system is written to: by method and path, or as one of its hot loops.
struct System {
    address: SocketAddr,
    update: Box<Update>,
    /// So many operations on one series, as in a call site that is passed again and again.
    one: Box<dyn Fn(u64)>,
    /// So many operations that go round 1,000 handles.
    many: Box<dyn Fn(u64)>,
    _keep: Box<dyn std::any::Any>,
}

/// Serves, says where, and records when it is told to, until it is killed.
pub fn child(orders: &[String]) {
    let [system, kind, series] = orders else { panic!("bad orders: {orders:?}") };
    let kind = if kind == "counter" { Kind::Counter } else { Kind::Histogram };
    let system = match &**system {
        "nissa" => nissa_system(kind),
        "metrics-exporter-prometheus" => exporter(kind),
        _ => client(kind),
    };
    let mut value = 0;
    for_each_series(0..series.parse().expect("a number"), |method, path| {
        (system.update)(method, path, 1 + value % 100_000);
        value += 7_919;
    });
    println!("{}", system.address);
    for line in stdin().lock().lines().map_while(Result::ok) {
        let Some((what, millis)) = line.split_once(' ') else { continue };
        let work = if what == "one" { &system.one } else { &system.many };
        println!("{}", time(work, Duration::from_millis(millis.parse().expect("a number"))));
    }
}

/// Nanoseconds of this thread's processor time, by operation.
fn time(work: &dyn Fn(u64), round: Duration) -> f64 {
    const BATCH: u64 = 100_000;
    let (start, spent) = (Instant::now(), thread_time());
    let mut operations = 0;
    while start.elapsed() < round {
        work(BATCH);
        operations += BATCH;
    }
    (thread_time() - spent).as_nanos() as f64 / operations as f64
}

const MANY: usize = 1000;

fn go_round<T>(handles: &[T], operations: u64, each: impl Fn(&T)) {
    for index in 0..operations as usize {
        each(&handles[index % handles.len()]);
        barrier();
    }
}

fn names() -> Vec<String> {
    (0..MANY).map(|index| index.to_string()).collect()
}

fn nissa_system(kind: Kind) -> System {
    let limit = 1_000_000;
    let guard = nissa::builder()
        .configure(move |registry| registry.series_per_family(limit).series(2 * limit))
        .serve("127.0.0.1:0")
        .install()
        .expect("nothing else is installed");
    let registry = nissa::Registry::global();
    let many: Vec<nissa::Counter> =
        names().iter().map(|name| registry.counter("many_total", &[("index", name)])).collect();
    System {
        address: guard.addresses()[0],
        update: Box::new(move |method, path, value| {
            let labels = [("method", method), ("path", path)];
            match kind {
                Kind::Counter => registry.counter("http_requests_total", &labels).increment(value),
                Kind::Histogram => registry
                    .histogram("http_requests_seconds", &labels)
                    .record(durations()[value as usize & 1023]),
            }
        }),
        one: Box::new(|operations| {
            for _ in 0..operations {
                nissa::counter!("one_total", "method" => "GET").increment(1);
                barrier();
            }
        }),
        many: Box::new(move |operations| go_round(&many, operations, |it| it.increment(1))),
        _keep: Box::new(guard),
    }
}

/// The recorder and its listener in a thread of their own, as its `install` does it.
fn exporter(kind: Kind) -> System {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let builder = PrometheusBuilder::new().with_http_listener(free);
            let builder = builder.set_buckets(&BOUNDS).expect("bounds are not empty");
            let (recorder, serve) = builder.build().expect("a free port");
            metrics::set_global_recorder(recorder).expect("nothing else is installed");
            tell.send(()).expect("somebody waits");
            let _ = serve.await;
        });
    });
    told.recv().expect("it listens");
    let handles = names();
    let many: Vec<metrics::Counter> =
        handles.into_iter().map(|name| metrics::counter!("many_total", "index" => name)).collect();
    System {
        address: free,
        update: Box::new(move |method, path, value| match kind {
            Kind::Counter => {
                metrics::counter!("http_requests_total", "method" => method, "path" => path.to_owned())
                    .increment(value);
            }
            Kind::Histogram => {
                metrics::histogram!("http_requests_seconds", "method" => method, "path" => path.to_owned())
                    .record(durations()[value as usize & 1023]);
            }
        }),
        one: Box::new(|operations| {
            for _ in 0..operations {
                metrics::counter!("one_total", "method" => "GET").increment(1);
                barrier();
            }
        }),
        many: Box::new(move |operations| go_round(&many, operations, |it| it.increment(1))),
        _keep: Box::new(()),
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    path: String,
}

/// Its example with hyper: a new `String` for each request.
fn client(kind: Kind) -> System {
    let counters = Family::<Labels, Counter>::default();
    let make: fn() -> Histogram = || Histogram::new(BOUNDS);
    let histograms = Family::<Labels, Histogram, fn() -> Histogram>::new_with_constructor(make);
    let ones = Family::<Labels, Counter>::default();
    let mut registry = Registry::default();
    match kind {
        Kind::Counter => registry.register("http_requests", "Requests", counters.clone()),
        Kind::Histogram => registry.register("http_requests_seconds", "Time", histograms.clone()),
    }
    registry.register("one", "Operations", ones.clone());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let registry = Arc::new(registry);
    thread::spawn(move || behind_hyper(listener, registry));
    let labels = |path: &str| Labels { method: "GET", path: path.to_owned() };
    let one = labels("one");
    let many: Vec<Counter> =
        names().iter().map(|name| ones.get_or_create_owned(&labels(name))).collect();
    System {
        address,
        update: Box::new(move |method, path, value| {
            let labels = Labels { method, path: path.to_owned() };
            match kind {
                Kind::Counter => drop(counters.get_or_create(&labels).inc_by(value)),
                Kind::Histogram => {
                    histograms.get_or_create(&labels).observe(durations()[value as usize & 1023]);
                }
            }
        }),
        one: Box::new(move |operations| {
            for _ in 0..operations {
                ones.get_or_create(&one).inc();
                barrier();
            }
        }),
        many: Box::new(move |operations| {
            go_round(&many, operations, |it| {
                it.inc();
            });
        }),
        _keep: Box::new(()),
    }
}

fn behind_hyper(listener: TcpListener, registry: Arc<Registry>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        listener.set_nonblocking(true).expect("a socket");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let registry = Arc::clone(&registry);
            let service = service_fn(move |_: Request<Incoming>| {
                let mut page = String::new();
                text::encode(&mut page, &registry).expect("writing to a String");
                async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(page)))) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
}
