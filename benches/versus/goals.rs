//! What nissa set out to reach, and whether this run saw it. A report, never a test: a busy
//! machine must not fail a build.

use std::fmt::Write as _;

use crate::report::Report;

const NISSA: &str = "nissa";
const FLOOR: &str = "floor";

/// A figure of this run that should stay at or below a limit, or reach it.
struct Goal {
    what: String,
    figure: Option<f64>,
    limit: Limit,
    unit: &'static str,
}

enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

/// One line per goal; those whose cases have no figure are left out, unless all were to be measured.
pub fn table(report: &Report, complete: bool) -> String {
    let mut table = String::new();
    for Goal { what, figure, limit, unit } in goals(report) {
        let Some(figure) = figure else {
            if complete {
                let _ = writeln!(table, "  {what:<58}{:>10}", "no figure");
            }
            continue;
        };
        let (met, limit) = match limit {
            Limit::AtMost(limit) => (figure <= limit, format!("<= {limit}")),
            Limit::AtLeast(limit) => (figure >= limit, format!(">= {limit}")),
        };
        let verdict = if met { "met" } else { "NOT met" };
        let _ = writeln!(table, "  {what:<58}{figure:>10.3} {unit:<5}{limit:>10}  {verdict}");
    }
    table
}

/// Limits on one thread.
const AT_MOST: [(&str, f64, &str); 13] = [
    ("gauge_set_literal", 1.0, "ns"),
    ("histogram_literal", 3.5, "ns"),
    ("histogram_exponential", 5.0, "ns"),
    ("counter_runtime_label", 10.0, "ns"),
    ("facade_counter", 16.0, "ns"),
    ("facade_counter_handle", 2.0, "ns"),
    ("render_10k_counters", 0.1, "ms"),
    ("render_100k_counters", 1.2, "ms"),
    ("render_10k_histograms", 1.5, "ms"),
    ("render_bytes_beside_output", 24.0, "bytes"),
    ("bytes_per_counter", 110.0, "bytes"),
    ("bytes_per_histogram", 250.0, "bytes"),
    ("insert_stall_worst", 1.0, "ms"),
];

/// No slower when a second thread does the same.
const FLAT: [&str; 5] = [
    "histogram_literal",
    "histogram_exponential",
    "counter_runtime_label",
    "facade_counter",
    "facade_counter_handle",
];

/// Ahead of every peer.
const AHEAD: [&str; 4] = [
    "counter_64_sites",
    "counter_1000_series_random",
    "cdylib_counter_literal",
    "cdylib_counter_runtime_label",
];

fn goals(report: &Report) -> Vec<Goal> {
    let mut goals = Vec::new();
    for case in ["counter_literal", "counter_handle"] {
        goals.extend(counter_goals(report, case));
    }
    goals.extend(AT_MOST.map(|(case, limit, unit)| at_most(report, case, 1, limit, unit)));
    goals.extend(FLAT.map(|case| flat(report, case)));
    goals.extend(AHEAD.map(|case| Goal {
        what: format!("{case}, best peer over nissa"),
        figure: ratio(report.best_peer(case, NISSA, 1), report.value(case, NISSA, 1)),
        limit: Limit::AtLeast(1.0),
        unit: "x",
    }));
    let refused = report.value("counter_refused", NISSA, 1);
    goals.push(Goal {
        what: "counter_refused over counter_runtime_label".to_owned(),
        figure: ratio(refused, report.value("counter_runtime_label", NISSA, 1)),
        limit: Limit::AtMost(2.0),
        unit: "x",
    });
    goals.push(at_most(report, "scrape_histogram_loss", 4, 0.0, ""));
    goals
}

fn counter_goals(report: &Report, case: &str) -> [Goal; 5] {
    let nissa = report.value(case, NISSA, 1);
    [
        at_most(report, case, 1, 1.0, "ns"),
        at_most(report, case, 2, 1.0, "ns"),
        flat(report, case),
        Goal {
            what: format!("{case} over a thread-local add"),
            figure: ratio(nissa, report.value("floor_tls_add", FLOOR, 1)),
            limit: Limit::AtMost(3.0),
            unit: "x",
        },
        Goal {
            what: format!("fetch_add over {case}"),
            figure: ratio(report.value("floor_fetch_add", FLOOR, 1), nissa),
            limit: Limit::AtLeast(4.0),
            unit: "x",
        },
    ]
}

fn at_most(report: &Report, case: &str, threads: usize, limit: f64, unit: &'static str) -> Goal {
    let plural = if threads == 1 { "" } else { "s" };
    Goal {
        what: format!("{case}, {threads} thread{plural}"),
        figure: report.value(case, NISSA, threads),
        limit: Limit::AtMost(limit),
        unit,
    }
}

fn flat(report: &Report, case: &str) -> Goal {
    Goal {
        what: format!("{case}, 2 threads over 1"),
        figure: ratio(report.value(case, NISSA, 2), report.value(case, NISSA, 1)),
        limit: Limit::AtMost(1.3),
        unit: "x",
    }
}

fn ratio(numerator: Option<f64>, denominator: Option<f64>) -> Option<f64> {
    Some(numerator? / denominator.filter(|&it| it > 0.0)?)
}
