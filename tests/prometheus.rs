//! A real Prometheus scrapes the endpoint and both examples, in every format it can read, over TLS
//! and with passwords; its own API then tells what was recorded.
//!
//! `scripts/setup.sh` puts Prometheus under `target/tools`. One process scrapes all of it, for it
//! takes some seconds to begin.
#![cfg(all(feature = "tls", feature = "tower"))]

mod http;
#[path = "prometheus/server.rs"]
mod server;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use http::{Client, eventually};
use nissa::health::Health;
use nissa::monitor::Guard;
use nissa::server::{PasswordHash, Server, Tls};
use nissa::{Buckets, Registry};
use server::{Program, Prometheus};

/// Label values that a careless writer breaks a page with.
const HOSTILE: [&str; 6] = ["\"", "\\", "\n", "\\n", "🦀 ключ", "\"} 1\nforged_total{a=\""];

/// Jobs, and the one format each may use.
const FORMATS: [(&str, &str); 5] = [
    ("text", "PrometheusText0.0.4"),
    ("text1", "PrometheusText1.0.0"),
    ("openmetrics0", "OpenMetricsText0.0.1"),
    ("openmetrics", "OpenMetricsText1.0.0"),
    ("protobuf", "PrometheusProto"),
];

/// Of "correct horse", by few rounds: this is a debug build.
const HASH: &str =
    "$pbkdf2-sha256$i=1000$c2FsdHNhbHRzYWx0$F7o7+5VTVzFAO998X6s3AHrDsJVdMiIlgndIMe19NvY";

#[test]
fn prometheus_tells_what_was_recorded() {
    let Some(program) = server::find() else { return };
    let recorded = Recorded::new();
    let (mut jobs, _guards) = endpoints(&recorded);
    let examples = server::examples();
    let mut axum = Program::start(Command::new(examples.join("axum_service")).args([
        "--app",
        "127.0.0.1:0",
        "--metrics",
        "127.0.0.1:0",
    ]));
    let train = ["--serve", "127.0.0.1:0", "--stay", "--epochs", "2"];
    let mut train = Program::start(Command::new(examples.join("train_digits")).args(train));
    let address = |text: String| -> SocketAddr {
        text.trim_end_matches("/metrics").trim_end_matches('/').parse().unwrap()
    };
    let service = address(axum.line("service http://"));
    jobs += &scraped("axum", address(axum.line("metrics http://")), "");
    jobs += &scraped("train", address(train.line("watch it at http://")), "");
    let sent = drive(service);

    let prometheus = Prometheus::start(&program, &jobs);
    eventually("all targets are scraped", || prometheus.query("up").len() == 11);
    for job in ["text", "text1", "openmetrics0", "openmetrics", "protobuf", "tls", "client"] {
        is_up(&prometheus, job);
        values(&prometheus, job, &recorded);
    }
    for job in ["wrong", "nobody"] {
        assert_eq!(prometheus.value(&format!("up{{job=\"{job}\"}}")), 0.0, "{job}");
    }
    // Over TLS and with passwords Prometheus had the choice, and takes protobuf first.
    for job in ["protobuf", "tls", "client"] {
        native_histograms(&prometheus, job, &recorded);
    }
    for job in ["openmetrics0", "openmetrics", "protobuf"] {
        exemplars(&prometheus, job);
    }
    for job in ["text", "text1", "openmetrics", "protobuf"] {
        names_and_help(&prometheus, job);
    }
    the_service(&prometheus, &sent);
    the_training_run(&prometheus, &mut train);
    assert_eq!(axum.interrupt(), Some(0), "Ctrl-C ends it in order");
}

