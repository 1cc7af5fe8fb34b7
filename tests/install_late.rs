//! Settings that come after the first use of a macro.

use nissa::{Registry, expose};

#[test]
fn settings_after_the_first_use_are_refused_and_nothing_is_lost() {
    nissa::counter!("early_total").increment(1);

    let late = Registry::builder().global_label("job", "late").install().unwrap_err();
    assert!(late.is_installed());
    assert!(late.to_string().contains("used before"), "{late}");

    // Neither the settings nor the facade's recorder are taken, so both can still be chosen.
    metrics::counter!("facade_total").increment(1);
    assert_eq!(Registry::global().snapshot().value("facade_total"), None);
    nissa::install().unwrap();
    metrics::counter!("facade_total").increment(1);
    nissa::counter!("early_total").increment(1);

    let snapshot = Registry::global().snapshot();
    assert_eq!(snapshot.value("early_total"), Some(2.0));
    assert_eq!(snapshot.value("facade_total"), Some(1.0));
    assert!(!expose::text(&snapshot).contains("late"));
}
