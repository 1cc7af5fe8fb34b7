//! What each detector costs and holds, and what a tick over 1,000 series costs.
//!
//! ```text
//! cargo bench --features detect --bench detect
//! cargo run --release --manifest-path benches/detect/peers/Cargo.toml     beside its peers
//! ```
//!
//! Prints a table and the goals, and writes `target/detect.json`, a list of
//! `{"case", "system", "threads", "value", "unit"}`. The second form adds the peers to the same
//! run; they are a package of their own, since their 200 crates would be compiled for every test.

#![allow(unreachable_pub, reason = "a program exports nothing, so the word would be pub(crate)")]

mod harness;
mod ours;
mod stage;

fn main() {
    let mut report = harness::Report::default();
    ours::measure(&mut report);
    stage::measure(&mut report);
    report.finish();
}
