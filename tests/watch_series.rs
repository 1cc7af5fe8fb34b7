//! A watch over one series: what it says of every shape of numbers, and what it never says.
#![cfg(feature = "detect")]

use nissa::watch::{Anomaly, Kind, Severity, Step, Watch, WatchBuilder};
use nissa::{Registry, watch};
use proptest::prelude::*;

fn all() -> WatchBuilder {
    let registry = Registry::new();
    watch("x").spikes().dips().drift().not_finite().stuck(500).registry(&registry)
}

fn feed(watch: &mut Watch, values: impl IntoIterator<Item = f64>) -> Vec<Anomaly> {
    values.into_iter().filter_map(|value| watch.observe(value)).collect()
}

fn kinds(values: impl IntoIterator<Item = f64>) -> Vec<(Kind, u64)> {
    let found = feed(&mut all().build(), values);
    found.iter().map(|anomaly| (anomaly.kind(), anomaly.step())).collect()
}

/// Numbers between 0 and 1 that look random.
fn noise(step: u64) -> f64 {
    let mut z = step.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678_9ABC_DEF1);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z >> 11) as f64 / (1u64 << 53) as f64
}

#[test]
fn ordinary_shapes_are_left_alone() {
    assert_eq!(kinds((0..400).map(|_| 5.0)), []);
    assert_eq!(kinds((0..400).map(|_| 0.0)), []);
    assert_eq!(kinds((0..2_000).map(|step| 10.0 + noise(step))), []);
    assert_eq!(kinds((0..2_000).map(|step| noise(step) - 0.5)), []);
    assert_eq!(
        kinds((0..2_000).map(|step| 3.0 * (-0.002 * step as f64).exp() + 0.01 * noise(step))),
        []
    );
    assert_eq!(kinds((0..2_000).map(|step| f64::from(step % 2))), []);
    // Low counts: now and then a one among zeros.
    assert_eq!(kinds((0..2_000).map(|step| f64::from(noise(step) > 0.95))), []);
    // As they are for gauges of any unit.
    assert_eq!(kinds((0..2_000).map(|step| 1e300 * (10.0 + noise(step)))), []);
    assert_eq!(kinds((0..2_000).map(|step| 1e-300 * (10.0 + noise(step)))), []);
}

#[test]
fn a_spike_and_a_dip_are_found_in_their_step() {
    let with = |at: u64, value: f64| {
        kinds((0..400).map(move |step| if step == at { value } else { 10.0 + noise(step) }))
    };
    assert_eq!(with(300, 40.0), [(Kind::Spike, 300)]);
    assert_eq!(with(300, 1.0), [(Kind::Dip, 300)]);
    assert_eq!(with(300, f64::NAN), [(Kind::NotFinite, 300)]);
    assert_eq!(with(0, f64::NEG_INFINITY), [(Kind::NotFinite, 0)]);
    // Too early to tell.
    assert_eq!(with(49, 40.0), []);
}

#[test]
fn a_constant_that_steps_is_found() {
    assert_eq!(
        kinds((0..200).map(|step| if step < 100 { 5.0 } else { 8.0 })),
        [(Kind::Spike, 100)]
    );
}

#[test]
fn a_step_from_zero_is_found() {
    let mut watch = all().build();
    assert_eq!(feed(&mut watch, [0.0; 60]), []);
    assert!(watch.is_ready());
    assert_eq!(watch.observe(40.0).map(|found| found.kind()), Some(Kind::Spike));
}

#[test]
fn a_plateau_needs_no_holding() {
    let registry = Registry::new();
    let mut watch = watch("x").plateau(100).hold(3).registry(&registry).build();
    let found = feed(&mut watch, (0..200).map(|step| 5.0 + noise(step)));
    assert_eq!(found.iter().map(Anomaly::kind).collect::<Vec<_>>(), [Kind::Plateau]);
}

#[test]
fn the_pace_survives_empty_batches_and_waits_for_its_turn() {
    let mut watch = watch::training().registry(&Registry::new()).build();
    let step = |step: u64| Step::new(1.0 + noise(step)).seconds(0.01);
    assert_eq!(watch.observe(step(0).samples(0)), None);
    assert_eq!(watch.observe(step(1).samples(32).seconds(1e-320)), None);
    for at in 2..100 {
        assert_eq!(watch.observe(step(at).samples(32)), None);
    }
    let slow = |at: u64| step(at).samples(1);
    for at in 100..109 {
        assert_eq!(watch.observe(slow(at)), None);
    }
    // In the very step in which ten are slow the loss is no number either.
    let nan = Step::new(f64::NAN).samples(1).seconds(0.01);
    assert_eq!(watch.observe(nan).map(|found| found.kind()), Some(Kind::NotFinite));
    assert_eq!(watch.observe(slow(110)).map(|found| found.kind()), Some(Kind::Slowdown));
}

