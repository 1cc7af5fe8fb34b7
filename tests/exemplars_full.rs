//! Exemplars are bounded for the whole process. One test, since the bound is the process's.

use nissa::Registry;

#[test]
fn past_the_bound_recordings_count_without_an_exemplar() {
    const MOST: usize = 1 << 16;
    const MORE: usize = 1_000;
    let registry = Registry::builder().series_per_family(MOST + MORE).build();
    let record = |number: usize, trace: &str| {
        let label = number.to_string();
        let counter = registry.counter("a_total", &[("number", &label)]);
        counter.increment_with_exemplar(1, &[("trace_id", trace)]);
    };
    (0..MOST + MORE).for_each(|number| record(number, "first"));
    let lost = || {
        let snapshot = Registry::global().snapshot();
        let lost = snapshot.get("nissa_dropped_total", &[("reason", "exemplar_lost")]);
        lost.unwrap().as_f64()
    };
    let exemplars = || -> usize {
        let snapshot = registry.snapshot();
        let series = snapshot.family("a_total").unwrap().series();
        series.map(|series| series.exemplars().len()).sum()
    };
    assert_eq!((exemplars(), lost()), (MOST, Some(MORE as f64)));
    assert_eq!(registry.snapshot().value("a_total"), Some((MOST + MORE) as f64));

    // One that has a place may be replaced.
    record(0, "second");
    assert_eq!((exemplars(), lost()), (MOST, Some(MORE as f64)));

    // The places of series that go are free again.
    drop(registry);
    let registry = Registry::new();
    for _ in 0..2 {
        registry.counter("b_total", &[]).increment_with_exemplar(1, &[("trace_id", "new")]);
    }
    let snapshot = registry.snapshot();
    let series = snapshot.family("b_total").unwrap().series().next().unwrap();
    assert_eq!(series.exemplars().len(), 1);
}
