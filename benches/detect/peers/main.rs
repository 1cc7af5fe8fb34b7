//! nissa's detectors beside the crates that come nearest, in one run.

#![allow(unreachable_pub, reason = "a program exports nothing, so the word would be pub(crate)")]

#[path = "../harness.rs"]
mod harness;
#[path = "../ours.rs"]
mod ours;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use augurs_changepoint::{Detector as _, NormalGammaDetector};
use extended_isolation_forest::{Forest, ForestOptions};
use harness::{Report, nanoseconds, series};
use krcf::{RandomCutForest, RandomCutForestOptions};

/// Counts the bytes that are held, since the peers do not say.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LENGTH: usize = 4000;

fn main() {
    let mut report = Report::default();
    ours::measure(&mut report);
    random_cut_forest(&mut report, 50, 256);
    random_cut_forest(&mut report, 10, 128);
    extended_forest(&mut report);
    changepoint(&mut report);
    report.finish();
}

fn random_cut_forest(report: &mut Report, trees: usize, samples: usize) {
    let name = format!("random cut forest {trees}x{samples}");
    let make = || {
        let options = RandomCutForestOptions {
            dimensions: 1,
            shingle_size: 8,
            num_trees: Some(trees),
            sample_size: Some(samples),
            random_seed: Some(42),
            ..RandomCutForestOptions::default()
        };
        RandomCutForest::new(options).expect("valid options")
    };
    let data = series(LENGTH);
    let before = HELD.load(Ordering::Relaxed);
    let mut forest = make();
    let time = nanoseconds(LENGTH, || {
        forest = make();
        for (value, _) in &data {
            let point = [*value as f32];
            let _ = black_box(forest.score(&point));
            let _ = forest.update(&point);
        }
    });
    report.push("observe", &name, time, "ns");
    report.push("state", &name, (HELD.load(Ordering::Relaxed) - before) as f64, "bytes");
}

/// Not incremental: fitted to 256 points once, which is timed apart, and asked for each sample.
fn extended_forest(report: &mut Report) {
    let name = "extended isolation forest 100x256";
    let data = series(LENGTH);
    let points: Vec<[f64; 2]> = data.windows(2).map(|w| [w[1].0, w[1].0 - w[0].0]).collect();
    let options =
        ForestOptions { n_trees: 100, sample_size: 256, max_tree_depth: None, extension_level: 1 };
    let before = HELD.load(Ordering::Relaxed);
    let make = || Forest::from_slice(&points[..1000], &options).expect("enough points");
    let mut forest = make();
    let fit = nanoseconds(1, || forest = make());
    report.push("refit", name, fit, "ns");
    let time = nanoseconds(points.len(), || {
        for point in &points {
            black_box(forest.score(point));
        }
    });
    report.push("observe", name, time, "ns");
    report.push("state", name, (HELD.load(Ordering::Relaxed) - before) as f64, "bytes");
}

/// In batches: what a sample would cost if the whole series were looked at again once per hundred.
fn changepoint(report: &mut Report) {
    let name = "augurs changepoint";
    let data: Vec<f64> = series(1000).into_iter().map(|(value, _)| value).collect();
    let time = nanoseconds(data.len(), || {
        let mut detector = NormalGammaDetector::default();
        black_box(detector.detect_changepoints(&data));
    });
    report.push("observe_batch", name, time, "ns");
}
