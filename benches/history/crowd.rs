//! Ten thousand series at once, with the usual settings.

use std::time::Duration;

use nissa::history::{History, Selector};

use crate::keep::Bench;
use crate::{Report, spent};

const SERIES: usize = 10_000;
const TICKS: usize = 1_500;
const SECOND: Duration = Duration::from_secs(1);

pub fn measure(report: &mut Report) {
    println!("crowd: {SERIES} series, {TICKS} ticks");
    let bench = Bench::new(History::new(), SECOND);
    let name = |n: usize| format!("host-{:04}", n * 7919 % SERIES);
    let counters: Vec<_> = (0..SERIES / 2)
        .map(|n| bench.registry.counter("requests_total", &[("host", &name(n)), ("code", "200")]))
        .collect();
    let gauges: Vec<_> = (0..SERIES / 2)
        .map(|n| bench.registry.gauge("temperature_celsius", &[("host", &name(n))]))
        .collect();
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        state >> 33
    };
    let mut walks = vec![2_000i64; gauges.len()];
    let mut times = Vec::with_capacity(TICKS);
    // Makes the series.
    let first = bench.tick(SECOND);
    for _ in 0..TICKS {
        counters.iter().for_each(|counter| counter.increment(random() % 50));
        for (gauge, walk) in gauges.iter().zip(&mut walks) {
            *walk += (random() % 21) as i64 - 10;
            gauge.set(*walk as f64 / 100.0);
        }
        times.extend(bench.tick(SECOND));
    }
    let total: Duration = times.iter().sum();
    times.sort_unstable();
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let at = |share: f64| millis(times[((times.len() - 1) as f64 * share) as usize]);
    let samples = (times.len() * SERIES) as f64;
    report.push("crowd", "append", "nissa", total.as_nanos() as f64 / samples, "ns/sample");
    report.push("crowd", "tick_median", "nissa", at(0.5), "ms");
    report.push("crowd", "tick_99th", "nissa", at(0.99), "ms");
    report.push("crowd", "tick_worst", "nissa", at(1.0), "ms");
    if let Some(first) = first {
        report.push("crowd", "first_tick", "nissa", millis(first), "ms");
    }

    let capacity = bench.history.capacity();
    report.push("crowd", "memory", "nissa", capacity.used as f64 / (1 << 20) as f64, "MiB");
    for tier in &capacity.tiers {
        report.push(
            "crowd",
            &format!("reach_{}", tier.tier),
            "nissa",
            tier.reach.as_secs_f64(),
            "s",
        );
    }
    let now = bench.history.now();
    let started = spent();
    let range = bench.history.range(
        &Selector::name("requests_total"),
        now - SECOND * 800,
        now,
        SECOND * 800,
    );
    let seconds = (spent() - started).as_secs_f64();
    let lines = range.expect("a range").lines;
    let read: u64 = lines.iter().flat_map(|line| &line.points).map(|window| window.count).sum();
    report.push("crowd", "read", "nissa", read as f64 / seconds / 1e6, "M samples/s");
}
