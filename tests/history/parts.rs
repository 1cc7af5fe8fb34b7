//! A histogram's count and sum, asked for by the names that Prometheus knows them by.

use std::time::Duration;

use nissa::history::{History, Lines, Reading, Selector};
use proptest::prelude::*;

use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);
const START: Duration = Duration::from_secs(1_000_000);

fn values(lines: &Lines<Reading>) -> Vec<f64> {
    lines.lines.iter().flat_map(|line| &line.points).map(|reading| reading.value).collect()
}

#[test]
fn count_and_sum_answer_by_their_names() {
    let mut world = World::new(History::new());
    let latency = world.registry.histogram("latency_seconds", &[("path", "/a")]);
    world.registry.gauge("level", &[]).set(3.0);
    world.tick(SECOND);
    for _ in 0..10 {
        latency.record(0.25);
        latency.record(0.5);
        world.tick(SECOND);
    }
    let (history, now) = (&world.history, world.history.now());
    let ask = |selector: &str| {
        let selector: Selector = selector.parse().unwrap();
        let rate = history.rate(&selector, now - SECOND * 10, now, SECOND * 10).unwrap();
        let grown = history.increase(&selector, START, now, now - START).unwrap();
        (values(&rate), values(&grown), values(&history.latest(&selector)))
    };
    for selector in ["latency_seconds_count", "{__name__=\"latency_seconds_count\",path=~\"/.\"}"] {
        assert_eq!(ask(selector), (vec![2.0], vec![20.0], vec![20.0]), "{selector}");
    }
    assert_eq!(ask("latency_seconds_sum"), (vec![0.75], vec![7.5], vec![7.5]));
    let nothing = (vec![], vec![], vec![]);
    let others = ["latency_seconds_sum{path=\"/b\"}", "level_count", "_count", "latency_seconds_"];
    for selector in others.into_iter().chain(["latency_seconds_count_sum"]) {
        assert_eq!(ask(selector), nothing, "{selector}");
    }

    let count = Selector::name("latency_seconds_count");
    let line = &history.latest(&count).lines[0];
    assert_eq!((line.name.as_str(), line.kind.as_str()), ("latency_seconds_count", "counter"));
    assert_eq!(line.label("path"), Some("/a"));
    let last = history.range(&count, now - SECOND, now, SECOND).unwrap().lines[0].points[0].last;
    assert_eq!(last, 20.0);
    let q = history.quantile_over_time(&count, 0.5, START, now, now - START).unwrap();
    assert!(q.lines.is_empty(), "a counter has no quantiles");
    assert!(history.heatmap(&count, START, now, now - START).unwrap().lines.is_empty());

    // A metric that really has this name is meant.
    world.registry.gauge("latency_seconds_count", &[]).set(7.0);
    world.tick(SECOND);
    assert_eq!(values(&world.history.latest(&count)), [7.0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whichever tier answers, and whatever was recorded.
    #[test]
    fn nothing_is_lost_or_counted_twice(
        recorded in prop::collection::vec(prop::collection::vec(-1_000i32..1_000, 0..4), 1..900),
        recent in 0u32..100,
    ) {
        let mut world = World::new(History::new().recent(SECOND * recent));
        let spread = world.registry.histogram("spread", &[]);
        // What the first tick shows may be older than the history.
        world.tick(SECOND);
        let mut all = Vec::new();
        for values in recorded {
            values.iter().for_each(|value| spread.record(f64::from(*value)));
            all.extend(values);
            world.tick(SECOND);
        }
        let (from, to) = (START - SECOND * 10, world.history.now() + SECOND * 10);
        let grown = |name: &str| {
            let grown = world.history.increase(&Selector::name(name), from, to, to - from);
            values(&grown.unwrap()).into_iter().sum::<f64>()
        };
        prop_assert_eq!(grown("spread_count"), all.len() as f64);
        prop_assert_eq!(grown("spread_sum"), all.iter().map(|value| f64::from(*value)).sum::<f64>());
    }
}
