//! Trains a small neural network on the UCI handwritten digits and records the run with nissa,
//! which notices what goes wrong, so that the run can mend it.
//!
//!     cargo run --release --features full --example train_digits
//!     cargo run --release --features full --example train_digits -- --fault lr-spike
//!     cargo run --release --features full --example train_digits -- --fault lr-spike --no-response
//!     cargo run --release --features full --example train_digits -- --stay

mod model;
mod run;

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use std::{env, fs, io, path::Path, process, str::FromStr, thread};

use nissa::alert::{Rule, Severity};
use nissa::collect::Host;
use nissa::monitor::Guard;
use nissa::{Buckets, Registry, Unit};
use nissa::{describe_counter, describe_gauge, describe_histogram};
use run::{Fault, FaultKind, Outcome, Plan};

const USAGE: &str = "usage: train_digits [--epochs N] [--lr X] [--seed N] [--help]
       [--fault lr-spike|nan|stall] [--fault-step N] [--fault-factor X] [--no-response]
       [--serve ADDRESS] [--stay]";
/// Ports that are tried, one after the other, when the one asked for is taken.
const PORTS: u16 = 20;

fn main() -> Result<(), nissa::Error> {
    check_flags();
    // A step takes about a millisecond; Prometheus's default buckets start at five.
    let bounds = [0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.007, 0.01, 0.03, 0.1, 1.0];
    Registry::builder().default_buckets(Buckets::explicit(&bounds)?).install()?;
    describe_metrics();
    let plan = plan();
    // Keeps the endpoint open, until the end.
    let _guard = serve(flag("--serve", SocketAddr::from(([127, 0, 0, 1], 9090)), |_| true))?;
    let started = Instant::now();
    let outcome = plan.run(|epoch, accuracy| show_progress(epoch, plan.epochs, accuracy));
    let seconds = started.elapsed().as_secs_f64();
    // Not println!, which panics when the reader of a pipe has gone away.
    let text = what_happened(&plan, &outcome) + &summary(seconds);
    let _ = io::stdout().write_all(text.as_bytes());
    if env::args().any(|word| word == "--stay") {
        let _ = writeln!(io::stderr(), "the endpoint stays up; Ctrl-C ends it");
        loop {
            thread::park();
        }
    }
    Ok(())
}

/// Collects figures of the machine and the process, and serves there or at the next port that is
/// free, and says where.
fn serve(mut address: SocketAddr) -> Result<Guard, nissa::Error> {
    let last = address.port().saturating_add(PORTS);
    loop {
        // Lists at /anomalies what the watch finds, too.
        let not_finite = Rule::new("training_*").not_finite().severity(Severity::Critical);
        let builder = nissa::builder().collect(Host::default()).alert(not_finite);
        let builder = builder.serve(address.to_string()).dashboard();
        // The whole run takes seconds, and its curves should have more points than that.
        let builder = builder.interval(Duration::from_millis(100));
        match builder.start() {
            Err(error) if error.is_listen() && address.port() < last => {
                address.set_port(address.port() + 1);
            }
            Err(error) => return Err(error),
            Ok(guard) => {
                for address in guard.addresses() {
                    let _ = writeln!(io::stderr(), "watch it at http://{address}/");
                }
                return Ok(guard);
            }
        }
    }
}

fn describe_metrics() {
    describe_gauge!("training_loss", "Mean cross-entropy of the last batch.");
    describe_gauge!("training_accuracy", "Share of the held-out digits read correctly, 0 to 1.");
    describe_gauge!("training_gradient_norm", "Euclidean norm of the last batch's gradient.");
    describe_gauge!("training_learning_rate", "Learning rate of the last step.");
    describe_gauge!("training_samples_per_second", Unit::CountPerSecond, "During the last step.");
    describe_counter!("training_samples_total", Unit::Count, "Digits trained on.");
    describe_counter!("training_steps_total", Unit::Count, "Optimizer steps taken.");
    describe_histogram!("training_step_duration_seconds", Unit::Seconds, "One step, with loading.");
    describe_histogram!("training_epoch_duration_seconds", Unit::Seconds, "One epoch, with tests.");
}

/// What the command line asks for.
fn plan() -> Plan {
    let epochs = flag("--epochs", 60, |epochs| *epochs > 0);
    let lr = flag("--lr", 0.03, |lr: &f64| *lr > 0.0 && lr.is_finite());
    let seed = flag("--seed", 1, |_| true);
    let sizes = vec![64, 256, 128, 10];
    let respond = !env::args().any(|word| word == "--no-response");
    let plan = Plan { sizes, epochs, lr, seed, fault: None, respond, simulated_time: false };
    let steps = plan.steps();
    let step = flag("--fault-step", steps / 2, |step| *step < steps);
    let factor = flag("--fault-factor", 100.0, |factor| *factor > 0.0);
    let kind: Option<FaultKind> = flag("--fault", Named(None), |_| true).0;
    Plan { fault: kind.map(|kind| Fault { kind, step, factor }), ..plan }
}