#[test]
fn a_level_that_shifts_is_one_anomaly_and_then_normal() {
    let shifted = |step: u64| if step < 300 { 10.0 + noise(step) } else { 30.0 + noise(step) };
    assert_eq!(kinds((0..1_500).map(shifted)).len(), 1);
    let mut watch = all().build();
    feed(&mut watch, (0..1_000).map(shifted));
    let back = feed(&mut watch, [90.0]);
    assert_eq!(back.len(), 1, "the new level was not learned");
}

#[test]
fn a_creeping_rise_is_a_drift_before_it_doubles() {
    let mut watch = watch("x").drift().registry(&Registry::new()).build();
    let rising = |step: u64| {
        let level = if step < 300 { 1.0 } else { 1.004f64.powf((step - 300) as f64) };
        level * (0.9 + 0.2 * noise(step))
    };
    let found = feed(&mut watch, (0..470).map(rising));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind(), Kind::Drift);
    assert!(rising(found[0].step()) < 2.0, "{}", found[0]);
}

#[test]
fn nan_for_long_is_one_anomaly_and_worse_than_a_spike() {
    let values = (0..300).map(|step| match step {
        200 => 50.0,
        201..290 => f64::NAN,
        _ => 10.0 + noise(step),
    });
    assert_eq!(kinds(values), [(Kind::Spike, 200), (Kind::NotFinite, 201)]);
}

#[test]
fn negative_values_end_the_logarithm() {
    // A loss that may be negative, as a log-likelihood is.
    let values = |step: u64| -100.0 + 5.0 * noise(step);
    assert_eq!(kinds((0..1_000).map(values)), []);
    let mut watch = all().build();
    feed(&mut watch, (0..200).map(|step| 1.0 + noise(step)));
    feed(&mut watch, (0..200).map(values));
    assert_eq!(feed(&mut watch, [-20.0])[0].kind(), Kind::Spike);
}

#[test]
fn the_same_value_too_often_is_stuck_once() {
    let mut watch = watch("x").stuck(10).registry(&Registry::new()).build();
    let found =
        feed(&mut watch, (0..100).map(|step| if step < 50 { f64::from(step) } else { 50.0 }));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].kind(), found[0].step()), (Kind::Stuck, 59));
}

#[test]
fn limits_need_no_warm_up_and_never_become_normal() {
    let mut watch = watch("x").above(1.0).below(0.0).registry(&Registry::new()).build();
    assert_eq!(feed(&mut watch, [0.5, 2.0, -1.0]).len(), 1);
    assert!(feed(&mut watch, (0..1_000).map(|_| 3.0)).is_empty());
    feed(&mut watch, (0..20).map(|_| 0.5));
    assert_eq!(feed(&mut watch, [-1.0])[0].kind(), Kind::Below);
}

#[test]
fn plateau_is_information_once() {
    let mut watch = watch("x").plateau(100).registry(&Registry::new()).build();
    let falling = |step: u64| 1.0 + 1.0 / (1.0 + step.min(200) as f64);
    let found = feed(&mut watch, (0..2_000).map(falling));
    let kinds: Vec<_> = found.iter().map(|a| (a.kind(), a.severity())).collect();
    assert_eq!(kinds, [(Kind::Plateau, Severity::Info)]);
}

#[test]
fn holding_rearming_and_severity() {
    let builder = watch("x").above(1.0).hold(3).severity(Severity::Critical);
    let mut watch = builder.registry(&Registry::new()).build();
    let found = feed(&mut watch, [2.0, 2.0, 0.5, 2.0, 2.0, 2.0]);
    assert_eq!((found.len(), found[0].step(), found[0].severity()), (1, 5, Severity::Critical));
    assert_eq!(watch.observe(2.0), None);
    watch.rearm();
    assert_eq!(feed(&mut watch, [2.0, 2.0, 2.0]).len(), 1);
}

#[test]
fn what_is_seen_and_found_is_recorded() {
    let registry = Registry::new();
    let builder = watch("loss").label("model", "mlp").not_finite().registry(&registry);
    let mut watch = builder.build();
    watch.observe(0.25_f32);
    let snapshot = registry.snapshot();
    let gauge = snapshot.get("loss", &[("model", "mlp")]);
    assert_eq!(gauge.and_then(|gauge| gauge.as_f64()), Some(0.25));
    watch.observe(f64::NAN);
    let labels = [("rule", "loss"), ("severity", "critical")];
    let snapshot = registry.snapshot();
    let count = snapshot.get("nissa_anomalies_total", &labels);
    assert_eq!(count.and_then(|count| count.as_f64()), Some(1.0));
}

#[test]
fn macros_and_watches_use_one_registry() {
    let registry = Registry::new();
    let _scope = registry.enter();
    watch("in_scope").build().observe(3);
    assert_eq!(registry.snapshot().value("in_scope"), Some(3.0));
}

