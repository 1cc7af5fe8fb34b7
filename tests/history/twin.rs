use std::time::Duration;

use nissa::history::{History, Reading, Selector};
use nissa::{Buckets, Matcher, Registry};
use proptest::prelude::*;

use crate::world::{Seen, World};

const SECOND: Duration = Duration::from_secs(1);

/// What happens before a tick, and how long it takes.
#[derive(Clone, Debug)]
struct Step {
    millis: u64,
    amount: u64,
    value: f64,
    observed: Option<i32>,
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let millis = prop_oneof![8 => 900u64..1100, 1 => 1u64..100, 1 => 5_000u64..40_000];
    let value = prop_oneof![
        4 => (-500i32..500).prop_map(|value| f64::from(value) / 4.0),
        1 => any::<f64>().prop_filter("numbers", |value| value.is_finite()),
    ];
    let amount = prop_oneof![4 => 0u64..50, 1 => 0u64..1 << 40];
    let observed = prop_oneof![3 => (0i32..50).prop_map(Some), 1 => Just(None)];
    let step = (millis, amount, value, observed);
    let step =
        step.prop_map(|(millis, amount, value, observed)| Step { millis, amount, value, observed });
    prop::collection::vec(step, 1..most)
}

fn run(history: History, steps: &[Step]) -> World {
    let mut world = World::new(history);
    let registry = Registry::clone(&world.registry);
    let counter = registry.counter("counter_total", &[]);
    let fractions = registry.float_counter("fractions_total", &[]);
    let gauge = registry.gauge("gauge", &[]);
    let latency = registry.histogram("latency", &[]);
    let observed = registry.observed_gauge("observed", &[]);
    for (index, step) in steps.iter().enumerate() {
        counter.increment(step.amount);
        fractions.increment(step.amount as f64 / 8.0);
        gauge.set(step.value);
        latency.record_many(step.value.abs() / 20.0, step.amount as usize % 5);
        if index == steps.len() / 2 {
            registry.counter("late_total", &[]).increment(7);
        }
        match step.observed {
            Some(value) => observed.set(f64::from(value)),
            None => observed.clear(),
        }
        world.tick(Duration::from_millis(step.millis));
    }
    world
}

const COUNTERS: [&str; 4] = ["counter_total", "fractions_total", "late_total", "latency"];
const NUMBERS: [&str; 6] =
    ["counter_total", "fractions_total", "gauge", "late_total", "latency", "observed"];

fn pairs(readings: &[Reading]) -> Vec<(Duration, f64)> {
    readings.iter().map(|reading| (reading.time, reading.value)).collect()
}

/// Ends of steps from `from` to `to`.
fn ends(from: Duration, to: Duration, step: Duration) -> impl Iterator<Item = Duration> {
    (1..).map(move |n| from + step * n).take_while(move |end| *end <= to)
}

fn growth(before: &Seen, now: &Seen) -> f64 {
    now.number() - before.number()
}

