//! Trains a small neural network on the UCI handwritten digits and records the run with nissa.
//!
//!     cargo run --release --features full --example train_digits
//!     cargo run --release --features full --example train_digits -- --fault lr-spike

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};
use std::{env, fs, io, mem, path::Path, process, str::FromStr, thread};

use nissa::{Buckets, Registry, Unit, counter, gauge, histogram};
use nissa::{describe_counter, describe_gauge, describe_histogram};

const USAGE: &str = "usage: train_digits [--epochs N] [--lr X] [--seed N] [--help]
       [--fault lr-spike|nan|stall] [--fault-step N] [--fault-factor X]";
const BATCH: usize = 32;

fn main() -> Result<(), nissa::Error> {
    for word in env::args().skip(1).step_by(2) {
        if word == "--help" {
            let _ = writeln!(io::stdout(), "{USAGE}");
            return Ok(());
        } else if !USAGE.contains(&format!("[{word} ")) {
            exit_with_usage(&format!("unknown flag {word}"));
        }
    }
    // A step takes about a millisecond; Prometheus's default buckets start at five.
    let bounds = [0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.007, 0.01, 0.03, 0.1, 1.0];
    Registry::builder().default_buckets(Buckets::explicit(&bounds)?).install()?;
    describe_metrics();
    let started = Instant::now();
    train();
    // Not println!, which panics when the reader of a pipe has gone away.
    let _ = io::stdout().write_all(summary(started.elapsed().as_secs_f64()).as_bytes());
    Ok(())
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

fn train() {
    let mut rng: u64 = flag("--seed", 1, |_| true);
    let (mut digits, held_out) = load_digits(&mut rng);
    let epochs = flag("--epochs", 60, |epochs| *epochs > 0);
    let steps = epochs * digits.len().div_ceil(BATCH);
    let fault = flag("--fault", String::new(), |f| ["lr-spike", "nan", "stall"].contains(&&**f));
    let fault_step = flag("--fault-step", steps / 2, |step| *step < steps);
    let fault_factor: f64 = flag("--fault-factor", 100.0, |factor| *factor > 0.0);
    // What a fault breaks, a response can mend: `lr`, `model` (a clone is a checkpoint), loader.
    let mut lr: f64 = flag("--lr", 0.03, |lr| *lr > 0.0 && lr.is_finite());
    let mut model = Mlp::new(&[64, 256, 128, 10], &mut rng);
    let mut loader_delay = Duration::ZERO;
    let mut step = 0;
    for epoch in 1..=epochs {
        let _epoch_timer = histogram!("training_epoch_duration_seconds").start_timer();
        digits.sort_by_cached_key(|_| random(&mut rng).to_bits());
        for rows in digits.chunks(BATCH) {
            match fault.as_str() {
                "lr-spike" if step == fault_step => lr *= fault_factor,
                "nan" if step == fault_step => model.weights[1][0][0] = f32::NAN,
                "stall" if step == fault_step => loader_delay = Duration::from_millis(6),
                _ => {}
            }
            let started = Instant::now();
            let batch = load_batch(rows, loader_delay, &mut rng);
            let loss: f32 = batch.iter().map(|digit| model.backward(digit)).sum();
            let gradient_norm = model.descend(lr as f32, batch.len());
            let seconds = started.elapsed().as_secs_f64();

            gauge!("training_loss").set(loss / batch.len() as f32);
            gauge!("training_gradient_norm").set(gradient_norm);
            gauge!("training_learning_rate").set(lr);
            gauge!("training_samples_per_second").set(batch.len() as f64 / seconds);
            counter!("training_samples_total").increment(batch.len() as u64);
            counter!("training_steps_total").increment(1);
            histogram!("training_step_duration_seconds").record(seconds);
            step += 1;
        }
        let accuracy = model.accuracy(&held_out);
        gauge!("training_accuracy").set(accuracy);
        show_progress(epoch, epochs, accuracy);
    }
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
    let (accuracy, steps) = (value("training_accuracy"), value("training_steps_total"));
    format!(
        "last batch   loss {loss:.4}, gradient norm {gradient_norm:.3}\n\
         accuracy     {accuracy:.4} on held-out digits\n\
         step         p50 {p50:.2} ms, p99 {p99:.2} ms\n\
         throughput   {rate:.0} samples per second\n\
         scrape text  {}{problem}\n\
         result accuracy={accuracy:.2} seconds={seconds:.1} steps={steps}\n",
        path.display()
    )
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

type Digit = (Vec<f32>, usize); // pixels from 0 to 1, and the label
type Matrix = Vec<Vec<f32>>; // a row for each input, and a last one for the bias

/// All digits in random order: four fifths to train on, one fifth held out.
fn load_digits(rng: &mut u64) -> (Vec<Digit>, Vec<Digit>) {
    let gzip = flate2::read::GzDecoder::new(&include_bytes!("data/digits.csv.gz")[..]);
    let csv = io::read_to_string(gzip).expect("embedded file");
    let number = |word: &str| word.parse::<f32>().expect("embedded number");
    let digit = |line: &str| {
        let (pixels, label) = line.rsplit_once(',').expect("embedded label");
        (pixels.split(',').map(|word| number(word) / 16.0).collect(), number(label) as usize)
    };
    let mut digits: Vec<Digit> = csv.lines().map(digit).collect();
    digits.sort_by_cached_key(|_| random(rng).to_bits());
    (digits.split_off(digits.len() / 5), digits)
}

/// Copies the rows with noise on every pixel, so that no digit comes twice the same.
fn load_batch(rows: &[Digit], delay: Duration, rng: &mut u64) -> Vec<Digit> {
    thread::sleep(delay);
    let mut noisy = |pixels: &[f32]| pixels.iter().map(|x| x + 0.5 * random(rng)).collect();
    rows.iter().map(|(pixels, label)| (noisy(pixels), *label)).collect()
}

/// A multi-layer perceptron of dense layers with ReLU between them.
#[derive(Clone)]
struct Mlp {
    weights: Vec<Matrix>,
    gradient: Vec<Matrix>,
    velocity: Vec<Matrix>,
}

impl Mlp {
    fn new(sizes: &[usize], rng: &mut u64) -> Self {
        let zero: Vec<Matrix> = sizes.windows(2).map(|n| vec![vec![0.0; n[1]]; n[0] + 1]).collect();
        let mut weights = zero.clone();
        for layer in &mut weights {
            let bound = (6.0 / layer.len() as f32).sqrt();
            layer.iter_mut().flatten().for_each(|weight| *weight = bound * random(rng));
        }
        Self { weights, gradient: zero.clone(), velocity: zero }
    }

    /// What enters each layer and, last, the logits.
    fn forward(&self, pixels: &[f32]) -> Vec<Vec<f32>> {
        let mut values = vec![pixels.to_vec()];
        for (depth, layer) in self.weights.iter().enumerate() {
            let mut sums = vec![0.0; layer[0].len()];
            for (x, row) in values[depth].iter().chain(&[1.0]).zip(layer) {
                sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += x * weight);
            }
            // ReLU. Not max(0.0), which would hide a NaN.
            let hidden = depth + 1 < self.weights.len();
            sums.iter_mut().filter(|sum| hidden && **sum < 0.0).for_each(|sum| *sum = 0.0);
            values.push(sums);
        }
        values
    }

    /// Adds the gradient of this digit's cross-entropy, and returns the cross-entropy.
    fn backward(&mut self, (pixels, label): &Digit) -> f32 {
        let values = self.forward(pixels);
        let logits = &values[self.weights.len()];
        let top = logits.iter().copied().fold(f32::MIN, f32::max);
        let total: f32 = logits.iter().map(|z| (z - top).exp()).sum();
        let mut slope: Vec<f32> = logits.iter().map(|z| (z - top).exp() / total).collect();
        slope[*label] -= 1.0;
        let layers = self.weights.iter().zip(&mut self.gradient);
        for (input, (weights, gradient)) in values.iter().zip(layers).rev() {
            let rows = weights.iter().zip(gradient);
            let through = |(x, (weights, gradient)): (&f32, (&Vec<f32>, &mut Vec<f32>))| {
                gradient.iter_mut().zip(&slope).for_each(|(sum, s)| *sum += x * s);
                let sum = weights.iter().zip(&slope).map(|(w, s)| w * s).sum();
                if *x <= 0.0 { 0.0 } else { sum }
            };
            slope = input.iter().chain(&[1.0]).zip(rows).map(through).collect();
        }
        total.ln() + (top - logits[*label])
    }

    /// One step of SGD with momentum along the batch's mean gradient, whose norm it returns.
    fn descend(&mut self, lr: f32, batch: usize) -> f64 {
        let mut squares = 0.0;
        let gradient = self.gradient.iter_mut().flatten().flatten();
        let velocity = self.velocity.iter_mut().flatten().flatten();
        let weights = self.weights.iter_mut().flatten().flatten();
        for ((weight, velocity), sum) in weights.zip(velocity).zip(gradient) {
            let gradient = mem::take(sum) / batch as f32;
            squares += f64::from(gradient).powi(2);
            *velocity = 0.9 * *velocity - lr * gradient;
            *weight += *velocity;
        }
        squares.sqrt()
    }

    fn accuracy(&self, digits: &[Digit]) -> f64 {
        let right = digits.iter().filter(|(pixels, label)| {
            let logits = self.forward(pixels).pop().unwrap();
            (0..10).max_by(|&a, &b| logits[a].total_cmp(&logits[b])) == Some(*label)
        });
        right.count() as f64 / digits.len() as f64
    }
}

/// The next of a splitmix64 sequence, between -1 and 1.
fn random(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
}
