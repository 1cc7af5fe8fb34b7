//! How soon a broken training run is noticed, and how often a healthy one is disturbed: the watch
//! beside the rules of its nearest peers, on the same runs.
//!
//!     cargo bench --features detect --bench training_faults
//!     cargo bench --features detect --bench training_faults -- --built-on
//!
//! The second shows the healthy kinds of runs that the watch was made on, with the shapes and seeds
//! that were looked at; the first judges it by others. Prints tables and writes `target/training_faults.json`, a list of `{"case", "system",
//! "threads", "value", "unit"}`. Deterministic: it measures no time.

mod habits;
#[path = "../../examples/train_digits/model.rs"]
mod model;
mod peers;
#[path = "../results/mod.rs"]
mod results;
mod runs;

use habits::{Habit, SEEN, UNSEEN};
use peers::{Make, SYSTEMS};
use results::Row;
use runs::{KINDS, Kind, Run, Share};

/// Runs of each kind, and healthy ones; and of each kind for each habit.
const OF_EACH: usize = 12;
const BROKEN_OF_EACH: usize = 2;
const HEALTHY: usize = 36;
/// An alarm so many steps after the last one is the same.
const SAME: usize = 20;
/// An alarm so much later has missed the fault; a drift takes its time.
const LATE: usize = 100;
const LATE_FOR_DRIFT: usize = 300;

fn main() {
    // `cargo test --benches` asks for a run without measuring.
    if std::env::args().any(|word| word == "--test") {
        return;
    }
    if std::env::args().any(|word| word == "--built-on") {
        return print_habits(&by_habit(&SEEN, Share::BuiltOn));
    }
    let (healthy, faulty) = (runs::healthy(HEALTHY), runs::faulty(OF_EACH));
    let results: Vec<(&str, Result)> =
        SYSTEMS.iter().map(|(name, make)| (*name, judge(*make, &healthy, &faulty))).collect();
    print_table(&results);
    let by_habit = by_habit(&[&SEEN[..], &UNSEEN[..]].concat(), Share::Judged);
    print_habits(&by_habit);
    write_json(&results, &by_habit);
    print_goals(&results);
}

/// Each system's results on runs of each habit.
fn by_habit(habits: &[Habit], share: Share) -> Vec<(Habit, Vec<Result>)> {
    let one = |habit: &Habit| {
        let healthy = runs::with_habit(*habit, OF_EACH, share);
        let broken = runs::broken_with_habit(*habit, BROKEN_OF_EACH, share);
        (*habit, SYSTEMS.map(|(_, make)| judge(make, &healthy, &broken)).into())
    };
    habits.iter().map(one).collect()
}

fn print_habits(by_habit: &[(Habit, Vec<Result>)]) {
    let print = |what: &str, cell: &dyn Fn(&Result) -> String| {
        print!("\n| {what} |");
        SYSTEMS.iter().for_each(|(name, _)| print!(" {name} |"));
        println!("\n|---|{}", "---|".repeat(SYSTEMS.len()));
        for (habit, results) in by_habit {
            let cells: Vec<String> = results.iter().map(cell).collect();
            println!("| {} | {} |", habit.name(), cells.join(" | "));
        }
    };
    print("alarms per healthy run", &|result| format!("{:.2}", result.per_healthy_run()));
    print("recall, beyond chance; false per 1,000 steps", &|result| {
        let (recall, beyond) = (result.recall(), result.recall_beyond_chance());
        format!("{recall:.2}, {beyond:.2}; {:.2}", result.false_per_1000())
    });
}

#[derive(Default)]
struct Result {
    /// By kind: how many were noticed, after how many steps each.
    delays: Vec<(Kind, Vec<usize>)>,
    /// By kind: the share of healthy runs that have an alarm in the same window. Who cries all the
    /// time notices everything.
    chance: Vec<f64>,
    /// Alarms before the fault, and in healthy runs.
    false_alarms: usize,
    healthy_alarms: usize,
    healthy: usize,
    /// Faulty runs of each kind.
    of_each: usize,
    quiet_steps: usize,
    /// Drifts noticed before the loss had doubled.
    before_doubling: usize,
}

fn judge(make: Make, healthy: &[Run], faulty: &[Run]) -> Result {
    let of_each = faulty.len() / KINDS.len();
    let mut result = Result { of_each, healthy: healthy.len(), ..Result::default() };
    let quiet: Vec<Vec<usize>> = healthy.iter().map(|run| alarms(make, run)).collect();
    result.healthy_alarms = quiet.iter().map(Vec::len).sum();
    result.false_alarms = result.healthy_alarms;
    result.quiet_steps = healthy.iter().map(|run| run.rows.len()).sum();
    for kind in KINDS {
        let late = if kind == Kind::Drift { LATE_FOR_DRIFT } else { LATE };
        let (mut delays, mut by_chance) = (Vec::new(), 0);
        for run in faulty {
            let Some((_, step)) = run.fault.filter(|(of, _)| *of == kind) else { continue };
            let alarms = alarms(make, run);
            result.false_alarms += alarms.iter().filter(|at| **at < step).count();
            result.quiet_steps += step;
            let within = |at: &usize| (step..=step + late).contains(at);
            let first = alarms.into_iter().find(|at| within(at));
            by_chance += quiet.iter().filter(|alarms| alarms.iter().any(within)).count();
            delays.extend(first.map(|at| at - step));
            let doubled = run.doubled().unwrap_or(usize::MAX);
            if kind == Kind::Drift && first.is_some_and(|at| at < doubled) {
                result.before_doubling += 1;
            }
        }
        delays.sort_unstable();
        result.delays.push((kind, delays));
        result.chance.push(by_chance as f64 / (of_each * healthy.len()) as f64);
    }
    result
}

