//! The whole stage: a tick of the monitor over 1,000 series, snapshot and rates included.

use std::time::Duration;

use nissa::Registry;
use nissa::alert::Rule;

use crate::harness::{Report, thread_time};

const SERIES: usize = 1000;
/// Of the group: metrics of one series each, beside the others.
const MEMBERS: [&str; 3] = ["cpu", "latency", "errors"];

pub fn measure(report: &mut Report) {
    let rules: [(&str, Vec<Rule>); 4] = [
        ("nissa no rule", Vec::new()),
        ("nissa limit", vec![Rule::new("load").above(1e9)]),
        ("nissa zscore", vec![Rule::new("load").zscore(4.0)]),
        ("nissa ensemble", vec![Rule::new("load")]),
    ];
    for (system, rules) in rules {
        let time = tick(rules);
        report.push("tick_1000_series", system, time, "us");
        if system == "nissa ensemble" {
            report.goal("1,000 series, us a tick of the whole stage", time, 1000.0);
        }
    }
    let group = Rule::group("three", MEMBERS);
    let without = tick(Vec::new());
    report.push("tick_group_of_3", "nissa forest", tick(vec![group]) - without, "us");
}

/// Processor time of a tick in microseconds, once every detector is warm: the median of 220.
fn tick(rules: Vec<Rule>) -> f64 {
    let registry = Registry::new();
    let builder = nissa::builder().registry(registry.clone());
    let builder = builder.health(nissa::health::Health::new());
    // A stage that wants snapshots in any case.
    let always = Rule::new("nothing").above(0.0);
    let builder = rules.into_iter().fold(builder.alert(always), nissa::monitor::Builder::alert);
    let Ok(monitor) = builder.build() else { return f64::NAN };
    let gauge = |host: usize| registry.gauge("load", &[("host", &host.to_string())]);
    let members = MEMBERS.iter().map(|name| registry.gauge(name, &[]));
    let gauges: Vec<_> = (0..SERIES).map(gauge).chain(members).collect();
    let mut noise = 7_u64;
    let mut times: Vec<Duration> = Vec::new();
    for step in 0..400 {
        for (host, gauge) in gauges.iter().enumerate() {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let wave = (f64::from(step) * 0.05 + host as f64).sin();
            gauge.set(50.0 + 20.0 * wave + (noise >> 40) as f64 / f64::from(1 << 23));
        }
        let start = thread_time();
        monitor.tick();
        times.push(thread_time() - start);
    }
    let mut warm = times.split_off(180);
    warm.sort_unstable();
    warm[warm.len() / 2].as_secs_f64() * 1e6
}