#[test]
fn a_training_watch_takes_what_there_is() {
    let registry = Registry::new();
    let mut watch = watch::training().registry(&registry).prefix("fine_tuning").build();
    for step in 0..100 {
        assert_eq!(watch.observe(Step::new(1.0 + noise(step))), None);
    }
    assert!(watch.is_ready() && watch.is_calm());
    let found = watch.observe(Step::new(1.0).gradient_norm(f64::NAN)).unwrap();
    assert_eq!((found.metric(), found.kind()), ("fine_tuning_gradient_norm", Kind::NotFinite));
    assert!(!watch.is_calm());
    assert_eq!(registry.snapshot().value("fine_tuning_steps_total"), Some(101.0));
}

#[test]
fn schedules_of_the_learning_rate_are_no_jumps() {
    let rates: [fn(u64) -> f64; 4] = [
        |step| 0.1 * (step.min(100) as f64) / 100.0, // linear warm-up from zero
        |step| 0.05 * (1.0 + (std::f64::consts::PI * (step % 200) as f64 / 200.0).cos()), // restarts
        |step| 0.1 * 0.1f64.powi((step / 300) as i32), // steps down
        |step| 0.001 * 1.01f64.powf(step.min(500) as f64), // a search for the best rate
    ];
    for rate in rates {
        let mut watch = watch::training().registry(&Registry::new()).build();
        for step in 0..1_000 {
            let found = watch.observe(Step::new(1.0 + noise(step)).learning_rate(rate(step)));
            assert!(found.is_none_or(|found| found.severity() == Severity::Info), "at {step}");
        }
    }
}

/// What the sentence says must be true: a range that is named does not hold the value, and where a
/// mean is judged, the sentence says so.
fn is_true(found: &Anomaly) -> Result<(), TestCaseError> {
    let ((low, high), value, text) = (found.expected(), found.value(), found.to_string());
    let limited = low.is_finite() || high.is_finite();
    prop_assert!(!limited || value < low || value > high, "{}", text);
    let mean = matches!(found.kind(), Kind::Drift | Kind::Divergence);
    prop_assert_eq!(text.contains("its mean of late"), mean, "{}", text);
    prop_assert!(!(mean && text.contains("expected")), "{}", text);
    let ranged = !mean && !matches!(found.kind(), Kind::Above | Kind::Below);
    prop_assert_eq!(text.contains(", expected "), limited && ranged, "{}", text);
    Ok(())
}

/// A run in pieces: how long, by what factor a step, how ragged, and with what in between.
fn runs() -> impl Strategy<Value = Vec<f64>> {
    let odd = prop::sample::select(vec![1.0, 1.0, 1.0, 3.0, 0.1, 30.0, 1e4, -1.0, f64::NAN]);
    let piece = (1..120u64, 0.95..1.06f64, 0.0..0.5f64, odd);
    prop::collection::vec(piece, 1..12).prop_map(|pieces| {
        let (mut level, mut values) = (1.0, Vec::new());
        for (steps, factor, ragged, odd) in pieces {
            for _ in 0..steps {
                level = (level * factor).clamp(1e-6, 1e6);
                values.push(level * (1.0 + ragged * noise(values.len() as u64)));
            }
            values.push(level * odd);
        }
        values
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_watch_says_is_true(values in runs(), negative in any::<bool>()) {
        let mut watch = all().above(1e3).below(1e-4).sensitivity(4.0).build();
        for value in values {
            let value = if negative { value - 2.0 } else { value };
            if let Some(found) = watch.observe(value) {
                is_true(&found)?;
            }
        }
    }

    #[test]
    fn what_a_training_watch_says_is_true(values in runs()) {
        let mut watch = watch::training().sensitivity(4.0).registry(&Registry::new()).build();
        for (at, value) in values.iter().enumerate() {
            let step = Step::new(*value).gradient_norm(values[values.len() - 1 - at]);
            let rate = 0.1 * values[at / 40 * 40].abs().min(1e3);
            if let Some(found) = watch.observe(step.learning_rate(rate).seconds(0.01 * value)) {
                is_true(&found)?;
            }
        }
    }

    #[test]
    fn no_numbers_are_too_strange(values in prop::collection::vec(any::<f64>(), 0..300)) {
        let mut watch = all().plateau(10).above(1e200).below(-1e200).build();
        let mut twin = watch.clone();
        for value in values {
            let (found, again) = (watch.observe(value), twin.observe(value));
            prop_assert_eq!(format!("{found:?}"), format!("{again:?}"));
            if let Some(found) = found {
                prop_assert!((0.5..=1.0).contains(&found.score()), "{}", found);
                prop_assert!((0.0..=1.0).contains(&found.confidence()), "{}", found);
                is_true(&found)?;
            }
        }
    }

    #[test]
    fn no_training_is_too_strange(steps in prop::collection::vec(any::<[f64; 5]>(), 0..200)) {
        let mut watch = watch::training().registry(&Registry::new()).build();
        for [loss, norm, rate, samples, seconds] in steps {
            let step = Step::new(loss).gradient_norm(norm).learning_rate(rate);
            let found = watch.observe(step.samples(samples as u64).seconds(seconds));
            found.iter().try_for_each(is_true)?;
        }
    }
}
