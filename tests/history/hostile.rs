//! Questions, clocks and numbers that nobody should ask for, set or show.

use std::time::Duration;

use nissa::history::{History, Selector};
use nissa::{ManualClock, Matcher, Registry};

use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

#[test]
fn questions_without_sense_are_refused_or_empty() {
    let mut world = World::new(History::new());
    let counter = world.registry.counter("steps_total", &[]);
    for _ in 0..50 {
        counter.increment(1);
        world.tick(SECOND);
    }
    let (history, now, all) = (&world.history, world.history.now(), Selector::all());
    let zero = Duration::ZERO;
    let ends =
        [zero, Duration::from_nanos(1), SECOND, now - SECOND, now, now + YEAR, Duration::MAX];
    for from in ends {
        for to in ends {
            for step in ends {
                let asked = [
                    history.range(&all, from, to, step).map(|range| range.lines.len()),
                    history.rate(&all, from, to, step).map(|range| range.lines.len()),
                    history.increase(&all, from, to, step).map(|range| range.lines.len()),
                    history.quantile_over_time(&all, 0.5, from, to, step).map(|q| q.lines.len()),
                    history.heatmap(&all, from, to, step).map(|map| map.lines.len()),
                ];
                let refused = from.as_millis() > to.as_millis()
                    || step.as_millis() == 0
                    || to.saturating_sub(from).as_millis() / step.as_millis().max(1) > 11_000;
                assert!(
                    asked.iter().all(|asked| asked.is_err() == refused),
                    "{from:?} {to:?} {step:?}"
                );
            }
            let samples = history.samples(&all, from, to, 2);
            assert_eq!(samples.is_err(), from.as_millis() > to.as_millis());
        }
    }
    for most in [0, 1, 22_001, usize::MAX] {
        assert!(history.samples(&all, zero, now, most).unwrap_err().is_setting());
    }
    for q in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let found = history.quantile_over_time(&all, q, zero, now, now);
        assert!(found.unwrap_err().is_setting());
    }
}

/// Time in the language of patterns is linear, and memory has an end.
#[test]
fn patterns_that_blow_up_elsewhere_do_not() {
    let mut world = World::new(History::new());
    let long = "a".repeat(20_000);
    world.registry.gauge("level", &[("label", long.as_str())]).set(1.0);
    world.tick(SECOND);
    for pattern in ["(a+)+b", "(a|a)*b", "(.*)*(.*)*(.*)*b", "(a?){50}a{50}b", "((a*)*)*b"] {
        let selector = Selector::all().like("label", pattern);
        let selector = selector.unwrap_or_else(|error| panic!("{pattern}: {error}"));
        assert!(world.history.latest(&selector).lines.is_empty(), "{pattern}");
    }
    for pattern in ["(((a{100}){100}){100}){100}", "[", "a{1000000}", "(?P<a>", "\\"] {
        assert!(Selector::all().like("label", pattern).unwrap_err().is_setting(), "{pattern}");
    }
    let deep = format!("{}a{}", "(".repeat(2_000), ")".repeat(2_000));
    assert!(Selector::all().like("label", &deep).is_err() || deep.len() < 4_096);
}

#[test]
fn clocks_that_jump_by_years_reorder_and_lose_nothing() {
    let mut world = World::new(History::new());
    let counter = world.registry.counter("steps_total", &[]);
    let jumps = [YEAR * 10, YEAR * 2, YEAR * 1_000, Duration::from_secs(5), YEAR * 100_000];
    for jump in jumps {
        world.clock.set_unix(jump);
        for _ in 0..40 {
            counter.increment(1);
            world.tick(SECOND);
        }
        let now = world.history.now();
        let latest = world.history.latest(&Selector::name("steps_total"));
        assert_eq!(latest.lines[0].points[0].time, now);
        assert!(world.history.capacity().used < 1 << 20);
    }
    let total = world.history.latest(&Selector::name("steps_total")).lines[0].points[0].value;
    assert_eq!(total, 200.0);
    // The last two hundred ticks are all that is younger than the budget's tiers, in order.
    let now = world.history.now();
    let samples =
        world.history.samples(&Selector::name("steps_total"), Duration::ZERO, now, 22_000);
    let points = &samples.unwrap().lines[0].points;
    assert!(points.windows(2).all(|two| two[0].time < two[1].time && two[0].value < two[1].value));
}