/// How much a series grew from each value of the list to the next.
fn growths(world: &World, name: &str, from: Duration, to: Duration) -> f64 {
    let list = world.with_before(name, from, to);
    let born = !list.is_empty()
        && world.seen[name][0] == list[0]
        && list[0].0 > from
        && list[0].0 > world.seen["gauge"][0].0;
    let first = if born { list[0].1.number() } else { 0.0 };
    first + list.windows(2).map(|two| growth(&two[0].1, &two[1].1)).sum::<f64>()
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// While every tick is kept, all answers are those of the plain lists.
    #[test]
    fn ticks_are_kept_as_they_were(
        steps in steps(700),
        start in 0u64..300,
        step in 1u64..90_000,
        q in 0.0f64..=1.0,
    ) {
        let world = run(History::new().recent(SECOND * 1_000_000), &steps);
        let (from, to) = (SECOND * 1_000_000 + SECOND * start as u32, world.history.now());
        // The history counts in milliseconds.
        let step = step.max(to.saturating_sub(from).as_millis().div_ceil(10_000) as u64);
        let step = Duration::from_millis(step);
        if from >= to {
            return Ok(());
        }
        for name in NUMBERS {
            let selector = Selector::name(name);
            let samples = world.history.samples(&selector, from, to, 22_000).unwrap();
            let expected: Vec<_> = world.between(name, from, to).iter().map(|(t, v)| (*t, v.number())).collect();
            let found = samples.lines.first().map_or(Vec::new(), |line| pairs(&line.points));
            prop_assert_eq!(&found, &expected, "{}", name);

            let latest = world.history.latest(&selector);
            let last = world.seen.get(name).and_then(|list| list.last());
            let found = latest.lines.first().map(|line| (line.points[0].time, line.points[0].value));
            prop_assert_eq!(found, last.map(|(time, value)| (*time, value.number())));

            let range = world.history.range(&selector, from, to, step).unwrap();
            let mut windows = range.lines.first().map_or(&[][..], |line| &line.points).iter();
            for end in ends(from, to, step) {
                let values: Vec<f64> = world.between(name, end - step, end).iter().map(|(_, v)| v.number()).collect();
                if values.is_empty() {
                    continue;
                }
                let window = windows.next().unwrap();
                prop_assert_eq!((window.time, window.count), (end, values.len() as u64));
                prop_assert_eq!(window.last, *values.last().unwrap());
                prop_assert_eq!(window.min, values.iter().copied().fold(f64::INFINITY, f64::min));
                prop_assert_eq!(window.max, values.iter().copied().fold(f64::NEG_INFINITY, f64::max));
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                prop_assert!(close(window.mean, mean) || !mean.is_finite(), "{} {}", window.mean, mean);
            }
            prop_assert!(windows.next().is_none());
        }
        for name in COUNTERS {
            let selector = Selector::name(name);
            let increase = world.history.increase(&selector, from, to, step).unwrap();
            let rate = world.history.rate(&selector, from, to, step).unwrap();
            let mut found = increase.lines.iter().flat_map(|line| &line.points);
            let mut rates = rate.lines.iter().flat_map(|line| &line.points);
            for end in ends(from, to, step) {
                let list = world.between(name, end - step, end);
                let Some((last, _)) = list.last() else { continue };
                let grown = growths(&world, name, end - step, end);
                prop_assert!(close(found.next().unwrap().value, grown), "{name} {grown}");
                let with_before = world.with_before(name, end - step, end);
                let known = with_before.len() > list.len() || list.len() > 1 && list[0].0 == world.seen["gauge"][0].0;
                let passed = if known { *last - with_before[0].0 } else { step };
                let rate = rates.next().unwrap().value;
                prop_assert!(close(rate, grown / passed.as_secs_f64()), "{name} {rate} {grown} {passed:?}");
            }
            prop_assert!(found.next().is_none());
        }
        quantiles_agree(&world, from, to, step, q)?;
    }

    /// Whichever tier answers: the last sample of every step of the resolution is there, and what
    /// counters grew by is neither lost nor counted twice.
    #[test]
    fn coarser_tiers_keep_last_samples_and_growth(steps in steps(900)) {
        let world = run(History::new().recent(Duration::ZERO), &steps);
        let (from, to) = (SECOND * 999_990, world.history.now() + SECOND * 10);
        let step = SECOND * 10 * (1 + (to - from).as_secs() as u32 / 100_000);
        for name in NUMBERS {
            let range = world.history.range(&Selector::name(name), from, to, step).unwrap();
            let mut windows = range.lines.first().map_or(&[][..], |line| &line.points).iter();
            for end in ends(from, to, step) {
                let values: Vec<f64> = world.between(name, end - step, end).iter().map(|(_, v)| v.number()).collect();
                let Some(last) = values.last() else { continue };
                let window = windows.next().unwrap();
                prop_assert_eq!((window.time, window.last), (end, *last), "{}", name);
                prop_assert!(values.contains(&window.min) && values.contains(&window.max));
            }
            prop_assert!(windows.next().is_none());
        }
        for name in COUNTERS {
            let all = world.history.increase(&Selector::name(name), from, to, to - from).unwrap();
            let found: f64 = all.lines.iter().flat_map(|line| &line.points).map(|r| r.value).sum();
            let expected = growths(&world, name, from, to);
            prop_assert!(close(found, expected), "{name} {found} {expected}");
        }
        quantiles_agree(&world, from, to, to - from, 0.75)?;
    }

    /// Rollups are of every tick, not of the samples that finer tiers kept.
    #[test]
    fn rollups_are_of_every_tick(steps in steps(1200), values in prop::collection::vec(-1000i32..1000, 1200)) {
        let retention = SECOND * 400;
        let history = History::new().recent(Duration::ZERO).retention(retention).resolution(SECOND);
        let mut world = World::new(history);
        let gauge = world.registry.gauge("gauge", &[]);
        for (step, value) in steps.iter().zip(values) {
            gauge.set(f64::from(value) / 8.0);
            world.tick(Duration::from_millis(step.millis));
        }
        // Rollups are of 30 s and kept four times as long; short runs are answered by finer samples.
        let now = world.history.now();
        let from = SECOND * 30 * ((now - retention * 4).as_secs() as u32 / 30 + 1);
        let range = world.history.range(&Selector::name("gauge"), from, now, SECOND * 30).unwrap();
        // A run that ends within its first rollup has no line yet.
        let windows = range.lines.first().map_or(&[][..], |line| &line.points);
        let expected: Vec<Duration> = ends(from, now, SECOND * 30)
            .filter(|end| !world.between("gauge", *end - SECOND * 30, *end).is_empty())
            .collect();
        let found: Vec<Duration> = windows.iter().map(|window| window.time).collect();
        prop_assert_eq!(found, expected);
        for window in windows {
            let values: Vec<f64> = world.between("gauge", window.time - SECOND * 30, window.time).iter().map(|(_, v)| v.number()).collect();
            prop_assert_eq!(window.last, *values.last().unwrap());
            if window.count == values.len() as u64 {
                prop_assert_eq!(window.min, values.iter().copied().fold(f64::INFINITY, f64::min));
                prop_assert_eq!(window.max, values.iter().copied().fold(f64::NEG_INFINITY, f64::max));
                prop_assert!(close(window.mean, values.iter().sum::<f64>() / values.len() as f64));
            }
        }
    }
}

