//! Programs to look at: each tick is asked for, and is a second on their clock.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nissa::alert::{Rule, Severity};
use nissa::health::Health;
use nissa::monitor::Monitor;
use nissa::{ManualClock, Registry, Unit};

/// Ticks that have passed when a page is first opened.
const PAST: u64 = 300;

/// What a program records at each of its ticks.
type Step = fn(&Registry, u64);

pub(crate) struct Program {
    registry: Registry,
    clock: ManualClock,
    monitor: Option<Monitor>,
    address: SocketAddr,
    step: Step,
    began: Duration,
    ticks: u64,
}

impl Program {
    pub(crate) fn training() -> Self {
        Self::new(train)
    }

    pub(crate) fn service() -> Self {
        Self::new(serve)
    }

    /// So many series in families of ten, and one family of 500.
    pub(crate) fn crowd(series: u64) -> Self {
        let program = Self::new(|registry, at| {
            registry.gauge("measured_0000", &[("place", "0")]).set(at as f64);
        });
        for index in 0..series {
            let (name, place) = (format!("measured_{:04}", index / 10), (index % 10).to_string());
            program.registry.gauge(&name, &[("place", &place)]).set(index as f64);
        }
        for index in 0..500 {
            let place = format!("room {index}");
            program.registry.gauge("broad", &[("place", &place)]).set(index as f64);
        }
        program
    }

    /// Names and values that would do harm if they were read as markup or script.
    pub(crate) fn hostile() -> Self {
        let program = Self::new(|registry, at| registry.gauge("calm", &[]).set(at as f64));
        let long = "x".repeat(20_000);
        let values = [
            "<img src=x onerror=\"window.harmed=1\">",
            "\"><script>window.harmed=1</script>",
            "');window.harmed=1;//",
            "\u{2028}window.harmed=1\u{2029}",
            "${window.harmed=1}{{window.harmed=1}}",
            "javascript:window.harmed=1",
            "=HYPERLINK(\"http://example.com\")",
            "__proto__",
            "\u{202e}desrever",
            "two\nlines\tand \u{1f525}",
            &long,
        ];
        for (index, value) in values.into_iter().enumerate() {
            let labels = [("value", value), ("__proto__", value), ("constructor", "a")];
            program.registry.gauge("harm", &labels).set(index as f64);
            let name = format!("<img src=x onerror=window.harmed=1>{index}");
            program.registry.gauge(&name, &[]).set(1);
            program.registry.describe_gauge(&name, None, value);
        }
        // As long as names may be.
        for letter in ["x", "\"", "\u{1f525}"] {
            program.registry.gauge(&letter.repeat(1024 / letter.len()), &[]).set(1);
        }
        for name in ["__proto__", "constructor", "toString", "\u{1f525}.*(", "\u{202e}eman"] {
            program.registry.gauge(name, &[("name", name)]).set(1);
        }
        program.registry.describe_gauge(
            "calm",
            Some(Unit::Count),
            "</script><script>window.harmed=1",
        );
        program
    }

    fn new(step: Step) -> Self {
        let clock = ManualClock::new();
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let began = unix - Duration::from_secs(PAST);
        clock.set_unix(began);
        let registry = Registry::new();
        describe(&registry);
        let mut program = Self {
            monitor: None,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock,
            registry,
            step,
            began,
            ticks: 0,
        };
        program.start();
        program.tick(PAST);
        program
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn start(&mut self) {
        let queue = Rule::new("queue_depth").outside(0.0, 100.0).severity(Severity::Critical);
        let monitor = nissa::builder()
            .registry(self.registry.clone())
            .clock(self.clock.clone())
            .health(Health::new())
            .serve(self.address.to_string())
            .alert(queue.action("add <b>workers</b>"))
            .dashboard()
            .build()
            .unwrap();
        self.address = monitor.addresses()[0];
        self.monitor = Some(monitor);
    }

    fn tick(&mut self, ticks: u64) {
        for _ in 0..ticks {
            self.ticks += 1;
            self.clock.advance(Duration::from_secs(1));
            (self.step)(&self.registry, self.ticks);
            self.monitor.iter().for_each(Monitor::tick);
        }
    }

    /// What a script asks for.
    pub(crate) fn does(&mut self, words: &str) -> String {
        match words.split(' ').collect::<Vec<_>>()[..] {
            ["tick", ticks] => self.tick(ticks.parse().unwrap()),
            // Set and kept: no step of a program writes it.
            ["set", name, value] => {
                self.registry.gauge(name, &[]).set(value.parse::<f64>().unwrap());
            }
            ["watch"] => {
                let watch = nissa::watch("training_loss").above(5.0).registry(&self.registry);
                assert!(watch.build().observe(9.0).is_some());
            }
            ["respond"] => {
                let labels = [("did", "restored the last good weights")];
                self.registry.counter("training_responses_total", &labels).increment(1);
            }
            ["stop"] => self.monitor = None,
            ["start"] => self.start(),
            _ => panic!("asked for {words:?}"),
        }
        // The time of the last tick, which a page has taken once it shows figures of then.
        (self.began + Duration::from_secs(self.ticks)).as_secs_f64().to_string()
    }
}

fn describe(registry: &Registry) {
    registry.describe_gauge("training_loss", None, "Mean cross-entropy of the last batch.");
    registry.describe_gauge("queue_depth", None, "Jobs that wait.");
    registry.describe_counter("http_requests_total", Some(Unit::Count), "Requests answered.");
    registry.describe_histogram(
        "http_request_duration_seconds",
        Some(Unit::Seconds),
        "From end to end.",
    );
}

/// Something like noise, the same at every run: 0 to 1.
fn noise(at: u64, salt: u64) -> f64 {
    let mixed = (at * 31 + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f64 / (1u64 << 24) as f64
}

fn train(registry: &Registry, at: u64) {
    let time = at as f64;
    let loss = 2.3 / (1.0 + 0.03 * time) + 0.15 * noise(at, 1);
    registry.gauge("training_loss", &[]).set(loss);
    registry.gauge("training_accuracy", &[]).set(0.98 - 0.8 / (1.0 + 0.05 * time));
    registry.gauge("training_gradient_norm", &[]).set(2.0 * loss + noise(at, 2));
    registry.gauge("training_learning_rate", &[]).set(0.03 * 0.998f64.powf(time));
    registry.counter("training_samples_total", &[]).increment(900 + (200.0 * noise(at, 3)) as u64);
    let seconds = registry.histogram("training_step_duration_seconds", &[]);
    (0..30).for_each(|index| seconds.record(0.02 + 0.02 * noise(at, 10 + index)));
}

fn serve(registry: &Registry, at: u64) {
    let busy = 1.0 + 0.5 * (at as f64 / 40.0).sin();
    for (index, route) in ["/", "/users", "/orders", "/search"].into_iter().enumerate() {
        let index = index as u64;
        let requests = |status, count: f64| {
            let labels = [("route", route), ("status", status)];
            registry.counter("http_requests_total", &labels).increment(count as u64);
        };
        requests("200", busy * (120.0 / (1 + index) as f64 + 20.0 * noise(at, index)));
        requests("500", 3.0 * noise(at, 20 + index));
        let labels = [("route", route)];
        let duration = registry.histogram("http_request_duration_seconds", &labels);
        (0..20).for_each(|one| {
            let slow =
                0.002 * (1 + index) as f64 * (1.0 + 8.0 * noise(at, 100 * index + one).powi(6));
            duration.record(slow * busy);
        });
    }
    registry.gauge("worker_threads", &[]).set(8);
}