/// One registry, in every format, over TLS, with passwords and certificates: the jobs that scrape
/// it, two of which must not get in.
fn endpoints(recorded: &Recorded) -> (String, [Guard; 3]) {
    let certificate = || Tls::files(file("server.pem"), file("server.key"));
    let plain = recorded.serve(Server::new());
    let hash: PasswordHash = HASH.parse().unwrap();
    let tls = recorded.serve(Server::new().tls(certificate()).user_hash("prometheus", hash));
    let trusting = certificate().client_authority(file("authority.pem"));
    let client = recorded.serve(Server::new().tls(trusting).token("s3cret"));

    let mut jobs = String::new();
    for (job, format) in FORMATS {
        jobs += &scraped(job, plain.addresses()[0], &format!("scrape_protocols: [{format}]"));
    }
    let tls_config = |extra: &str| {
        let ca = file("authority.pem");
        format!("scheme: https, tls_config: {{ca_file: {ca}, server_name: localhost{extra}}}")
    };
    let basic = |password| format!("basic_auth: {{username: prometheus, password: {password}}}");
    let own = format!(", cert_file: {}, key_file: {}", file("client.pem"), file("client.key"));
    let token = "authorization: {credentials: s3cret}";
    let at = tls.addresses()[0];
    jobs += &scraped("tls", at, &format!("{}, {}", tls_config(""), basic("correct horse")));
    jobs += &scraped("wrong", at, &format!("{}, {}", tls_config(""), basic("wrong")));
    let at = client.addresses()[0];
    jobs += &scraped("client", at, &format!("{}, {token}", tls_config(&own)));
    jobs += &scraped("nobody", at, &format!("{}, {token}", tls_config("")));
    (jobs, [plain, tls, client])
}

fn file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name).display().to_string()
}

/// A job over one target; `extra` are settings as YAML has them between braces.
fn scraped(job: &str, target: SocketAddr, extra: &str) -> String {
    let comma = if extra.is_empty() { "" } else { ", " };
    format!(
        "- {{job_name: {job}, static_configs: [{{targets: ['{target}']}}], \
         always_scrape_classic_histograms: true{comma}{extra}}}\n"
    )
}

fn is_up(prometheus: &Prometheus, job: &str) {
    let up = format!("up{{job=\"{job}\"}}");
    let why = || {
        let targets = prometheus.api("targets", &[("state", "active")]);
        let targets = targets["activeTargets"].as_array().unwrap().clone();
        let target = targets.into_iter().find(|target| target["labels"]["job"] == job);
        target.map(|target| target["lastError"].to_string())
    };
    // A busy machine may miss a scrape.
    eventually(&format!("{job} is up: {:?}", why()), || prometheus.maybe(&up) == Some(1.0));
}

/// A registry that is not recorded into any more.
struct Recorded {
    registry: Registry,
    /// What went into the exponential histogram, in order.
    latencies: Vec<f64>,
}

impl Recorded {
    fn new() -> Self {
        let registry = Registry::builder()
            .buckets(nissa::Matcher::name("latency_*"), Buckets::exponential(0.05).unwrap())
            .default_buckets(Buckets::explicit(&[0.1, 1.0, 10.0]).unwrap())
            .build();
        registry.describe_counter("jobs_total", None, "Jobs done, \"all\" of them.");
        for (number, value) in (1..).zip(HOSTILE) {
            registry.counter("jobs_total", &[("queue", value)]).increment(number);
        }
        // The largest that a double holds exactly.
        registry.counter("far_total", &[]).increment(1 << 53);
        registry.gauge("third", &[]).set(-1.0 / 3.0);
        registry.gauge("unbounded", &[]).set(f64::NEG_INFINITY);
        registry.gauge("a.dotted gauge", &[("key.x", "v")]).set(7);
        let size = registry.histogram("size", &[]);
        for value in [0.0625, 0.5, 1.0, 2.0, 16.0] {
            size.record(value);
        }
        registry.counter("traced_total", &[]).increment_with_exemplar(2, &[("trace_id", "c0ffee")]);
        let latency = registry.histogram("latency_seconds", &[("route", "/users/{id}")]);
        let latencies: Vec<f64> = (1..=1_000).map(|number| f64::from(number) / 1_000.0).collect();
        for seconds in &latencies {
            latency.record(*seconds);
        }
        latency.record_with_exemplar(0.75, &[("trace_id", "4bf92f35")]);
        let mut latencies = latencies;
        latencies.push(0.75);
        latencies.sort_by(f64::total_cmp);
        Self { registry, latencies }
    }

    fn serve(&self, server: Server) -> Guard {
        let builder = nissa::builder().registry(self.registry.clone()).health(Health::new());
        builder.server(server.listen("127.0.0.1:0")).start().unwrap()
    }
}

