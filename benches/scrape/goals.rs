//! What the endpoint set out to reach, and whether this run saw it. A report, never a test.

use std::fmt::Write as _;

use crate::report::Report;

const EXPORTER: &str = "metrics-exporter-prometheus";
const CLIENT: &str = "prometheus-client";

enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

/// One line per goal that this run has figures for.
pub fn table(report: &Report) -> String {
    let mut table = String::new();
    for (what, figure, limit) in goals(report) {
        let Some(figure) = figure else { continue };
        let (met, limit) = match limit {
            Limit::AtMost(limit) => (figure <= limit, format!("<= {limit}")),
            Limit::AtLeast(limit) => (figure >= limit, format!(">= {limit}")),
        };
        let verdict = if met { "met" } else { "NOT met" };
        let _ = writeln!(table, "  {what:<64}{figure:>10.3}{limit:>10}  {verdict}");
    }
    table
}

fn goals(report: &Report) -> Vec<(String, Option<f64>, Limit)> {
    let nissa = |case: &str, threads| report.value(case, "nissa", threads);
    let over = |case: &str, system, threads| {
        Some(nissa(case, threads)? / report.value(case, system, threads)?)
    };
    let mut goals = Vec::new();
    for threads in [1, 4] {
        for (peer, times) in [(EXPORTER, 10.0), (CLIENT, 2.0)] {
            let what = format!("requests/s over {peer}, 10k, {threads} scrapers");
            let figure = over("scrape_10k_counters", peer, threads);
            goals.push((what, figure, Limit::AtLeast(times)));
        }
    }
    let first_byte = nissa("scrape_10k_counters_first_byte_p50", 1);
    goals.push(("first byte at 10k, median, ms".to_owned(), first_byte, Limit::AtMost(1.0)));
    for size in ["10k_counters", "100k_counters", "10k_histograms"] {
        let figure = nissa(&format!("scrape_{size}_memory_further"), 8);
        let what = format!("memory by further scrape under way, {size}, in bodies");
        goals.push((what, figure, Limit::AtMost(1.1)));
    }
    for case in ["one", "1000"] {
        let figure = |suffix: &str| nissa(&format!("scrape_recording_{case}_{suffix}"), 1);
        let ratio = figure("beside_scraper").zip(figure("alone")).map(|(a, b)| a / b);
        let what = format!("recording ({case}) beside a scraper over alone");
        goals.push((what, ratio, Limit::AtMost(1.05)));
    }
    goals
}
