//! The network and its data: plain SGD on the UCI handwritten digits, no framework.

use std::{io, mem};

pub(crate) type Digit = (Vec<f32>, usize); // pixels from 0 to 1, and the label
type Matrix = Vec<Vec<f32>>; // a row for each input, and a last one for the bias

/// All digits in random order: four fifths to train on, one fifth held out.
pub(crate) fn load_digits(rng: &mut u64) -> (Vec<Digit>, Vec<Digit>) {
    let gzip = flate2::read::GzDecoder::new(&include_bytes!("../data/digits.csv.gz")[..]);
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

/// A multi-layer perceptron of dense layers with ReLU between them; a clone is a checkpoint.
#[derive(Clone)]
pub(crate) struct Mlp {
    weights: Vec<Matrix>,
    gradient: Vec<Matrix>,
    velocity: Vec<Matrix>,
}

impl Mlp {
    pub(crate) fn new(sizes: &[usize], rng: &mut u64) -> Self {
        let zero: Vec<Matrix> = sizes.windows(2).map(|n| vec![vec![0.0; n[1]]; n[0] + 1]).collect();
        let mut weights = zero.clone();
        for layer in &mut weights {
            let bound = (6.0 / layer.len() as f32).sqrt();
            layer.iter_mut().flatten().for_each(|weight| *weight = bound * random(rng));
        }
        Self { weights, gradient: zero.clone(), velocity: zero }
    }

    /// What a layer adds whatever enters it.
    pub(crate) fn bias(&mut self, layer: usize) -> &mut [f32] {
        self.weights[layer].last_mut().expect("a row for the bias")
    }

    /// How many layers there are.
    #[allow(dead_code, reason = "of the bench that breaks runs in more ways")]
    pub(crate) fn depth(&self) -> usize {
        self.weights.len()
    }

    /// Sets all weights of a layer to zero.
    #[allow(dead_code, reason = "of the bench that breaks runs in more ways")]
    pub(crate) fn lose(&mut self, layer: usize) {
        self.weights[layer].iter_mut().flatten().for_each(|weight| *weight = 0.0);
    }

    /// What enters each layer and, last, the logits.
    fn forward(&self, pixels: &[f32]) -> Vec<Vec<f32>> {
        let mut values = vec![pixels.to_vec()];
        for (depth, layer) in self.weights.iter().enumerate() {
            let mut sums = vec![0.0; layer[0].len()];
            for (x, row) in values[depth].iter().chain(&[1.0]).zip(layer) {
                add_scaled(&mut sums, *x, row);
            }
            // ReLU. Not max(0.0), which would hide a NaN.
            let hidden = depth + 1 < self.weights.len();
            sums.iter_mut().filter(|sum| hidden && **sum < 0.0).for_each(|sum| *sum = 0.0);
            values.push(sums);
        }
        values
    }

    /// Adds the gradient of this digit's cross-entropy, and returns the cross-entropy.
    pub(crate) fn backward(&mut self, (pixels, label): &Digit) -> f32 {
        let values = self.forward(pixels);
        let logits = &values[self.weights.len()];
        let top = logits.iter().copied().fold(f32::MIN, f32::max);
        let total: f32 = logits.iter().map(|z| (z - top).exp()).sum();
        let mut slope: Vec<f32> = logits.iter().map(|z| (z - top).exp() / total).collect();
        slope[*label] -= 1.0;
        let layers = self.weights.iter().zip(&mut self.gradient);
        for (depth, (input, (weights, gradient))) in values.iter().zip(layers).enumerate().rev() {
            let rows = weights.iter().zip(gradient);
            let through = |(x, (weights, gradient)): (&f32, (&Vec<f32>, &mut Vec<f32>))| {
                add_scaled(gradient, *x, &slope);
                // Nothing below the first layer learns.
                if *x <= 0.0 || depth == 0 { 0.0 } else { dot(weights, &slope) }
            };
            slope = input.iter().chain(&[1.0]).zip(rows).map(through).collect();
        }
        total.ln() + (top - logits[*label])
    }

    /// One step of SGD with momentum along the batch's mean gradient, whose norm it returns.
    pub(crate) fn descend(&mut self, lr: f32, batch: usize) -> f64 {
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

    #[allow(dead_code, reason = "the bench has no use for it")]
    pub(crate) fn accuracy(&self, digits: &[Digit]) -> f64 {
        let right = digits.iter().filter(|(pixels, label)| {
            let logits = self.forward(pixels).pop().unwrap();
            (0..10).max_by(|&a, &b| logits[a].total_cmp(&logits[b])) == Some(*label)
        });
        right.count() as f64 / digits.len() as f64
    }
}

// The two loops where all time goes. Counted by hand, because the tests of this example run
// without optimisation too, where an iterator costs ten times an index.

/// `sums += factor * row`; a factor of 0 is left out, which half of all pixels and ReLUs are.
fn add_scaled(sums: &mut [f32], factor: f32, row: &[f32]) {
    let mut at = if factor == 0.0 { sums.len() } else { 0 };
    while at < sums.len() {
        sums[at] += factor * row[at];
        at += 1;
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (mut at, mut sum) = (0, 0.0);
    while at < a.len() {
        sum += a[at] * b[at];
        at += 1;
    }
    sum
}

/// The next of a splitmix64 sequence, between -1 and 1.
pub(crate) fn random(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
}
