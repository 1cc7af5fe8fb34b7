//! nissa's detectors.

use std::hint::black_box;
use std::time::Duration;

use nissa::detect::{Changepoint, Detector, Ensemble, Forecast, Forest, Peaks, Robust, ZScore};

use crate::harness::{Report, nanoseconds, series};

const LENGTH: usize = 4000;

pub fn measure(report: &mut Report) {
    let detectors: Vec<Box<dyn Detector>> = vec![
        Box::new(ZScore::default()),
        Box::new(ZScore::windowed(1000)),
        Box::new(ZScore::default().differences()),
        Box::new(Robust::mad(1000)),
        Box::new(Robust::iqr(1000)),
        Box::new(Forest::default()),
        Box::new(Forecast::default()),
        Box::new(Changepoint::default()),
        Box::new(Peaks::default()),
        Box::new(Ensemble::default()),
    ];
    let samples = series(LENGTH);
    for detector in detectors {
        let name = format!("nissa {}", detector.name());
        let mut used = detector.boxed_clone();
        let time = nanoseconds(LENGTH, || {
            used = detector.boxed_clone();
            for &(value, at) in &samples {
                let _ = black_box(used.observe(value, at));
            }
        });
        report.push("observe", &name, time, "ns");
        report.push("state", &name, used.state_bytes() as f64, "bytes");
        match detector.name() {
            "zscore" => report.goal("z-score, ns a sample", time, 20.0),
            "forest" => {
                report.goal("forest, ns a sample", time, 5000.0);
                report.goal("forest, bytes", used.state_bytes() as f64, 65_536.0);
            }
            "ensemble" => {
                report.goal("ensemble, ns a sample", time, 500.0);
                report.goal("ensemble with a season, bytes", used.state_bytes() as f64, 8192.0);
            }
            _ => {}
        }
    }
    thousand_series(report);
    plain_state(report);
}

/// One sample for each of 1,000 series, whose detectors do not all fit the nearest cache.
fn thousand_series(report: &mut Report) {
    let mut detectors: Vec<Ensemble> = (0..1000).map(|_| Ensemble::default()).collect();
    let samples = series(LENGTH);
    let mut tick = |i: usize| {
        for (shift, detector) in detectors.iter_mut().enumerate() {
            let (value, at) = samples[(i + shift) % LENGTH];
            let _ = black_box(detector.observe(value, at + Duration::from_secs(i as u64)));
        }
    };
    (0..400).for_each(&mut tick);
    let mut i = 400;
    let time = nanoseconds(20, || {
        (i..i + 20).for_each(&mut tick);
        i += 20;
    });
    report.push("observe_1000_series", "nissa ensemble", time / 1e6, "ms");
    report.goal("1,000 series, ms a pass", time / 1e6, 1.0);
}

/// A series without a season.
fn plain_state(report: &mut Report) {
    let mut detector = Ensemble::default();
    for (i, (value, _)) in series(LENGTH).into_iter().enumerate() {
        let _ = black_box(detector.observe(value, Duration::from_millis(100 * i as u64)));
    }
    let bytes = detector.state_bytes() as f64;
    report.push("state_plain", "nissa ensemble", bytes, "bytes");
    report.goal("ensemble without a season, bytes", bytes, 1024.0);
}
