//! What detectors say of series that break naive ones: constants, steps, gaps, resets, NaN, counts
//! of rare events, a day that is missing.
#![cfg(feature = "detect")]

use std::time::Duration;

use nissa::detect::{
    Changepoint, Detector, Ensemble, Forecast, Forest, Once, Peaks, Reason, Robust, Score, ZScore,
};

fn all() -> Vec<Box<dyn Detector>> {
    vec![
        Box::new(Ensemble::default()),
        Box::new(ZScore::default()),
        Box::new(ZScore::windowed(200).differences()),
        Box::new(Robust::mad(200)),
        Box::new(Robust::iqr(200)),
        Box::new(Forest::default()),
        Box::new(Forecast::default()),
        Box::new(Changepoint::default()),
        Box::new(Peaks::default()),
    ]
}

/// Feeds a series with one sample per second; the numbers of the samples that are anomalous.
fn alerts(detector: &mut dyn Detector, values: impl IntoIterator<Item = f64>) -> Vec<usize> {
    let scores = scores(detector, values);
    (0..).zip(scores).filter(|(_, score)| score.is_anomalous()).map(|(at, _)| at).collect()
}

fn scores(detector: &mut dyn Detector, values: impl IntoIterator<Item = f64>) -> Vec<Score> {
    let at = |second: u64| Duration::from_secs(1_700_000_000 + second);
    (0..).zip(values).map(|(second, value)| detector.observe(value, at(second))).collect()
}

/// Between -1 and 1, with no pattern.
fn noise(step: usize) -> f64 {
    let mixed = (step as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

#[test]
fn a_constant_is_never_anomalous() {
    for mut detector in all() {
        for value in [0.0, 7.0, -0.1, 1e-300, 1e300] {
            let found = alerts(detector.as_mut(), std::iter::repeat_n(value, 5000));
            // Going from one constant to the next is a step, judged below.
            let found: Vec<usize> = found.into_iter().filter(|at| *at > 1000).collect();
            assert_eq!(found, [0; 0], "{} at {value}", detector.name());
        }
    }
}

#[test]
fn a_step_of_a_constant_is_told_once_and_then_is_the_new_level() {
    let step = |at: usize| if at < 500 { 4.0 } else { 5.0 };
    let found = alerts(&mut Ensemble::default(), (0..2000).map(step));
    assert_eq!(found, [500]);
    for mut detector in all() {
        let found = alerts(detector.as_mut(), (0..4000).map(step));
        let slow = if detector.name() == "changepoint" { 505 } else { 500 };
        assert!(
            found.first().is_some_and(|at| (500..=slow).contains(at)),
            "{found:?} {detector:?}"
        );
    }
}

#[test]
fn a_shift_in_noise_is_one_alert_and_quiet_within_a_hundred_samples() {
    for size in [8.0, 30.0, -30.0, 1000.0] {
        let shift = |at: usize| 50.0 + noise(at) + if at < 1500 { 0.0 } else { size };
        let found = alerts(&mut Ensemble::default(), (0..4000).map(shift));
        let after: Vec<_> = found.iter().filter(|at| **at >= 1500).collect();
        assert!(after.first().is_some_and(|at| **at < 1503), "{size}: {found:?}");
        assert!(after.iter().all(|at| **at < 1600) && after.len() <= 2, "{size}: {found:?}");
    }
}

#[test]
fn a_ramp_is_where_the_series_goes_not_an_alert_each_step() {
    let found = alerts(&mut Ensemble::default(), (0..5000).map(|at| at as f64));
    assert!(found.len() <= 1, "{found:?}");
    let noisy = (0..5000).map(|at| at as f64 + 20.0 * noise(at));
    let found = alerts(&mut Ensemble::default(), noisy);
    assert!(found.len() <= 2, "{found:?}");
}

#[test]
fn alternating_and_binary_series_are_quiet() {
    for mut detector in all() {
        let alternating = (0..3000).map(|at| f64::from(at % 2));
        let found = alerts(detector.as_mut(), alternating);
        assert_eq!(found, [0; 0], "{}", detector.name());
    }
    let binary = (0..3000).map(|at| f64::from(u8::from(noise(at) > 0.6)));
    assert_eq!(alerts(&mut Ensemble::default(), binary), [0; 0]);
}

#[test]
fn rare_events_are_counted_not_alarmed_but_a_burst_of_them_is() {
    let rare = |at: usize| f64::from(u8::from(noise(at) > 0.96));
    let found = alerts(&mut Ensemble::default(), (0..5000).map(rare));
    assert_eq!(found, [0; 0]);
    let burst = |at: usize| if at >= 4000 { 6.0 } else { rare(at) };
    let found = alerts(&mut Ensemble::default(), (0..4500).map(burst));
    assert!(found.first().is_some_and(|at| (4000..4003).contains(at)), "{found:?}");
}

#[test]
fn what_is_up_and_goes_down_is_told() {
    let up = |at: usize| f64::from(u8::from(at < 700));
    assert_eq!(alerts(&mut Ensemble::default(), (0..900).map(up)), [700]);
}

#[test]
fn a_run_of_nan_or_infinity_is_one_alert_and_leaves_no_trace() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let series = |at: usize| if (600..700).contains(&at) { bad } else { 5.0 + noise(at) };
        let scores = scores(&mut Ensemble::default(), (0..1500).map(series));
        let found: Vec<usize> = (550..705).filter(|at| scores[*at].is_anomalous()).collect();
        assert_eq!(found, [600]);
        assert_eq!(scores[600].value, 1.0);
        assert!(scores[600..700].iter().all(|score| score.reason == Reason::NotFinite));
        assert_eq!(scores[700].reason, Reason::Usual);
        // What was learned is what would have been learned without them.
        let without = (0..1500).filter(|at| !(600..700).contains(at)).map(series);
        let mut other = Ensemble::default();
        let plain: Vec<f64> = self::scores(&mut other, without).iter().map(|s| s.value).collect();
        let rest: Vec<f64> = scores.iter().map(|score| score.value).collect();
        assert_eq!(rest[..600], plain[..600]);
        assert_eq!(rest[700..], plain[600..]);
    }
    for mut detector in all() {
        let first = detector.observe(f64::NAN, Duration::ZERO);
        assert_eq!((first.value, first.ready, first.reason), (1.0, false, Reason::NotFinite));
    }
}

