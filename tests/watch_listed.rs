//! What inline watches find is listed by the monitor of their registry, if there is one. A watch
//! never waits for the list, so this is alone in its process: nobody else holds it at that instant.
#![cfg(all(feature = "detect", feature = "test-util"))]

use std::time::Duration;

use nissa::monitor::Monitor;
use nissa::route::Request;
use nissa::{ManualClock, Registry};

fn listed(monitor: &Monitor, query: &str) -> String {
    let routes = monitor.routes();
    let route = routes.iter().find(|route| route.path() == "/anomalies").unwrap();
    let response = route.handle(&Request::new("/anomalies", query));
    String::from_utf8(response.body().to_vec()).unwrap()
}

fn count(json: &str) -> usize {
    json.matches("\"id\":").count()
}

fn finds(registry: &Registry, times: u32) {
    for _ in 0..times {
        let watch = nissa::watch("loss").label("rank", "3").not_finite();
        assert!(watch.registry(registry).build().observe(f64::NAN).is_some());
    }
}

fn unlisted(registry: &Registry) -> f64 {
    registry.snapshot().value("nissa_anomalies_unlisted_total").unwrap_or(0.0)
}

#[test]
fn a_monitor_lists_what_watches_of_its_registry_find_and_no_other() {
    let (registry, clock) = (Registry::new(), ManualClock::new());
    let builder = nissa::builder().registry(registry.clone()).clock(clock.clone());
    let builder = builder.health(nissa::health::Health::new());
    let monitor = builder.alert(nissa::alert::Rule::new("unused")).build().unwrap();
    let tick = || {
        clock.advance(Duration::from_secs(1));
        monitor.tick();
    };
    finds(&registry, 1);
    // More than wait between two ticks, in a registry without a monitor.
    let alone = Registry::new();
    finds(&alone, 300);
    tick();
    let json = listed(&monitor, "state=firing");
    assert_eq!(count(&json), 1, "{json}");
    for part in ["\"detector\":\"watch\"", "\"metric\":\"loss\"", "\"labels\":{\"rank\":\"3\"}"] {
        assert!(json.contains(part), "{part} in {json}");
    }
    assert_eq!((unlisted(&registry), unlisted(&alone)), (0.0, 300.0));
    (0..61).for_each(|_| tick());
    assert_eq!(count(&listed(&monitor, "state=resolved")), 1);
    // Of too many at once the latest are listed.
    finds(&registry, 300);
    tick();
    assert_eq!(count(&listed(&monitor, "state=firing")), 256);
    assert_eq!(unlisted(&registry), 44.0);
    drop(monitor);
    finds(&registry, 1);
    assert_eq!(unlisted(&registry), 45.0);
}
