//! A watch that was saved and restored judges on as if the run had never been stopped.
#![cfg(feature = "detect")]

use nissa::detect::{Detector, State, ZScore};
use nissa::watch::{Step, Training, Watch};
use nissa::{Registry, watch};
use proptest::prelude::*;

fn series() -> Watch {
    let all = watch("x").spikes().dips().drift().not_finite().stuck(20).plateau(60).hold(2);
    all.registry(&Registry::new()).build()
}

fn training() -> Training {
    watch::training().plateau(60).registry(&Registry::new()).build()
}

/// Through text, as in a file beside the checkpoint.
fn travelled(state: &State) -> State {
    serde_json::from_str(&serde_json::to_string(state).unwrap()).unwrap()
}

/// Numbers as a run gives them, with what goes wrong in between.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        30 => 0.9..1.1f64,
        2 => 1.5..3.0f64,
        1 => 10.0..1e3f64,
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, 0.0, -1.0, 1e300, 1e-300]),
    ]
}

/// A value, and how often it comes, since some terms wait for many in a row.
fn values() -> impl Strategy<Value = Vec<f64>> {
    let runs =
        prop::collection::vec((value(), prop_oneof![8 => Just(1), 1 => 2..150usize]), 1..300);
    runs.prop_map(|runs| runs.into_iter().flat_map(|(x, n)| std::iter::repeat_n(x, n)).collect())
}

fn step(value: f64, at: usize) -> Step {
    let rate = if value > 2.5 { 1.0 } else { 0.1 };
    let norm = if at % 3 == 0 { value * value } else { 1.0 / value };
    Step::new(value).gradient_norm(norm).learning_rate(rate).samples(32).seconds(0.01 * value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_series_goes_on(values in values(), part in 0.0..1.0f64) {
        let stopped = (part * values.len() as f64) as usize;
        let mut before = series();
        values[..stopped].iter().for_each(|value| drop(before.observe(*value)));
        let mut after = series();
        after.restore(&travelled(&before.save())).unwrap();
        for value in &values[stopped..] {
            let (ours, theirs) = (before.observe(*value), after.observe(*value));
            prop_assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
        }
        prop_assert_eq!(before.save(), after.save());
    }

    #[test]
    fn training_goes_on(values in values(), part in 0.0..1.0f64) {
        let stopped = (part * values.len() as f64) as usize;
        let mut before = training();
        let steps: Vec<Step> = values.iter().enumerate().map(|(at, x)| step(*x, at)).collect();
        steps[..stopped].iter().for_each(|step| drop(before.observe(*step)));
        let mut after = training();
        after.restore(&travelled(&before.save())).unwrap();
        for step in &steps[stopped..] {
            let (ours, theirs) = (before.observe(*step), after.observe(*step));
            prop_assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
        }
        prop_assert_eq!(before.save(), after.save());
    }

    #[test]
    fn a_damaged_state_is_refused_or_worked_with(
        at in 0..200usize,
        word in prop_oneof![any::<u64>(), Just(u64::MAX), Just(u64::from(u32::MAX))],
        values in values(),
    ) {
        let mut before = training();
        (0..100).for_each(|at| drop(before.observe(step(1.0 + 0.01 * (at % 7) as f64, at))));
        let mut json = serde_json::to_value(before.save()).unwrap();
        let words = json["words"].as_array_mut().unwrap();
        let at = at % words.len();
        words[at] = word.into();
        let mut after = training();
        if after.restore(&serde_json::from_value(json).unwrap()).is_ok() {
            values.iter().enumerate().for_each(|(at, value)| drop(after.observe(step(*value, at))));
        }
    }
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_changes_nothing() {
    let mut watch = series();
    (0..60).for_each(|step| drop(watch.observe(1.0 + 0.01 * f64::from(step % 5))));
    let untouched = watch.save();
    let fewer = watch::watch("x").spikes().registry(&Registry::new()).build();
    for other in [training().save(), ZScore::default().save(), fewer.save()] {
        let error = watch.restore(&other).unwrap_err();
        assert!(error.is_state(), "{error}");
        assert_eq!(watch.save(), untouched);
    }
}

#[test]
fn a_state_of_another_name_or_of_other_terms_is_refused() {
    let build = |builder: watch::WatchBuilder| builder.registry(&Registry::new()).build();
    let x = || watch("x");
    let builders = || {
        let terms = [x().spikes(), x().dips(), x().drift(), x().not_finite(), x().stuck(3)];
        let others = [x().plateau(9), x().above(1.0), x().below(1.0), watch("y").spikes()];
        terms.into_iter().chain(others).chain([x()])
    };
    for (saved, before) in builders().enumerate() {
        let state = travelled(&build(before).save());
        for (at, after) in builders().enumerate() {
            let mut after = build(after);
            assert_eq!(after.restore(&state).is_ok(), saved == at, "{saved} into {at}");
        }
    }
    // What only says how much is too much may be chosen anew.
    let state = build(x().spikes().above(1.0)).save();
    let mut other = build(x().above(2.0).spikes().sensitivity(4.0).hold(3).warm_up(9));
    assert!(other.restore(&state).is_ok());
}