fn quantiles_agree(
    world: &World,
    from: Duration,
    to: Duration,
    step: Duration,
    q: f64,
) -> Result<(), TestCaseError> {
    let found =
        world.history.quantile_over_time(&Selector::name("latency"), q, from, to, step).unwrap();
    let heat = world.history.heatmap(&Selector::name("latency"), from, to, step).unwrap();
    let mut found = found.lines.iter().flat_map(|line| &line.points);
    let mut heat = heat.lines.iter().flat_map(|line| &line.points);
    for end in ends(from, to, step) {
        let list = world.with_before("latency", end - step, end);
        let inside = world.between("latency", end - step, end).len();
        let Some((_, Seen::Counts(last))) = list.last() else { continue };
        let first = match &list[0].1 {
            Seen::Counts(first) if inside > 0 => first.clone(),
            _ => last.clone(),
        };
        let grown: Vec<u64> = last.iter().zip(&first).map(|(now, before)| now - before).collect();
        if grown.iter().all(|count| *count == 0) {
            continue;
        }
        // The naive twin records it all again.
        let again = Registry::new();
        let latency = again.histogram("again", &[]);
        let bounds: Vec<f64> =
            Buckets::default().bounds().into_iter().chain([f64::INFINITY]).collect();
        for (bound, count) in bounds.iter().zip(&grown) {
            latency.record_many(*bound, *count as usize);
        }
        let expected = again.snapshot().quantile("again", q);
        prop_assert_eq!(
            found.next().map(|reading| (reading.time, Some(reading.value))),
            Some((end, expected))
        );
        let column: Vec<(f64, u64)> =
            bounds.into_iter().zip(grown).filter(|(_, count)| *count > 0).collect();
        prop_assert_eq!(&heat.next().unwrap().buckets, &column);
    }
    prop_assert!(found.next().is_none() && heat.next().is_none());
    Ok(())
}

/// A gauge's quantile is of its samples, between the two nearest.
#[test]
fn quantiles_of_gauges_are_of_their_samples() {
    let mut world = World::new(History::new());
    let gauge = world.registry.gauge("gauge", &[]);
    for value in [5.0, 1.0, 3.0, 2.0, 4.0] {
        gauge.set(value);
        world.tick(SECOND);
    }
    let (from, to) = (SECOND * 1_000_000, world.history.now());
    for (q, expected) in [(0.0, 1.0), (0.5, 3.0), (0.6, 3.4), (1.0, 5.0)] {
        let found =
            world.history.quantile_over_time(&Selector::all(), q, from, to, SECOND * 5).unwrap();
        let value = found.lines.iter().find(|line| line.name == "gauge").unwrap().points[0].value;
        assert!(close(value, expected), "{q}: {value}");
    }
}

#[test]
fn series_are_chosen_by_name_and_labels_global_ones_too() {
    let registry = Registry::builder().global_label("job", "train").build();
    let history = History::new().only(Matcher::name("http_*")).only(Matcher::name("up"));
    let clock = nissa::ManualClock::new();
    let builder = nissa::builder().registry(registry.clone()).clock(clock.clone());
    let monitor = builder.history(history.clone()).build().unwrap();
    for (method, path) in [("GET", "/"), ("GET", "/a"), ("POST", "/a"), ("PUT", "/say \"b\"")] {
        registry.counter("http_requests_total", &[("method", method), ("path", path)]).increment(1);
    }
    registry.gauge("up", &[("job", "own")]).set(1);
    registry.gauge("down", &[]).set(1);
    clock.advance(SECOND);
    monitor.tick();
    let count = |selector: &str| history.latest(&selector.parse().unwrap()).lines.len();
    assert_eq!(count("{}"), 5, "what only() does not take is not kept");
    assert_eq!(count("http_requests_total{job=\"train\"}"), 4);
    assert_eq!(count("{job=~\"o.n\"}"), 1);
    assert_eq!(count("http_requests_total{method!=\"GET\"}"), 2);
    assert_eq!(count("{path=~\"/.+\",method!~\"P.*\"}"), 1);
    let line = &history.latest(&"{path='/say \"b\"'}".parse().unwrap()).lines[0];
    assert_eq!((line.name.as_str(), line.label("job")), ("http_requests_total", Some("train")));
}