/// What every format carries.
fn values(prometheus: &Prometheus, job: &str, recorded: &Recorded) {
    let value = |name: &str| prometheus.value(&format!("{name}{{job=\"{job}\"}}"));
    for (number, text) in (1..).zip(HOSTILE) {
        let jobs = prometheus.query(&format!("jobs_total{{job=\"{job}\"}}"));
        assert_eq!(jobs.len(), HOSTILE.len(), "{job}: {jobs:?}");
        let found = jobs.iter().find(|(metric, _)| metric["queue"] == text);
        assert_eq!(found.map(|(_, value)| *value), Some(f64::from(number)), "{job}: {jobs:?}");
    }
    assert_eq!(value("far_total"), 2f64.powi(53), "{job}");
    assert_eq!(value("third"), -1.0 / 3.0, "{job}");
    assert_eq!(value("unbounded"), f64::NEG_INFINITY, "{job}");
    assert_eq!(value("traced_total"), 2.0, "{job}");
    assert_eq!(value("size_count"), 5.0, "{job}");
    assert_eq!(value("size_sum"), 19.5625, "{job}");
    let bucket = |le: &str| {
        // OpenMetrics writes 1.0 where text writes 1; Prometheus 3 stores the former always.
        prometheus.value(&format!("size_bucket{{job=\"{job}\",le=\"{le}\"}}"))
    };
    assert_eq!([bucket("0.1"), bucket("1.0"), bucket("10.0"), bucket("+Inf")], [1., 3., 4., 5.]);
    assert_eq!(value("latency_seconds_count"), recorded.latencies.len() as f64, "{job}");
    let sum: f64 = recorded.latencies.iter().sum();
    assert!((value("latency_seconds_sum") / sum - 1.0).abs() < 1e-12, "{job}");
    let health =
        format!("nissa_health_status{{job=\"{job}\",component=\"overall\",status=\"healthy\"}}");
    assert_eq!(prometheus.value(&health), 1.0, "{job}");
    // A rate and a quantile of classic buckets.
    let quantile = format!("histogram_quantile(0.5, size_bucket{{job=\"{job}\"}})");
    assert!((0.1..=1.0).contains(&prometheus.value(&quantile)), "{job}");
}

/// One series without buckets of its own, whose quantiles are as near as the buckets promise.
fn native_histograms(prometheus: &Prometheus, job: &str, recorded: &Recorded) {
    let series = format!("latency_seconds{{job=\"{job}\",route=\"/users/{{id}}\"}}");
    let count = prometheus.value(&format!("histogram_count({series})"));
    assert_eq!(count, recorded.latencies.len() as f64, "{job}");
    let sum: f64 = recorded.latencies.iter().sum();
    let average = prometheus.value(&format!("histogram_avg({series})"));
    assert!((average / (sum / count) - 1.0).abs() < 1e-12, "{job}: {average}");
    for q in [0.01, 0.25, 0.5, 0.9, 0.99, 1.0] {
        let told = prometheus.value(&format!("histogram_quantile({q}, {series})"));
        let rank = ((q * count).ceil() as usize).clamp(1, recorded.latencies.len());
        let truth = recorded.latencies[rank - 1];
        // Eight buckets a power of two: a bucket is 9 % wide, and Prometheus interpolates within.
        assert!((told / truth - 1.0).abs() < 0.09, "{job}: quantile {q} is {told}, not {truth}");
    }
    let below = format!("histogram_fraction(0, 0.5, {series}) * histogram_count({series})");
    let below = prometheus.value(&below);
    assert!((below - 500.0).abs() < 45.0, "{job}: {below} below 0.5");
    let classic = format!("latency_seconds_bucket{{job=\"{job}\",le=\"+Inf\"}}");
    assert_eq!(prometheus.value(&classic), count, "{job}");
}

fn exemplars(prometheus: &Prometheus, job: &str) {
    for (name, trace, value) in
        [("traced_total", "c0ffee", "2"), ("latency_seconds_bucket", "4bf92f35", "0.75")]
    {
        let query = format!("{name}{{job=\"{job}\"}}");
        let call = [("query", &*query), ("start", "0"), ("end", "9999999999")];
        let mut found = prometheus.api("query_exemplars", &call);
        if name.ends_with("_bucket") && found.as_array().is_some_and(Vec::is_empty) {
            // With protobuf it is the native histogram's.
            let query = query.replace("_bucket", "");
            found = prometheus.api("query_exemplars", &[("query", &query), call[1], call[2]]);
        }
        let exemplar = &found[0]["exemplars"][0];
        assert_eq!(exemplar["labels"]["trace_id"], trace, "{job} {name}: {found}");
        assert_eq!(exemplar["value"], value, "{job} {name}: {found}");
        let seconds = exemplar["timestamp"].as_f64().unwrap();
        assert!(seconds > 1.7e9, "{job} {name}: {seconds}");
    }
}