/// What the watch said, and what came of it.
fn what_happened(plan: &Plan, outcome: &Outcome) -> String {
    let mut text = String::new();
    if let Some(Fault { kind, step, .. }) = plan.fault {
        let [before, after] = outcome.samples_per_second;
        let _ = writeln!(text, "fault        {kind:?} at step {step}");
        let _ = writeln!(
            text,
            "pace         {before:.0} samples per second before it, {after:.0} after"
        );
    }
    for (anomaly, response) in &outcome.anomalies {
        let _ = writeln!(text, "anomaly      {anomaly}");
        if let Some(response) = response {
            let _ = writeln!(text, "response     {response}");
        }
    }
    text
}

/// Rewrites one line on a terminal; elsewhere writes every tenth.
fn show_progress(epoch: usize, epochs: usize, accuracy: f64) {
    let (bar, last) = ("#".repeat(30 * epoch / epochs), epoch == epochs);
    let line = format!("[{bar:<30}] epoch {epoch}/{epochs}, accuracy {accuracy:.4}");
    let _ = match io::stderr().is_terminal() {
        true => write!(io::stderr(), "\r{line}{}", if last { "\n" } else { "" }),
        false if last || epoch % 10 == 0 => writeln!(io::stderr(), "{line}"),
        false => Ok(()),
    };
}

fn summary(seconds: f64) -> String {
    let snapshot = Registry::global().snapshot();
    let directory = if Path::new("target").is_dir() { "target".into() } else { env::temp_dir() };
    let path = directory.join("train_digits.prom");
    let written = fs::write(&path, nissa::expose::text(&snapshot));
    let problem = written.map_or_else(|error| format!(" not written: {error}"), |()| String::new());
    let value = |name| snapshot.value(name).unwrap_or(f64::NAN);
    let step = |q| 1e3 * snapshot.quantile("training_step_duration_seconds", q).unwrap_or(f64::NAN);
    let (loss, gradient_norm) = (value("training_loss"), value("training_gradient_norm"));
    let (p50, p99, rate) = (step(0.5), step(0.99), value("training_samples_total") / seconds);
    let (cpu, memory) =
        (value("process_cpu_seconds_total"), value("process_resident_memory_bytes") / 1e6);
    let (load, total) = (value("node_load1"), value("node_memory_MemTotal_bytes") / 1e9);
    let (accuracy, steps) = (value("training_accuracy"), value("training_steps_total"));
    format!(
        "last batch   loss {loss:.4}, gradient norm {gradient_norm:.3}\n\
         accuracy     {accuracy:.4} on held-out digits\n\
         step         p50 {p50:.2} ms, p99 {p99:.2} ms\n\
         throughput   {rate:.0} samples per second\n\
         process      {cpu:.1} s of CPU time, {memory:.0} MB of memory\n\
         machine      load {load:.2}, {total:.1} GB of memory\n\
         scrape text  {}{problem}\n\
         result accuracy={accuracy:.2} seconds={seconds:.1} steps={steps}\n",
        path.display()
    )
}

/// Every word must be a flag of the usage, or the value of one.
fn check_flags() {
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--help" {
            let _ = writeln!(io::stdout(), "{USAGE}");
            process::exit(0);
        } else if USAGE.contains(&format!("[{word} ")) {
            words.next();
        } else if !USAGE.contains(&format!("[{word}]")) {
            exit_with_usage(&format!("unknown flag {word}"));
        }
    }
}

/// The value after `name` on the command line, or else `default`.
fn flag<T: FromStr>(name: &str, default: T, valid: impl Fn(&T) -> bool) -> T {
    let Some(at) = env::args().position(|word| word == name) else { return default };
    let word = env::args().nth(at + 1).unwrap_or_default();
    let value = word.parse().ok().filter(valid);
    value.unwrap_or_else(|| exit_with_usage(&format!("{name} cannot be {word:?}")))
}

fn exit_with_usage(error: &str) -> ! {
    let _ = writeln!(io::stderr(), "error: {error}\n{USAGE}");
    process::exit(2);
}

/// A fault, or none.
struct Named(Option<FaultKind>);

impl FromStr for Named {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        word.parse().map(|kind| Self(Some(kind)))
    }
}