/// The steps at which a new alarm is raised.
fn alarms(make: Make, run: &Run) -> Vec<usize> {
    let mut judge = make();
    let mut last = None;
    let mut new = Vec::new();
    for (step, row) in run.rows.iter().enumerate() {
        // The fault is an event of its own, whatever was said just before it.
        if run.fault.is_some_and(|(_, fault)| fault == step) {
            last = None;
        }
        if judge.alarm(row) {
            if last.is_none_or(|last| step - last > SAME) {
                new.push(step);
            }
            last = Some(step);
        }
    }
    new
}

impl Result {
    fn recall(&self) -> f64 {
        let noticed: usize = self.delays.iter().map(|(_, delays)| delays.len()).sum();
        noticed as f64 / (self.of_each * KINDS.len()) as f64
    }

    /// The share noticed of what chance would not have: Cohen's kappa, by kind, on average.
    fn recall_beyond_chance(&self) -> f64 {
        let one = |((_, delays), chance): (&(Kind, Vec<usize>), &f64)| {
            let recall = delays.len() as f64 / self.of_each as f64;
            ((recall - chance) / (1.0 - chance).max(1e-9)).max(0.0)
        };
        self.delays.iter().zip(&self.chance).map(one).sum::<f64>() / KINDS.len() as f64
    }

    fn per_healthy_run(&self) -> f64 {
        self.healthy_alarms as f64 / self.healthy as f64
    }

    fn false_per_1000(&self) -> f64 {
        1e3 * self.false_alarms as f64 / self.quiet_steps as f64
    }

    fn median(&self, kind: Kind) -> Option<usize> {
        let (_, delays) = self.delays.iter().find(|(of, _)| *of == kind)?;
        // Of all runs: what was not noticed took longer than any.
        delays.get(self.of_each / 2).copied()
    }
}

fn print_table(results: &[(&str, Result)]) {
    println!("{} runs with a fault, {HEALTHY} healthy ones.", OF_EACH * KINDS.len());
    println!("Noticed of {OF_EACH}, and the median delay in steps:\n");
    print!("| system | recall | beyond chance | false per 1,000 steps | alarms per healthy run |");
    KINDS.iter().for_each(|kind| print!(" {} |", kind.name()));
    println!(" drift before doubling |\n|---|---|---|---|---|{}---|", "---|".repeat(KINDS.len()));
    for (name, result) in results {
        let (recall, rate) = (result.recall(), result.false_per_1000());
        let healthy = result.per_healthy_run();
        let beyond = result.recall_beyond_chance();
        print!("| {name} | {recall:.2} | {beyond:.2} | {rate:.2} | {healthy:.2} |");
        for (kind, delays) in &result.delays {
            let median = result.median(*kind).map_or("–".into(), |median| median.to_string());
            print!(" {}, {median} |", delays.len());
        }
        println!(" {} |", result.before_doubling);
    }
}

fn write_json(results: &[(&str, Result)], by_habit: &[(Habit, Vec<Result>)]) {
    let mut rows = Vec::new();
    for (habit, results) in by_habit {
        for ((system, _), result) in SYSTEMS.iter().zip(results) {
            let case = |what: &str| format!("{what}_{}", habit.name());
            let per_run = result.per_healthy_run();
            rows.push(Row::new(case("alarms_per_healthy_run"), *system, per_run, "alarms"));
            rows.push(Row::new(case("recall"), *system, result.recall(), "share"));
        }
    }
    for (system, result) in results {
        let mut add =
            |case: &str, value: f64, unit| rows.push(Row::new(case, *system, value, unit));
        add("recall", result.recall(), "share");
        add("recall_beyond_chance", result.recall_beyond_chance(), "share");
        add("false_alarms_per_1000_steps", result.false_per_1000(), "alarms");
        add("alarms_per_healthy_run", result.per_healthy_run(), "alarms");
        add("drift_before_doubling", result.before_doubling as f64 / OF_EACH as f64, "share");
        for (kind, delays) in &result.delays {
            let name = kind.name();
            add(&format!("recall_{name}"), delays.len() as f64 / OF_EACH as f64, "share");
            if let Some(median) = result.median(*kind) {
                add(&format!("delay_{name}"), median as f64, "steps");
            }
        }
    }
    results::write("target/training_faults.json", rows);
}

fn print_goals(results: &[(&str, Result)]) {
    let Some((_, ours)) = results.first() else { return };
    let peers = &results[2..];
    let ahead = peers
        .iter()
        .all(|(_, peer)| ours.recall() > peer.recall() && ours.false_alarms <= peer.false_alarms);
    let quick = |kind| ours.median(kind).is_some_and(|median| median <= 3);
    let goals = [
        ("ahead of every peer on recall beyond chance, at no more false alarms", ahead),
        ("a rate spike within 3 steps", quick(Kind::RateSpike)),
        ("NaN within 3 steps", quick(Kind::Nan)),
        ("most drifts before the loss doubles", 2 * ours.before_doubling > OF_EACH),
        ("at most 0.3 false alarms per 1,000 steps", ours.false_per_1000() <= 0.3),
        ("at most 0.05 alarms per healthy run", ours.per_healthy_run() <= 0.05),
    ];
    println!();
    for (goal, met) in goals {
        println!("{} {goal}", if met { "met   " } else { "MISSED" });
    }
}