#[test]
fn nothing_is_compared_across_a_gap() {
    // Ten minutes of a slow wave per second, then nothing for a day, then another part of the wave.
    let wave = |at: u64| 50.0 + 20.0 * (at as f64 / 400.0).sin() + noise(at as usize);
    let mut detector = Ensemble::default();
    let start = Duration::from_secs(1_700_000_000);
    for at in 0..6000 {
        let _ = detector.observe(wave(at), start + Duration::from_secs(at));
    }
    let first = detector.observe(wave(7200), start + Duration::from_secs(90_000));
    assert_eq!(first.reason, Reason::Gap);
    assert!(!first.is_anomalous());
    for at in 7201..9000 {
        let score = detector.observe(wave(at), start + Duration::from_secs(90_000 + at - 7200));
        assert!(!score.is_anomalous(), "{at}: {score:?}");
    }
}

#[test]
fn a_counter_that_begins_anew_is_no_anomaly() {
    let counter = |at: usize| ((at % 1700) * 3) as f64;
    let scores = scores(&mut Ensemble::default(), (0..5000).map(counter));
    assert_eq!(scores[1700].reason, Reason::Reset);
    let found: Vec<usize> = (0..5000).filter(|at| scores[*at].is_anomalous()).collect();
    assert_eq!(found, [0; 0]);
}

#[test]
fn a_clock_that_goes_back_or_stands_still_changes_nothing() {
    let mut steady = Ensemble::default();
    let mut odd = Ensemble::default();
    for at in 0..3000 {
        let value = 10.0 + noise(at) + if at == 2500 { 20.0 } else { 0.0 };
        let second = 1_700_000_000 + at as u64;
        let expected = steady.observe(value, Duration::from_secs(second));
        let moved = match at {
            1000..1100 => second - 86_400,
            1500..1600 => 1_700_001_500,
            _ => second,
        };
        let score = odd.observe(value, Duration::from_secs(moved));
        assert_eq!(score.is_anomalous(), expected.is_anomalous(), "{at}");
    }
    for mut detector in all() {
        for at in (0..500).rev() {
            let score = detector.observe(noise(at), Duration::from_secs(at as u64));
            assert!((0.0..=1.0).contains(&score.value));
        }
    }
}

#[test]
fn a_series_of_next_to_nothing_is_a_series() {
    for size in [1e-300, 1e-200, 1e-150, 1e-12] {
        let series = |at: usize| size * (5.0 + noise(at) + if at == 900 { 60.0 } else { 0.0 });
        for (mut detector, mut twin) in all().into_iter().zip(all()) {
            let found = alerts(detector.as_mut(), (0..1000).map(series));
            let usual = alerts(twin.as_mut(), (0..1000).map(|at| series(at) / size));
            let name = detector.name();
            assert_eq!(found, usual, "{name} at {size}");
            // A spike is no shift of the level, and says nothing to who looks for one.
            assert!(name == "changepoint" || found.contains(&900), "{name} at {size}: {found:?}");
        }
    }
}

#[test]
fn what_follows_a_nan_is_told() {
    let calm = || ZScore::ewma(200);
    let series = |at: usize| match at {
        300 | 320 | 600 => f64::NAN,
        330 => 60.0,
        _ => 5.0 + noise(at),
    };
    let strong = |score: &Score| score.value >= 0.9;
    let told = scores(&mut Once::new(calm()), (0..800).map(series));
    let told: Vec<usize> = (0..800).filter(|at| strong(&told[*at])).collect();
    // The NaN, the other fault thirty samples later, and the NaN that comes after long; not the
    // one that is of the same event.
    assert_eq!(told, [300, 330, 600]);
    // A run of them is one event, however long.
    let run = |at: usize| if at >= 300 { f64::NAN } else { 5.0 + noise(at) };
    let told = scores(&mut Once::new(calm()), (0..900).map(run));
    assert_eq!((0..900).filter(|at| strong(&told[*at])).collect::<Vec<_>>(), [300]);
}

