//! Another crate's recorder was there first.

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use nissa::{Registry, expose};

#[test]
fn a_foreign_recorder_keeps_the_facade_and_nissa_its_own_macros() {
    let foreign = DebuggingRecorder::new();
    let snapshotter = foreign.snapshotter();
    foreign.install().unwrap();

    let with_settings = Registry::builder().global_label("job", "mine").install().unwrap_err();
    assert!(with_settings.is_installed(), "{with_settings}");
    let without = nissa::install().unwrap_err();
    assert!(without.is_installed(), "{without}");

    metrics::counter!("facade_total").increment(1);
    nissa::counter!("own_total").increment(10);

    let seen: Vec<_> = snapshotter.snapshot().into_vec();
    let names: Vec<&str> = seen.iter().map(|(key, ..)| key.key().name()).collect();
    assert_eq!(names, ["facade_total"]);
    assert_eq!(seen[0].3, DebugValue::Counter(1));
    let own = Registry::global().snapshot();
    assert_eq!((own.value("own_total"), own.value("facade_total")), (Some(10.0), None));
    // The settings hold all the same.
    assert!(expose::text(&own).contains("own_total{job=\"mine\"} 10\n"));
}
