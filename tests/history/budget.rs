use std::time::Duration;

use nissa::history::{History, Selector};
use proptest::prelude::*;

use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

/// Noise that no codec makes small.
fn noise(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
    f64::from_bits(*state >> 2)
}

#[test]
fn the_budget_wins_and_tells_what_went() {
    const BUDGET: usize = 512 << 10;
    let mut world = World::new(History::new().memory(BUDGET).resolution(SECOND * 2));
    let gauges: Vec<_> = (0..40)
        .map(|n: u32| world.registry.gauge("noise", &[("n", n.to_string().as_str())]))
        .collect();
    let mut state = 1;
    for _ in 0..6_000 {
        gauges.iter().for_each(|gauge| gauge.set(noise(&mut state)));
        world.tick(SECOND);
        let used = world.history.capacity().used;
        assert!(used <= BUDGET, "{used}");
    }
    let capacity = world.history.capacity();
    assert!(capacity.series >= 40 && capacity.refused == 0, "{capacity:?}");
    let [tick, fine, minutes, hours] = &capacity.tiers[..] else { panic!("{capacity:?}") };
    assert!(tick.evicted > 0 && fine.evicted > 0, "{capacity:?}");
    assert!(
        tick.reach <= fine.reach && fine.reach <= minutes.reach && minutes.reach <= hours.reach
    );
    assert!(fine.reach < SECOND * 6_000 && hours.reach > SECOND * 6_000, "{capacity:?}");

    // What it says about itself is what it does: all of its reach is there, and little before.
    let now = world.history.now();
    let samples =
        |from| world.history.range(&Selector::name("noise"), from, now, SECOND * 2).unwrap();
    let counts: Vec<usize> =
        samples(now - fine.reach).lines.iter().map(|line| line.points.len()).collect();
    assert!(
        counts.iter().all(|count| *count as u64 + 1 >= fine.reach.as_secs() / 2),
        "{counts:?} {fine:?}"
    );
    let snapshot = world.registry.snapshot();
    let evicted = snapshot.get("nissa_history_evicted_samples_total", &[("tier", "fine")]).unwrap();
    assert!(evicted.as_f64().unwrap() > 0.0);
    assert_eq!(snapshot.value("nissa_history_budget_bytes"), Some(BUDGET as f64));
}

/// A gap ends all open blocks at once. They are packed in the ticks behind it, and all the same to
/// whoever asks meanwhile.
#[test]
fn blocks_that_close_at_once_are_packed_in_turn() {
    let mut world = World::new(History::new().resolution(SECOND).recent(Duration::ZERO));
    let gauges: Vec<_> = (0..100u32)
        .map(|n| world.registry.gauge("level", &[("n", n.to_string().as_str())]))
        .collect();
    let show = |world: &mut World, passed, value: u32| {
        gauges.iter().for_each(|gauge| gauge.set(f64::from(value % 50)));
        world.tick(passed);
    };
    let start = world.history.now() + SECOND * 1_000_000;
    (1..=200).for_each(|value| show(&mut world, SECOND, value));
    let end = world.history.now();
    show(&mut world, SECOND * 300, 1);
    let mut sizes = Vec::new();
    for value in 0..100 {
        show(&mut world, SECOND, value);
        let samples = world.history.samples(&Selector::name("level"), start, end, 22_000).unwrap();
        assert_eq!(samples.lines.len(), 100);
        for line in &samples.lines {
            let values: Vec<f64> = line.points.iter().map(|reading| reading.value).collect();
            let shown: Vec<f64> = (1..=200).map(|value| f64::from(value % 50)).collect();
            assert_eq!(values, shown, "{value} ticks behind the gap");
        }
        let fine = world.history.capacity().tiers[1].used;
        sizes.push(fine);
    }
    let most = *sizes.iter().max().unwrap();
    assert!(*sizes.last().unwrap() < most * 9 / 10, "packed ones are smaller: {sizes:?}");
}

#[test]
fn series_beyond_the_budget_are_refused_and_counted() {
    const BUDGET: usize = 256 << 10;
    let mut world = World::new(History::new().memory(BUDGET));
    for n in 0..1_000 {
        world.registry.counter("many_total", &[("n", n.to_string().as_str())]).increment(1);
    }
    for _ in 0..700 {
        world.tick(SECOND);
        assert!(world.history.capacity().used <= BUDGET);
    }
    let capacity = world.history.capacity();
    assert!(capacity.series > 50 && capacity.refused > 900, "{capacity:?}");
    let shown = world.registry.snapshot().value("nissa_history_refused_series").unwrap();
    assert!(shown > 900.0);
}

#[test]
fn series_that_go_are_forgotten_in_time_and_make_room() {
    let history = History::new()
        .resolution(SECOND)
        .recent(SECOND * 60)
        .retention(SECOND * 60)
        .memory(256 << 10);
    let mut world = World::new(history);
    let mut refused = 0;
    for round in 0..12 {
        let series: Vec<_> = (0..20)
            .map(|n| {
                let labels = [("run", format!("{round}-{n}"))];
                let labels = [("run", labels[0].1.as_str())];
                let gauge = world.registry.observed_gauge("loss", &labels);
                gauge.set(1.0);
                gauge
            })
            .collect();
        (0..70).for_each(|_| world.tick(SECOND));
        drop(series);
        // Longer than the coarsest tier keeps anything.
        (0..10).for_each(|_| world.tick(SECOND * 400));
        (0..600).for_each(|_| world.tick(SECOND));
        refused += world.history.capacity().refused;
    }
    assert_eq!(refused, 0);
    let left = world.history.latest(&Selector::name("loss"));
    assert!(left.lines.is_empty(), "{} left", left.lines.len());
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let start = |history: History| {
        nissa::builder().registry(nissa::Registry::new()).history(history).build().map(drop)
    };
    let error = |history| start(history).unwrap_err().to_string();
    assert!(error(History::new().memory(1)).contains("memory"));
    assert!(error(History::new().resolution(Duration::ZERO)).contains("resolution"));
    let history = History::new();
    let builder = nissa::builder().registry(nissa::Registry::new()).history(history.clone());
    let monitor = builder.build().unwrap();
    assert!(error(history.clone()).contains("another monitor"));
    drop(monitor);
    assert!(start(history).is_ok(), "it is free again");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// However series come, go and behave.
    #[test]
    fn no_run_exceeds_the_budget(
        ticks in prop::collection::vec((1u64..100_000, prop::collection::vec((0u8..40, any::<f64>()), 0..12)), 1..300),
        budget in 64usize..400,
    ) {
        let history = History::new().memory(budget << 10).retention(SECOND * 3600);
        let mut world = World::new(history);
        for (millis, sets) in &ticks {
            for (n, value) in sets {
                let n = n.to_string();
                world.registry.gauge("gauge", &[("n", n.as_str())]).set(*value);
                world.registry.histogram("histogram", &[("n", n.as_str())]).record(*value);
            }
            world.tick(Duration::from_millis(*millis));
            prop_assert!(world.history.capacity().used <= budget << 10);
        }
    }
}
