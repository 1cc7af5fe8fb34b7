//! What holds of every detector whatever comes in.
#![cfg(feature = "detect")]

use std::time::Duration;

use nissa::detect::{
    Changepoint, Detector, Ensemble, Forecast, Forest, Once, Peaks, Reason, Robust, Score, ZScore,
};
use proptest::prelude::*;

fn all() -> Vec<Box<dyn Detector>> {
    vec![
        Box::new(Ensemble::default()),
        Box::new(ZScore::ewma(50)),
        Box::new(ZScore::windowed(20)),
        Box::new(ZScore::windowed(64).differences()),
        Box::new(Robust::mad(30)),
        Box::new(Robust::iqr(30)),
        Box::new(Forest::default()),
        Box::new(Forecast::default()),
        Box::new(Changepoint::default()),
        Box::new(Peaks::default()),
        Box::new(Once::new(Robust::mad(64))),
    ]
}

/// Mostly plausible numbers, with everything a double can be in between.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -100.0..100.0f64,
        2 => (0..3u8).prop_map(f64::from),
        1 => any::<f64>(),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, -0.0, 1e300, -1e-300, f64::MAX]),
    ]
}

/// Mostly one step after the other, sometimes back, sometimes far ahead.
fn step() -> impl Strategy<Value = i64> {
    prop_oneof![8 => Just(1_000), 1 => -100_000_000..100_000_000i64, 1 => 0..1_000i64]
}

fn run(detector: &mut dyn Detector, samples: &[(f64, i64)]) -> Vec<Score> {
    let mut at = 1_700_000_000_000i64;
    let score = |&(value, step): &(f64, i64)| {
        at = (at + step).max(0);
        detector.observe(value, Duration::from_millis(at as u64))
    };
    samples.iter().map(score).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn scores_are_in_range_deterministic_silent_at_first_and_ready_by_sixty(
        samples in prop::collection::vec((value(), step()), 1..400),
    ) {
        for (mut detector, mut twin) in all().into_iter().zip(all()) {
            let scores = run(detector.as_mut(), &samples);
            // Bit by bit: a NaN in a range would not be equal to itself.
            let text = |scores: &[Score]| format!("{scores:?}");
            prop_assert_eq!(text(&scores), text(&run(twin.as_mut(), &samples)));
            let mut learned = 0;
            for (score, (value, _)) in scores.iter().zip(&samples) {
                let name = detector.name();
                prop_assert!((0.0..=1.0).contains(&score.value), "{name}: {score:?}");
                prop_assert_eq!(score.reason == Reason::NotFinite, !value.is_finite());
                if value.is_finite() {
                    learned += 1;
                    prop_assert!(learned > 50 || score.value == 0.0, "{name} at {learned}");
                    prop_assert!(learned < 60 || score.ready, "{name} at {learned}");
                }
                if let Some((low, high)) = score.expected {
                    prop_assert!(low <= high, "{name}: {score:?}");
                }
            }
        }
    }

    #[test]
    fn a_state_saved_anywhere_goes_on_alike(
        samples in prop::collection::vec((value(), step()), 2..300),
        cut in any::<prop::sample::Index>(),
    ) {
        let (before, after) = samples.split_at(cut.index(samples.len()));
        for (mut detector, mut restored) in all().into_iter().zip(all()) {
            let _ = run(detector.as_mut(), before);
            restored.restore(&detector.save()).unwrap();
            let expected = format!("{:?}", run(detector.as_mut(), after));
            prop_assert_eq!(format!("{:?}", run(restored.as_mut(), after)), expected);
            prop_assert_eq!(detector.save(), restored.save());
        }
    }

    #[test]
    fn a_damaged_state_is_refused_or_worked_with(
        samples in prop::collection::vec((value(), step()), 60..200),
        at in any::<prop::sample::Index>(),
        word in any::<u64>(),
    ) {
        for (mut detector, mut other) in all().into_iter().zip(all()) {
            let _ = run(detector.as_mut(), &samples);
            let mut state: serde_json::Value = serde_json::to_value(detector.save()).unwrap();
            let words = state["words"].as_array_mut().unwrap();
            let at = at.index(words.len());
            words[at] = word.into();
            if other.restore(&serde_json::from_value(state).unwrap()).is_ok() {
                for score in run(other.as_mut(), &samples) {
                    prop_assert!((0.0..=1.0).contains(&score.value), "{}", other.name());
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_goes_for_groups(
        samples in prop::collection::vec([value(), value(), value()], 1..300),
        size in 2..5usize,
    ) {
        let run = || {
            let mut forest = Forest::group(size);
            let score = |values: &[f64; 3]| forest.observe_group(values, Duration::ZERO);
            samples.iter().map(score).collect::<Vec<Score>>()
        };
        let scores = run();
        prop_assert_eq!(format!("{scores:?}"), format!("{:?}", run()));
        let mut learned = 0;
        for (score, values) in scores.iter().zip(&samples) {
            prop_assert!((0.0..=1.0).contains(&score.value), "{score:?}");
            let finite = values.iter().all(|value| value.is_finite());
            prop_assert_eq!(score.reason == Reason::NotFinite, !finite);
            if !finite {
                prop_assert!(!values[score.origin].is_finite(), "{score:?} of {values:?}");
                continue;
            }
            learned += 1;
            prop_assert!(learned > 50 || score.value == 0.0, "at {learned}");
            prop_assert!(learned < 60 || score.ready, "at {learned}");
            prop_assert!(score.origin < size, "{score:?}");
            if let Some((low, high)) = score.expected {
                prop_assert!(low <= high, "{score:?}");
            }
        }
    }
}
