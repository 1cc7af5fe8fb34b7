//! The default detector on the Numenta Anomaly Benchmark, at the shipped threshold: a change that
//! costs quality fails here. The rules are those of NAB v1.1's sweeper; `nab_score.py` beside the
//! data gives the full report.
#![cfg(feature = "detect")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use nissa::detect::{Detector, Ensemble};

const NAB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/nab");

struct File {
    values: Vec<f64>,
    times: Vec<Duration>,
    windows: Vec<(usize, usize)>,
}

#[test]
fn the_default_keeps_its_standard_score_on_both_halves() {
    let Ok(labels) = fs::read_to_string(Path::new(NAB).join("labels/combined_windows.json")) else {
        println!("skipped: no benchmark in ../shared/nab");
        return;
    };
    let labels: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&labels).unwrap();
    let mut halves = [(0.0, 0.0); 2];
    for (index, (name, windows)) in labels.iter().enumerate() {
        let file = read(name, windows);
        let (earned, windows) = judge(&file, &mut Ensemble::default());
        halves[index % 2].0 += earned;
        halves[index % 2].1 += windows;
    }
    // Silence earns minus one per window and scores 0; every window at once scores 100.
    let score = |(earned, windows): (f64, f64)| 50.0 * (earned + windows) / windows;
    let both = (halves[0].0 + halves[1].0, halves[0].1 + halves[1].1);
    let scores = [score(halves[0]), score(halves[1]), score(both)];
    println!("NAB standard at 0.5: halves {:.1} {:.1}, all {:.1}", scores[0], scores[1], scores[2]);
    assert_eq!(both.1, 116.0);
    assert!(scores[0] >= 62.0 && scores[1] >= 62.0 && scores[2] >= 65.0, "{scores:?}");
}

fn read(name: &str, windows: &serde_json::Value) -> File {
    let text = fs::read_to_string(Path::new(NAB).join("data").join(name)).unwrap();
    let rows: Vec<(&str, f64)> = text
        .lines()
        .skip(1)
        .map(|line| line.split_once(',').unwrap())
        .map(|(time, value)| (time, value.trim().parse().unwrap()))
        .collect();
    let row = |edge: &serde_json::Value| {
        let edge = edge.as_str().unwrap().split('.').next().unwrap();
        rows.iter().position(|(time, _)| time.starts_with(edge)).unwrap()
    };
    let window = |pair: &serde_json::Value| (row(&pair[0]), row(&pair[1]));
    File {
        values: rows.iter().map(|row| row.1).collect(),
        times: rows.iter().map(|row| seconds(row.0)).collect(),
        windows: windows.as_array().unwrap().iter().map(window).collect(),
    }
}

/// Seconds since the epoch, leap days left out: they would shift the week, and no file spans one.
fn seconds(time: &str) -> Duration {
    let field = |from: usize, to: usize| time[from..to].parse::<u64>().unwrap();
    let month = field(5, 7) as usize - 1;
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month];
    let days = (field(0, 4) - 1970) * 365 + before + field(8, 10);
    Duration::from_secs(days * 86_400 + field(11, 13) * 3600 + field(14, 16) * 60 + field(17, 19))
}

/// What the alerts earn, and the number of windows: the best alert of a window counts for its
/// earliness, one outside costs a tenth, less if it is just behind a window.
fn judge(file: &File, detector: &mut dyn Detector) -> (f64, f64) {
    let rows = file.values.len();
    let probation = (rows as f64 * 0.15).min(750.0) as usize;
    let mut found = vec![-1.0_f64; file.windows.len()];
    let mut earned = 0.0;
    for (row, (&value, &at)) in file.values.iter().zip(&file.times).enumerate() {
        if !detector.observe(value, at).is_anomalous() || row < probation {
            continue;
        }
        let inside = file.windows.iter().position(|&(from, to)| (from..=to).contains(&row));
        if let Some(window) = inside {
            let (from, to) = file.windows[window];
            let place = -((to - row + 1) as f64) / (to - from + 1) as f64;
            found[window] = found[window].max(sigmoid(place) / sigmoid(-1.0));
        } else {
            let before = file.windows.iter().rfind(|&&(_, to)| to < row);
            let place = before.map(|&(from, to)| (row - to) as f64 / (to - from) as f64);
            earned += 0.11 * place.map_or(-1.0, sigmoid);
        }
    }
    (earned + found.iter().sum::<f64>(), found.len() as f64)
}

fn sigmoid(place: f64) -> f64 {
    if place > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * place).exp()) - 1.0 }
}