#[test]
fn sizes_at_the_ends_of_a_double_are_judged_like_others() {
    // Detectors whose unit is the series itself see the same series whatever its unit.
    for size in [1e-140, 1e-9, 1e9, 1e140] {
        let series = |at: usize| size * (5.0 + noise(at) + if at == 800 { 30.0 } else { 0.0 });
        for mut detector in [
            Box::new(Ensemble::default()) as Box<dyn Detector>,
            Box::new(Forest::default()),
            Box::new(Peaks::default()),
        ] {
            let found = alerts(detector.as_mut(), (0..900).map(series));
            assert!(found.contains(&800), "{} at {size}: {found:?}", detector.name());
        }
    }
    for mut detector in all() {
        let wild = (0..2000).map(|at| [1e300, -1e300, 1e-300, 0.0, f64::MAX][at % 5]);
        for score in scores(detector.as_mut(), wild) {
            assert!((0.0..=1.0).contains(&score.value), "{}: {score:?}", detector.name());
        }
    }
}

/// Two weeks in quarters of an hour, by day high and by night low.
fn daily(quarter: usize) -> f64 {
    let phase = quarter as f64 / 96.0 * std::f64::consts::TAU;
    100.0 + 60.0 * phase.sin() + 3.0 * noise(quarter)
}

#[test]
fn a_season_is_found_and_a_day_that_is_missing_does_not_lose_it() {
    let quarter = |i: usize| Duration::from_secs(1_699_920_000 + 900 * i as u64);
    for mut detector in
        [Box::new(Ensemble::default()) as Box<dyn Detector>, Box::new(Forecast::default())]
    {
        for i in (0..96 * 14).filter(|i| !(96 * 9..96 * 10).contains(i)) {
            let score = detector.observe(daily(i), quarter(i));
            // A forecast that is 2.5 deviations off by chance is what its score says it is.
            let known = detector.name() == "ensemble" && i > 96 * 3;
            assert!(!known || !score.is_anomalous(), "{i}: {score:?}");
        }
        // The level of noon at midnight: within the range, but not for this time.
        let night = 96 * 14 + 72;
        for i in 96 * 14..night {
            let _ = detector.observe(daily(i), quarter(i));
        }
        let scores: Vec<Score> =
            (night..night + 8).map(|i| detector.observe(daily(i + 48), quarter(i))).collect();
        let told = scores.iter().find(|score| score.is_anomalous());
        assert!(told.is_some(), "{}: {scores:?}", detector.name());
    }
}

#[test]
fn the_expected_range_holds_the_series_and_not_the_anomaly() {
    for mut detector in all().into_iter().filter(|detector| detector.name() != "forest") {
        let values = (0..1000).map(|at| 20.0 + noise(at));
        let last = scores(detector.as_mut(), values).pop().unwrap();
        let (low, high) = last.expected.unwrap();
        assert!(low < high && low > 0.0 && high < 40.0, "{}: {last:?}", detector.name());
    }
}

#[test]
fn a_higher_threshold_tells_less_and_keeps_its_word() {
    let wild = |at: usize| noise(at).powi(9) * 100.0;
    let mut before = usize::MAX;
    for threshold in [0.3, 0.5, 0.7, 0.9] {
        let mut detector = Ensemble::default().threshold(threshold);
        let scores = scores(&mut detector, (0..20_000).map(wild));
        let told: Vec<usize> = (0..20_000).filter(|at| scores[*at].value >= threshold).collect();
        assert!(told.len() <= before, "{threshold}");
        assert!(told.windows(2).all(|pair| pair[1] - pair[0] > 60), "one per event: {told:?}");
        before = told.len();
    }
}

#[test]
fn state_is_small() {
    let mut detector = Ensemble::default();
    for at in 0..3000 {
        let _ = detector.observe(noise(at), Duration::from_secs(at as u64));
    }
    assert!(detector.state_bytes() <= 1024, "plain: {}", detector.state_bytes());
    for at in 0..5000 {
        let _ = detector.observe(daily(at), Duration::from_secs(900 * at as u64));
    }
    assert!(detector.state_bytes() <= 8 * 1024, "seasonal: {}", detector.state_bytes());
    // Two months of noise: the search for a season is given up, and its memory returned.
    let mut detector = Ensemble::default();
    for at in 0..96 * 12 {
        let _ = detector.observe(noise(at), Duration::from_secs(900 * at as u64));
    }
    assert!(detector.state_bytes() <= 1024, "without a season: {}", detector.state_bytes());
    assert!(Forest::default().state_bytes() <= 64 * 1024);
    assert!(ZScore::default().state_bytes() <= 128);
}
