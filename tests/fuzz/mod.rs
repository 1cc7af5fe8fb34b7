//! Inputs that nobody thought of: good ones, changed at random. Bytes are flipped, pieces cut,
//! doubled and swapped. A test asks the same few each time; `scripts/fuzz.sh` asks others for as
//! long as it is told (`NISSA_FUZZ_SECONDS`, `NISSA_FUZZ_SEED`). What a target finds becomes a test
//! of its own.

#![allow(dead_code, reason = "each target uses its part")]
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "targets run for a time")]

use std::time::{Duration, Instant};

/// xorshift64*: repeatable. A seed is printed when something fails.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        (self.next() >> 33) as usize % most.max(1)
    }

    /// A good input, made worse a few times.
    pub(crate) fn input(&mut self, seeds: &[&[u8]], words: &[&[u8]]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].to_vec();
        for _ in 0..self.below(6) {
            let (at, other) = (self.below(input.len()), self.below(input.len()));
            let (from, to) = (at.min(other), at.max(other));
            let word = words[self.below(words.len())];
            match self.below(7) {
                0 if !input.is_empty() => input[at] = self.next() as u8,
                1 => drop(input.drain(from..to)),
                2 => drop(input.splice(at..at, word.iter().copied())),
                3 => drop(input.splice(from..to, word.iter().copied())),
                4 => {
                    let piece = input[from..to].to_vec();
                    drop(input.splice(at..at, piece));
                }
                5 => input.extend_from_slice(seeds[self.below(seeds.len())]),
                _ => input.truncate(at),
            }
            input.truncate(40_000);
        }
        input
    }
}

/// Inputs of a target, however slow the machine.
const LEAST: u64 = 300;

/// Tries inputs until there were enough and the time is over; says how many there were.
pub(crate) fn fuzz(name: &str, mut one: impl FnMut(&mut Random)) {
    let set = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    let limit = Duration::from_secs(set("NISSA_FUZZ_SECONDS").unwrap_or(0).into());
    let first = u64::from(set("NISSA_FUZZ_SEED").unwrap_or(1)) << 32;
    let (start, mut inputs) = (Instant::now(), 0u64);
    while inputs < LEAST || start.elapsed() < limit {
        let seed = first + inputs + 1;
        let outcome =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| one(&mut Random(seed))));
        if let Err(panic) = outcome {
            eprintln!("{name}: seed {seed}");
            std::panic::resume_unwind(panic);
        }
        inputs += 1;
    }
    eprintln!("{name}: {inputs} inputs");
}
