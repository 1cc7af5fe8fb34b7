//! What a run has survived is no news when it returns; what is worse, or new, is.
#![cfg(feature = "detect")]

use nissa::watch::{Anomaly, Kind, Severity, Step, Training};
use nissa::{Registry, watch};

/// Numbers between 0 and 1 that look random.
fn noise(step: u64) -> f64 {
    let mut z = step.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678_9ABC_DEF1);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z >> 11) as f64 / (1u64 << 53) as f64
}

fn training() -> Training {
    watch::training().registry(&Registry::new()).build()
}

/// The loss of a run that goes well.
fn loss(step: u64) -> f64 {
    (0.2 + 2.0 / (1.0 + 0.02 * step as f64)) * (0.9 + 0.2 * noise(step))
}

/// Warnings and worse.
fn alarms(watch: &mut Training, steps: impl IntoIterator<Item = Step>) -> Vec<Anomaly> {
    let found = steps.into_iter().filter_map(|step| watch.observe(step));
    found.filter(|anomaly| anomaly.severity() >= Severity::Warning).collect()
}

/// Each hundredth batch is so many times as hard.
fn hard(factor: f64, steps: std::ops::Range<u64>) -> impl Iterator<Item = Step> {
    steps.map(move |step| {
        let hard = if step % 100 == 99 { factor } else { 1.0 };
        Step::new(hard * loss(step)).gradient_norm(hard * (0.9 + 0.2 * noise(!step)))
    })
}

#[test]
fn a_hard_batch_that_returns_is_told_once() {
    for factor in [3.0, 10.0, 100.0] {
        let told = alarms(&mut training(), hard(factor, 0..5_000));
        assert_eq!(told.len(), 1, "{factor}: {told:?}");
        assert_eq!((told[0].kind(), told[0].step()), (Kind::Spike, 99));
    }
}

#[test]
fn acting_upon_it_changes_nothing() {
    let mut watch = training();
    let mut told = 0;
    for step in hard(10.0, 0..5_000) {
        if watch.observe(step).is_some_and(|found| found.severity() >= Severity::Warning) {
            watch.rearm();
            told += 1;
        }
    }
    assert_eq!(told, 1);
}

#[test]
fn what_is_worse_than_all_that_returned_is_told_in_its_step() {
    for worse in [100.0, 1_000.0] {
        let mut watch = training();
        alarms(&mut watch, hard(10.0, 0..4_000));
        let told = alarms(&mut watch, [Step::new(worse * loss(4_000))]);
        assert_eq!(told.iter().map(Anomaly::kind).collect::<Vec<_>>(), [Kind::Spike]);
    }
    let mut watch = training();
    alarms(&mut watch, hard(10.0, 0..4_000));
    assert_eq!(watch.observe(Step::new(f64::NAN)).map(|found| found.kind()), Some(Kind::NotFinite));
}

#[test]
fn a_run_that_diverges_after_many_harmless_spikes_is_told_before_it_has_doubled() {
    let mut watch = training();
    alarms(&mut watch, hard(10.0, 0..4_000));
    let rising = |step: u64| 1.02f64.powf((step - 4_000) as f64);
    let steps = (4_000..4_100).map(|step| Step::new(rising(step) * loss(step)));
    let told = alarms(&mut watch, steps);
    let kinds: Vec<Kind> = told.iter().map(Anomaly::kind).collect();
    assert_eq!(kinds, [Kind::Drift, Kind::Divergence], "{told:#?}");
    assert!(rising(told[0].step()) < 2.0, "{}", told[0]);
}

#[test]
fn a_level_as_high_as_a_known_spike_is_told_within_five_steps() {
    let mut watch = training();
    alarms(&mut watch, hard(10.0, 0..4_000));
    let told = alarms(&mut watch, (4_000..4_100).map(|step| Step::new(8.0 * loss(step))));
    assert!(told[0].step() <= 4_005, "{}", told[0]);
}

#[test]
fn blocks_of_long_texts_are_told_once() {
    // Each fifth block of fifty steps takes four times as long.
    let step = |step: u64| {
        let long = if step / 50 % 5 == 4 { 4.0 } else { 1.0 };
        Step::new(loss(step)).samples(32).seconds(0.01 * long * (0.8 + 0.4 * noise(step)))
    };
    let mut watch = training();
    let told = alarms(&mut watch, (0..4_000).map(step));
    assert_eq!(told.iter().map(Anomaly::kind).collect::<Vec<_>>(), [Kind::Slowdown]);
    // One that does not end is told once it has lasted longer than they do.
    let told = alarms(&mut watch, (4_000..4_200).map(|at| step(at).seconds(0.04)));
    assert!(told.first().is_some_and(|first| first.step() < 4_120), "{told:?}");
    // And one that is slower, as soon as slow ones are told.
    let mut watch = training();
    alarms(&mut watch, (0..4_000).map(step));
    let told = alarms(&mut watch, (4_000..4_200).map(|at| step(at).seconds(0.3)));
    assert!(told.first().is_some_and(|first| first.step() < 4_012), "{told:?}");
}