#[test]
fn numbers_that_are_none_are_shown_as_they_are() {
    for recent in [SECOND * 900, Duration::ZERO] {
        let mut world = World::new(History::new().recent(recent).resolution(SECOND));
        let gauge = world.registry.gauge("odd", &[]);
        let fractions = world.registry.observed_float_counter("odd_total", &[]);
        let odd =
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE / 2.0, f64::MAX];
        let shown: Vec<f64> = odd.iter().copied().cycle().take(1_300).collect();
        for value in &shown {
            gauge.set(*value);
            fractions.set(*value);
            world.tick(SECOND);
        }
        let (from, now) = (SECOND * 1_000_000, world.history.now());
        let samples = world.history.samples(&Selector::name("odd"), from, now, 22_000).unwrap();
        let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let found = samples.lines[0].points.iter().map(|reading| reading.value).collect();
        assert_eq!(bits(found), bits(shown), "{recent:?}");
        for step in [1u32, 7, 1_000] {
            let range = world.history.range(&Selector::name("odd"), from, now, SECOND * step);
            let line = &range.unwrap().lines[0];
            assert!(line.points.iter().all(|window| window.count > 0));
            let rate = world.history.rate(&Selector::name("odd_total"), from, now, SECOND * step);
            assert!(!rate.unwrap().lines.is_empty());
            let q = world.history.quantile_over_time(
                &Selector::name("odd"),
                0.5,
                from,
                now,
                SECOND * step,
            );
            assert!(!q.unwrap().lines.is_empty());
        }
    }
}

/// A hundred thousand series find no room in the least budget, nor in one of a few megabytes; one
/// fits any.
#[test]
fn any_number_of_series_meets_any_budget() {
    for (series, budget) in [(1, 64 << 10), (100_000, 64 << 10), (100_000, 4 << 20)] {
        let registry = Registry::builder().series(1 << 20).series_per_family(1 << 20).build();
        let history = History::new().memory(budget).only(Matcher::name("level"));
        let clock = ManualClock::new();
        let builder = nissa::builder().registry(registry.clone()).clock(clock.clone());
        let monitor = builder.history(history.clone()).build().unwrap();
        for n in 0..series {
            let n = n.to_string();
            registry.gauge("level", &[("n", n.as_str())]).set(1.0);
        }
        for _ in 0..40 {
            clock.advance(SECOND);
            monitor.tick();
            let capacity = history.capacity();
            assert!(capacity.used <= budget, "{capacity:?}");
        }
        let capacity = history.capacity();
        assert!(capacity.series > 0, "{capacity:?}");
        assert_eq!(capacity.refused == 0, series == 1, "{capacity:?}");
    }
}

/// Seen in one of three ticks, then in none, then again.
#[test]
fn a_series_that_comes_and_goes_keeps_what_it_showed() {
    let mut world = World::new(History::new());
    let level = world.registry.observed_gauge("level", &[]);
    let jobs = world.registry.observed_counter("jobs_total", &[]);
    let mut shown = Vec::new();
    for tick in 0..880u32 {
        let there = tick % 3 == 0 && !(200..700).contains(&tick);
        level.set_or_clear(there.then_some(f64::from(tick)));
        jobs.set_or_clear(there.then_some(u64::from(tick)));
        world.tick(SECOND);
        if there {
            shown.push(f64::from(tick));
        }
    }
    let (from, now) = (SECOND * 1_000_000, world.history.now());
    let samples = world.history.samples(&Selector::name("level"), from, now, 22_000).unwrap();
    let found: Vec<f64> = samples.lines[0].points.iter().map(|reading| reading.value).collect();
    assert_eq!(found, shown);
    let grown =
        world.history.increase(&Selector::name("jobs_total"), from, now, now - from).unwrap();
    assert_eq!(grown.lines[0].points[0].value, *shown.last().unwrap());
}
