//! A detector that was saved and restored scores on as if nothing had happened.
#![cfg(feature = "detect")]

use std::time::Duration;

use nissa::detect::{
    Changepoint, Detector, Ensemble, Forecast, Forest, Once, Peaks, Robust, State, ZScore,
};

fn all() -> Vec<Box<dyn Detector>> {
    vec![
        Box::new(Ensemble::default()),
        Box::new(ZScore::default()),
        Box::new(Robust::mad(200)),
        Box::new(Robust::iqr(200)),
        Box::new(Forest::default()),
        Box::new(Forecast::default()),
        Box::new(Changepoint::default()),
        Box::new(Once::new(Peaks::default())),
        Box::new(ZScore::ewma(100).differences()),
        Box::new(ZScore::windowed(64)),
        Box::new(ZScore::windowed(500).differences()),
    ]
}

/// A wave with a daily rhythm, noise and a spike now and then.
fn sample(step: u64) -> (f64, Duration) {
    let noise = (step.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64 / (1 << 24) as f64;
    let spike = if step % 397 == 396 { 40.0 } else { 0.0 };
    let value =
        100.0 + 30.0 * (step as f64 / 288.0 * std::f64::consts::TAU).sin() + 5.0 * noise + spike;
    (value, Duration::from_secs(1_700_000_000 + 300 * step))
}

#[test]
fn restored_detectors_give_the_same_scores() {
    for mut before in all() {
        for step in 0..1000 {
            let (value, at) = sample(step);
            let _ = before.observe(value, at);
        }
        let text = serde_json::to_string(&before.save()).unwrap();
        let state: State = serde_json::from_str(&text).unwrap();
        let fresh = all().into_iter().zip(all()).find(|(other, _)| other.name() == before.name());
        let mut after = fresh.unwrap().0;
        after.restore(&state).unwrap();
        for step in 1000..2000 {
            let (value, at) = sample(step);
            assert_eq!(before.observe(value, at), after.observe(value, at), "{}", before.name());
        }
    }
}

#[test]
fn groups_go_on_too() {
    let (mut before, mut after) = (Forest::group(3), Forest::group(3));
    let observe = |forest: &mut Forest, step: u64| {
        let (value, at) = sample(step);
        let (other, _) = sample(step + 17);
        forest.observe_group(&[value, 200.0 - value, value + other], at)
    };
    for step in 0..1000 {
        let _ = observe(&mut before, step);
    }
    let text = serde_json::to_string(&before.save()).unwrap();
    let state: State = serde_json::from_str(&text).unwrap();
    for wrong in [Forest::group(2), Forest::group(4), Forest::default()] {
        assert!(wrong.clone().restore(&state).unwrap_err().is_state());
    }
    after.restore(&state).unwrap();
    let mut anomalous = 0;
    for step in 1000..3000 {
        let score = observe(&mut before, step);
        assert_eq!(score, observe(&mut after, step));
        anomalous += u32::from(score.is_anomalous());
    }
    assert!(anomalous > 0, "nothing was compared but zeros");
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_changes_nothing() {
    for mut detector in all() {
        let other: Box<dyn Detector> = match detector.name() {
            "zscore" => Box::new(ZScore::windowed(64)),
            _ => Box::new(ZScore::default()),
        };
        let untouched = detector.save();
        let error = detector.restore(&other.save()).unwrap_err();
        assert!(error.is_state(), "{error}");
        assert_eq!(detector.save(), untouched);
    }
}