#[test]
fn a_plain_watch_tells_three_of_a_kind() {
    let mut watch = watch("x").spikes().dips().registry(&Registry::new()).build();
    let value = |step: u64| match step % 200 {
        199 => 40.0,
        99 => 2.0,
        _ => 10.0 + noise(step),
    };
    let told: Vec<Kind> = (0..3_000)
        .filter_map(|step| watch.observe(value(step)))
        .map(|found| found.kind())
        .collect();
    let of = |kind: Kind| told.iter().filter(|told| **told == kind).count();
    assert_eq!((of(Kind::Spike), of(Kind::Dip)), (3, 3), "{told:?}");
    // What has not come for a thousand values is news again.
    assert!((3_000..4_100).all(|step| watch.observe(10.0 + noise(step)).is_none()));
    assert_eq!(watch.observe(40.0).map(|found| found.kind()), Some(Kind::Spike));
}

#[test]
fn stages_of_a_warm_up_and_its_peak() {
    let staged = |factor: f64| {
        move |step: u64| {
            Step::new(loss(step)).learning_rate(0.1 * factor.powi((step / 150).min(2) as i32 - 2))
        }
    };
    for factor in [3.0, 5.0] {
        assert_eq!(alarms(&mut training(), (0..1_000).map(staged(factor))), []);
    }
    // A factor of ten is told; when it has lasted, the next is none.
    let told = alarms(&mut training(), (0..1_000).map(staged(10.0)));
    assert_eq!(told.iter().map(Anomaly::step).collect::<Vec<_>>(), [150]);

    let build = || watch::training().peak_learning_rate(0.1).registry(&Registry::new()).build();
    let mut watch = build();
    assert_eq!(alarms(&mut watch, (0..1_000).map(staged(10.0))), []);
    let found = watch.observe(Step::new(loss(1_000)).learning_rate(0.15)).unwrap();
    assert_eq!((found.kind(), found.expected().0), (Kind::RateJump, 0.0));
    assert!(found.to_string().contains("it jumped to 1.5 times its highest, 0.1"), "{found}");
    // From the first step on.
    assert!(build().observe(Step::new(1.0).learning_rate(0.2)).is_some());
}

#[test]
fn a_rate_that_restarts_after_a_drift_is_no_jump() {
    // The rate falls to a hundredth while the loss shifts, and goes back where it was.
    let rate = |step: u64| if (400..700).contains(&step) { 0.001 } else { 0.1 };
    let shifted = |step: u64| if step < 450 { loss(step) } else { 3.0 * loss(step) };
    let told =
        alarms(&mut training(), (0..900).map(|at| Step::new(shifted(at)).learning_rate(rate(at))));
    assert!(told.iter().all(|found| found.kind() != Kind::RateJump), "{told:?}");
}

#[test]
fn a_rate_that_jumps_is_told_though_a_spike_is_not_over() {
    let mut watch = training();
    let step = |step: u64| Step::new(loss(step)).learning_rate(0.1);
    assert_eq!(alarms(&mut watch, (0..300).map(step)), []);
    let spike = Step::new(50.0).learning_rate(0.1);
    assert_eq!(watch.observe(spike).map(|found| found.kind()), Some(Kind::Spike));
    assert_eq!(watch.observe(step(301)), None);
    let jump = step(302).learning_rate(10.0);
    assert_eq!(watch.observe(jump).map(|found| found.kind()), Some(Kind::RateJump));
    // Once.
    assert_eq!(watch.observe(step(303).learning_rate(10.0)), None);
}

#[test]
fn a_loss_scale_that_is_looked_for_is_no_fault() {
    let mut watch = training();
    // From 65,536 down at first, then one step in two hundred.
    let overflows = |step: u64| step < 12 || step % 200 == 150;
    let norm = |step: u64| if overflows(step) { f64::INFINITY } else { 1.0 + noise(step) };
    let step = |step: u64| Step::new(loss(step)).gradient_norm(norm(step));
    assert_eq!(alarms(&mut watch, (0..3_000).map(step)), []);
    // No scale helps: nothing is learned any more.
    let told = alarms(&mut watch, (3_000..3_100).map(|at| step(at).gradient_norm(f64::INFINITY)));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].to_string().contains("not a finite number for 40 steps"), "{}", told[0]);
    assert_eq!(told[0].severity(), Severity::Critical);
}

#[test]
fn a_norm_that_is_nan_is_told_and_once_survived_no_more() {
    let mut watch = training();
    let step = |step: u64| Step::new(loss(step)).gradient_norm(1.0 + noise(step));
    assert_eq!(alarms(&mut watch, (0..100).map(step)), []);
    let nan = |at: u64| step(at).gradient_norm(f64::NAN);
    assert_eq!(alarms(&mut watch, [nan(100)]).len(), 1);
    assert_eq!(alarms(&mut watch, (101..200).map(step)), []);
    assert_eq!(alarms(&mut watch, [nan(200)]), []);
    // But a loss is.
    assert_eq!(alarms(&mut watch, [Step::new(f64::NAN).gradient_norm(f64::NAN)]).len(), 1);
}
