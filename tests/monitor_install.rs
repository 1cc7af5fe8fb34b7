//! Installing, stopping and installing again. In a process of its own.

#![cfg(feature = "monitor")]

use nissa::Registry;

#[test]
fn the_facade_has_one_guard_at_a_time_and_finds_its_recorder_again() {
    let first = nissa::builder().configure(|r| r.global_label("job", "first")).install().unwrap();
    metrics::counter!("steps_total").increment(1);

    let second = nissa::builder().install().unwrap_err();
    assert!(second.is_installed(), "{second}");
    assert!(second.to_string().contains("guard"), "{second}");
    metrics::counter!("steps_total").increment(1);
    assert_eq!(first.registry().snapshot().value("steps_total"), Some(2.0));

    drop(first);
    metrics::counter!("steps_total").increment(1);
    let again = nissa::builder().install().unwrap();
    metrics::counter!("steps_total").increment(1);
    assert_eq!(again.registry().snapshot().value("steps_total"), Some(4.0), "nothing was lost");
    assert!(nissa::install().unwrap_err().is_installed());
    drop(again);

    let late = nissa::builder().configure(|r| r.global_label("job", "late")).install();
    assert!(late.unwrap_err().is_installed(), "settings of a registry that is in use");
    let own = Registry::new();
    let other = nissa::builder().registry(own).install().unwrap_err();
    assert!(other.is_installed(), "the facade does not change its recorder");
    // A failed installation leaves the place free.
    assert!(nissa::builder().install().unwrap().shutdown());
}