fn names_and_help(prometheus: &Prometheus, job: &str) {
    let target = format!("{{job=\"{job}\"}}");
    let call = [("match_target", &*target), ("metric", "jobs_total")];
    let found = prometheus.api("targets/metadata", &call);
    // OpenMetrics names the family without the suffix.
    let found = if found[0].is_null() {
        prometheus.api("targets/metadata", &[call[0], ("metric", "jobs")])
    } else {
        found
    };
    assert_eq!(found[0]["type"], "counter", "{job}: {found}");
    assert_eq!(found[0]["help"], "Jobs done, \"all\" of them.", "{job}: {found}");
    // As the program wrote it where Prometheus asks for that, which it does not of protobuf.
    let (name, label) = match job {
        "text" | "protobuf" => ("a_dotted_gauge", "key_x"),
        _ => ("a.dotted gauge", "key.x"),
    };
    let expression = format!("{{__name__=\"{name}\",job=\"{job}\",\"{label}\"=\"v\"}}");
    assert_eq!(prometheus.value(&expression), 7.0, "{job}");
}

/// How many requests of which kind were sent.
struct Sent {
    users: u32,
    strangers: u32,
    orders: u32,
}

fn drive(address: SocketAddr) -> Sent {
    let sent = Sent { users: 40, strangers: 7, orders: 5 };
    let mut client = Client::connect(address);
    for user in 0..sent.users {
        assert_eq!(client.get(&format!("/users/{user}")).status, 200);
    }
    for page in 0..sent.strangers {
        assert_eq!(client.get(&format!("/no/such/page/{page}")).status, 404);
    }
    for _ in 0..sent.orders {
        assert_eq!(client.request("POST", "/orders", "").status, 201);
    }
    sent
}

fn the_service(prometheus: &Prometheus, sent: &Sent) {
    is_up(prometheus, "axum");
    for (method, route, status, count) in [
        ("GET", "/users/{id}", "2xx", sent.users),
        ("GET", "unmatched", "4xx", sent.strangers),
        ("POST", "/orders", "2xx", sent.orders),
    ] {
        let labels =
            format!("{{job=\"axum\",method=\"{method}\",route=\"{route}\",status=\"{status}\"}}");
        let requests = format!("http_server_requests_total{labels}");
        eventually(&requests, || prometheus.maybe(&requests) == Some(f64::from(count)));
        let duration = format!("http_server_request_duration_seconds{labels}");
        assert_eq!(prometheus.value(&format!("histogram_count({duration})")), f64::from(count));
        let median = prometheus.value(&format!("histogram_quantile(0.5, {duration})"));
        assert!(median > 0.0 && median < 10.0, "{route}: {median} s");
    }
    let routes = prometheus.query("count by (route) (http_server_requests_total{job=\"axum\"})");
    assert_eq!(routes.len(), 3, "{routes:?}");
    assert_eq!(prometheus.value("http_server_active_requests{job=\"axum\"}"), 0.0);
    assert_eq!(prometheus.value("orders_total{job=\"axum\"}"), f64::from(sent.orders));
}

/// The page says what the run itself said at its end.
fn the_training_run(prometheus: &Prometheus, train: &mut Program) {
    let result = train.line("result ");
    let steps = result.split_whitespace().find_map(|word| word.strip_prefix("steps="));
    let steps: f64 = steps.unwrap().parse().unwrap();
    let accuracy = train.line("accuracy     ");
    let accuracy: f64 = accuracy.split(' ').next().unwrap().parse().unwrap();
    is_up(prometheus, "train");
    let value = |name: &str| prometheus.maybe(&format!("{name}{{job=\"train\"}}"));
    // The last scrape may be of a moment before.
    eventually("the last step is told", || value("training_steps_total") == Some(steps));
    let told = value("training_accuracy").unwrap();
    // As exact as it is printed.
    assert!((told - accuracy).abs() <= 0.000_05, "{told}, not {accuracy}");
    assert_eq!(value("training_step_duration_seconds_count"), Some(steps));
    assert_eq!(value("training_epoch_duration_seconds_count"), Some(2.0));
    let quantile = "histogram_quantile(0.5, training_step_duration_seconds_bucket{job=\"train\"})";
    assert!(prometheus.value(quantile) > 0.0);
    assert!(value("process_resident_memory_bytes").unwrap() > 1e6);
}
