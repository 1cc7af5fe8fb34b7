//! A watch allocates nothing for a value that it does not report.

#![cfg(feature = "detect")]

mod counting;

use counting::allocations;
use nissa::Registry;
use nissa::watch::{self, Step};

#[test]
fn ordinary_values_cost_no_memory() {
    let registry = Registry::new();
    let all = watch::watch("x").spikes().dips().drift().not_finite().stuck(10).plateau(50_000);
    let mut series = all.above(1e9).registry(&registry).build();
    let mut training = watch::training().registry(&registry).plateau(50_000).build();
    let mut feed = |steps: std::ops::Range<u32>| {
        for step in steps {
            let value = 10.0 + f64::from(step % 7);
            assert!(series.observe(value).is_none());
            let step = Step::new(value).gradient_norm(value).learning_rate(0.1);
            assert!(training.observe(step.samples(32).seconds(0.01)).is_none());
        }
    };
    feed(0..10);
    assert_eq!(allocations(|| feed(10..5_000)), 0);
}

#[test]
fn an_anomaly_may_cost_some() {
    let mut watch = watch::watch("x").not_finite().registry(&Registry::new()).build();
    assert!(allocations(|| assert!(watch.observe(f64::NAN).is_some())) > 0);
}
