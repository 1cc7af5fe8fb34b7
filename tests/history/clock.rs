use std::time::Duration;

use nissa::history::{History, Selector};

use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A wall clock that is set back or forward by a day changes no rate and reorders nothing.
#[test]
fn a_wall_clock_that_is_set_changes_no_rate() {
    for (back, moved) in [(true, DAY), (false, DAY), (true, SECOND * 3), (false, SECOND * 3)] {
        let mut world = World::new(History::new());
        let counter = world.registry.counter("steps_total", &[]);
        let start = SECOND * 1_000_000;
        for tick in 0..600u32 {
            if tick == 300 {
                let now = start + SECOND * tick;
                world.clock.set_unix(if back { now - moved } else { now + moved });
            }
            counter.increment(10);
            world.tick(SECOND);
        }
        // In the first step the program had not run for long.
        let (from, now) = (start + SECOND * 10, world.history.now());
        assert_eq!(now, if back { start + SECOND * 600 } else { start + SECOND * 600 + moved });
        let rate =
            world.history.rate(&Selector::name("steps_total"), from, now, SECOND * 10).unwrap();
        for reading in &rate.lines[0].points {
            // Only the step that the jump falls into knows of it.
            assert!(reading.value == 10.0 || !back && reading.value < 10.0, "{back} {reading:?}");
        }
        let slower = rate.lines[0].points.iter().filter(|reading| reading.value != 10.0).count();
        assert!(slower <= 1, "{back} {moved:?} {:?}", rate.lines[0].points);
        let grown = world.history.increase(&Selector::name("steps_total"), from, now, now - from);
        assert_eq!(grown.unwrap().lines[0].points[0].value, 5_900.0);
        let ahead = world.registry.snapshot().value("nissa_history_clock_ahead_seconds").unwrap();
        assert_eq!(ahead > 0.0, back, "{ahead}");
    }
}

/// A counter that starts again, as after a series expired, counts from nothing.
#[test]
fn counters_that_go_back_started_again() {
    let registry = nissa::Registry::builder().idle_timeout(SECOND * 30);
    let clock = nissa::ManualClock::new();
    let registry = registry.clock(clock.clone()).build();
    let history = History::new();
    let builder = nissa::builder().registry(registry.clone()).clock(clock.clone());
    let monitor = builder.history(history.clone()).build().unwrap();
    let tick = |seconds: u32| {
        clock.advance(SECOND * seconds);
        monitor.tick();
    };
    tick(1);
    registry.counter("jobs_total", &[]).increment(100);
    tick(1);
    for _ in 0..20 {
        tick(10);
    }
    registry.counter("jobs_total", &[]).increment(4);
    tick(1);
    let now = history.now();
    let grown = history.increase(&Selector::name("jobs_total"), Duration::ZERO, now, now).unwrap();
    assert_eq!(grown.lines[0].points[0].value, 104.0);
}
