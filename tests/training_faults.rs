//! A training run that is broken on purpose notices, acts and recovers; without the response it
//! does not; and a healthy run is left alone, be it of a kind that the watch was not made for. The
//! example's own code, on a smaller network, in simulated time, so that a busy machine changes
//! nothing.
#![cfg(feature = "detect")]

#[path = "../benches/training_faults/habits.rs"]
#[allow(dead_code, reason = "of the bench")]
mod habits;
#[path = "../examples/train_digits/model.rs"]
mod model;
#[path = "../examples/train_digits/run.rs"]
mod run;
#[path = "../benches/training_faults/runs.rs"]
#[allow(dead_code, reason = "of the bench")]
mod runs;

use std::sync::OnceLock;

use habits::Habit;
use nissa::Registry;
use nissa::watch::{self, Severity, Step};
use run::{Fault, FaultKind, Outcome, Plan};
use runs::Share;

const SEEDS: std::ops::RangeInclusive<u64> = 1..=20;
/// Early, half-way and late, in turn.
const STEPS: [usize; 3] = [100, 225, 330];

fn plan(seed: u64) -> Plan {
    let sizes = vec![64, 16, 10];
    Plan { sizes, epochs: 10, lr: 0.03, seed, fault: None, respond: true, simulated_time: true }
}

/// Runs in a registry of its own, since tests share a process.
fn run(plan: &Plan) -> Outcome {
    Registry::new().in_scope(|| plan.run(|_, _| ()))
}

fn broken(seed: u64, kind: FaultKind, step: usize, factor: f64) -> Plan {
    Plan { fault: Some(Fault { kind, step, factor }), ..plan(seed) }
}

fn alarms(outcome: &Outcome) -> Vec<String> {
    let anomalies = outcome.anomalies.iter();
    let alarms = anomalies.filter(|(anomaly, _)| anomaly.severity() >= Severity::Warning);
    alarms.map(|(anomaly, response)| format!("{anomaly}: {response:?}")).collect()
}

/// The accuracy of a seed's healthy run, which must be left alone.
fn healthy(seed: u64) -> f64 {
    static RUNS: [OnceLock<f64>; 21] = [const { OnceLock::new() }; 21];
    *RUNS[seed as usize].get_or_init(|| {
        let outcome = run(&plan(seed));
        assert!(alarms(&outcome).is_empty(), "seed {seed}: {:?}", alarms(&outcome));
        assert!(outcome.accuracy > 0.9, "seed {seed}: {}", outcome.accuracy);
        outcome.accuracy
    })
}

/// With the response the run comes within a point of the healthy one; without, it does not.
fn recovers(healthy: f64, plan: &Plan, within: u64) {
    let (mended, left) = (run(plan), run(&Plan { respond: false, ..plan.clone() }));
    let fault = plan.fault.unwrap();
    assert!(fault.step < plan.steps());
    let what = format!("seed {}, {:?} at {}", plan.seed, fault.kind, fault.step);
    let (first, _) = mended.anomalies.first().unwrap_or_else(|| panic!("{what}: unseen"));
    let steps = first.step() - fault.step as u64;
    assert!(steps <= within, "{what}: seen after {steps} steps");
    assert!(
        mended.accuracy >= healthy - 0.01,
        "{what}, times {}: {} instead of {healthy}: {:#?}",
        fault.factor,
        mended.accuracy,
        alarms(&mended)
    );
    assert!(left.accuracy < healthy - 0.01, "{what}: unhurt without response, {}", left.accuracy);
    assert!(!left.anomalies.is_empty());
}

#[test]
fn a_learning_rate_spike_is_mended() {
    for seed in SEEDS {
        for (at, factor) in [10.0, 100.0, 1000.0].into_iter().enumerate() {
            let step = STEPS[(seed as usize + at) % STEPS.len()];
            recovers(healthy(seed), &broken(seed, FaultKind::LrSpike, step, factor), 3);
        }
    }
}

#[test]
fn weights_that_became_nan_are_mended() {
    for seed in SEEDS {
        let step = STEPS[seed as usize % STEPS.len()];
        recovers(healthy(seed), &broken(seed, FaultKind::Nan, step, 1.0), 0);
    }
}

#[test]
fn a_stalling_loader_is_replaced() {
    for seed in SEEDS {
        let plan = broken(seed, FaultKind::Stall, 150, 1.0);
        // What is learned does not matter here.
        let plan = Plan { sizes: vec![64, 2, 10], epochs: 48, ..plan };
        let (mended, left) = (run(&plan), run(&Plan { respond: false, ..plan.clone() }));
        let alarms = alarms(&mended);
        assert!(matches!(&alarms[..], [one] if one.contains("slow for 10 steps")), "{alarms:?}");
        // How much of the pace before the fault is there after it, the time included until it
        // was noticed.
        let share = |outcome: &Outcome| {
            let [before, after] = outcome.samples_per_second;
            after / before
        };
        assert!(share(&mended) >= 0.9, "seed {seed}: {}", share(&mended));
        assert!(share(&left) <= 0.6, "seed {seed}: {}", share(&left));
    }
}

/// The steps at which the shipped watch raises an alarm.
fn alarm_steps(run: &runs::Run) -> Vec<usize> {
    let mut watch = watch::training().registry(&Registry::new()).build();
    let step = |row: &runs::Row| {
        let step = Step::new(row.loss).gradient_norm(row.norm).learning_rate(row.rate);
        step.samples(row.samples).seconds(row.seconds)
    };
    let alarm = |row| watch.observe(step(row)).is_some_and(|a| a.severity() >= Severity::Warning);
    let alarms: Vec<bool> = run.rows.iter().map(alarm).collect();
    (0..alarms.len()).filter(|at| alarms[*at]).collect()
}

/// Without memory of what a run survived: 11 alarms in a run with hard batches, 6 in one with
/// length buckets, 21 with a loss scale, on average. With it 2 in three runs, 1 and none, which
/// stayed so with thirteen first weights that differed in the sixth digit. The limits are further
/// off, since machines' last digits differ and training makes more of that.
#[test]
fn what_returns_in_a_healthy_run_is_told_a_few_times_at_most() {
    let told = |habit: Habit, runs: usize| -> usize {
        let runs = runs::with_habit(habit, runs, Share::BuiltOn);
        runs.iter().map(|run| alarm_steps(run).len()).sum()
    };
    let (hard, long) = (told(Habit::HardBatches, 3), told(Habit::LengthBuckets, 1));
    assert!(hard <= 9 && long <= 3, "{hard} and {long}");
    assert!(hard + long > 0, "these have become habits of nothing");
    for habit in [Habit::LossScaling, Habit::StagedWarmUp, Habit::WarmRestarts] {
        let alarms = told(habit, 1);
        assert!(alarms <= 1, "{habit:?}: {alarms}");
    }
}

#[test]
fn what_breaks_among_what_returns_is_told() {
    for run in runs::broken_with_habit(Habit::HardBatches, 1, Share::BuiltOn) {
        let (kind, step) = run.fault.unwrap();
        // A wrong batch among hard ones is a hard one.
        let alike = kind == runs::Kind::WrongLabels;
        let late = if kind == runs::Kind::Drift { 300 } else { 20 };
        let told = alarm_steps(&run).iter().any(|at| (step..=step + late).contains(at));
        assert!(told || alike, "{kind:?} at {step}: {:?}", alarm_steps(&run));
    }
}
