//! nissa as the recorder of the `metrics` facade: under `metrics-util`'s layers, as a local
//! recorder, behind handles that other threads hold.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::thread;

use metrics::{Key, Label, Level, Metadata, SharedString, Unit, with_local_recorder};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use metrics_util::layers::{FanoutBuilder, FilterLayer, Layer, PrefixLayer, RouterBuilder, Stack};
use metrics_util::{MetricKind, MetricKindMask};
use nissa::snapshot::Value;
use nissa::{Recorder, Registry};

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

#[track_caller]
fn count(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
    match registry.snapshot().get(name, labels)? {
        Value::Counter(count) => Some(count),
        other => panic!("{name} is no counter: {other:?}"),
    }
}

fn names(registry: &Registry) -> Vec<String> {
    registry.families().into_iter().map(|family| family.name).collect()
}

/// One metric of each kind, described, as a library might record.
fn library() {
    metrics::describe_counter!("jobs_total", "Jobs done.");
    metrics::describe_gauge!("queue_length", Unit::Count, "Jobs that wait.");
    metrics::describe_histogram!("job_seconds", Unit::Seconds, "Time of a job.");
    metrics::counter!("jobs_total", "queue" => "mail").increment(2);
    metrics::counter!("jobs_total", "queue" => "mail").absolute(5);
    metrics::gauge!("queue_length").set(8.0);
    metrics::gauge!("queue_length").increment(0.5);
    metrics::gauge!("queue_length").decrement(2);
    metrics::histogram!("job_seconds").record(0.25);
    metrics::histogram!("job_seconds").record_many(2.0, 3);
}

#[track_caller]
fn has_what_the_library_records(registry: &Registry, prefix: &str) {
    let snapshot = registry.snapshot();
    let name = |name: &str| format!("{prefix}{name}");
    assert_eq!(count(registry, &name("jobs_total"), &[("queue", "mail")]), Some(5));
    assert_eq!(snapshot.value(&name("queue_length")), Some(6.5));
    let seconds = snapshot.distribution(&name("job_seconds")).unwrap();
    assert_eq!((seconds.count(), seconds.sum()), (4, 6.25));
    let described = |plain: &str| {
        let family = snapshot.family(&name(plain)).unwrap();
        (family.help().unwrap_or_default().to_owned(), family.unit())
    };
    assert_eq!(described("jobs_total"), ("Jobs done.".into(), None));
    assert_eq!(described("queue_length"), ("Jobs that wait.".into(), Some(Unit::Count)));
    assert_eq!(described("job_seconds"), ("Time of a job.".into(), Some(Unit::Seconds)));
}

#[test]
fn a_local_recorder_gets_all_that_the_facade_can_say() {
    let registry = Registry::new();
    with_local_recorder(&Recorder::new(&registry), library);
    has_what_the_library_records(&registry, "");
    assert_eq!(names(&registry), ["job_seconds", "jobs_total", "queue_length"]);
}

#[test]
fn local_recorders_nest_and_each_keeps_to_its_registry() {
    let (outer, inner) = (Registry::new(), Registry::new());
    let hit = || metrics::counter!("hits_total").increment(1);
    with_local_recorder(&Recorder::new(&outer), || {
        hit();
        with_local_recorder(&Recorder::new(&inner), || (0..10).for_each(|_| hit()));
        hit();
    });
    assert_eq!(count(&outer, "hits_total", &[]), Some(2));
    assert_eq!(count(&inner, "hits_total", &[]), Some(10));
    hit();
    assert_eq!(count(&outer, "hits_total", &[]), Some(2), "no recorder, so nowhere");
}

#[test]
fn a_prefix_layer_renames_metrics_and_their_descriptions() {
    let registry = Registry::new();
    let layered = PrefixLayer::new("app").layer(Recorder::new(&registry));
    with_local_recorder(&layered, library);
    has_what_the_library_records(&registry, "app.");
    assert_eq!(names(&registry).len(), 3);
}

#[test]
fn a_filter_layer_keeps_metrics_out() {
    let registry = Registry::new();
    let layered = FilterLayer::from_patterns(["jobs", "length"]).layer(Recorder::new(&registry));
    with_local_recorder(&layered, library);
    assert_eq!(names(&registry), ["job_seconds"]);
}

#[test]
fn a_stack_of_layers_ends_in_the_registry() {
    let registry = Registry::new();
    let stack = Stack::new(Recorder::new(&registry))
        .push(PrefixLayer::new("inner"))
        .push(PrefixLayer::new("outer"))
        .push(FilterLayer::from_patterns(["noise"]));
    with_local_recorder(&stack, || {
        library();
        metrics::counter!("noise_total").increment(1);
    });
    has_what_the_library_records(&registry, "inner.outer.");
    assert_eq!(names(&registry).len(), 3);
}

#[test]
fn a_fanout_reaches_two_registries_and_a_foreign_recorder() {
    let (one, two, foreign) = (Registry::new(), Registry::new(), DebuggingRecorder::new());
    let snapshotter = foreign.snapshotter();
    let fanout = FanoutBuilder::default()
        .add_recorder(Recorder::new(&one))
        .add_recorder(foreign)
        .add_recorder(Recorder::new(&two))
        .build();
    with_local_recorder(&fanout, library);
    has_what_the_library_records(&one, "");
    has_what_the_library_records(&two, "");
    let seen = snapshotter.snapshot().into_vec();
    let jobs = seen.iter().find(|(key, ..)| key.kind() == MetricKind::Counter).unwrap();
    assert_eq!(jobs.3, DebugValue::Counter(5));
}

#[test]
fn a_router_sends_kinds_and_prefixes_to_their_registries() {
    let (default, gauges, jobs) = (Registry::new(), Registry::new(), Registry::new());
    let mut router = RouterBuilder::from_recorder(Recorder::new(&default));
    router.add_route(MetricKindMask::GAUGE, "queue", Recorder::new(&gauges));
    router.add_route(MetricKindMask::COUNTER, "jobs", Recorder::new(&jobs));
    with_local_recorder(&router.build(), || {
        library();
        metrics::counter!("other_total").increment(1);
    });
    assert_eq!(names(&default), ["job_seconds", "other_total"]);
    assert_eq!(names(&gauges), ["queue_length"]);
    assert_eq!(names(&jobs), ["jobs_total"]);
}

#[test]
fn handles_of_the_facade_count_exactly_on_other_threads() {
    const THREADS: u32 = 4;
    const ROUNDS: u32 = 10_000;
    let registry = Registry::new();
    let (counter, gauge, histogram) = with_local_recorder(&Recorder::new(&registry), || {
        (metrics::counter!("c"), metrics::gauge!("g"), metrics::histogram!("h"))
    });
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let (counter, gauge, histogram) = (counter.clone(), gauge.clone(), histogram.clone());
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    counter.increment(3);
                    gauge.increment(2);
                    gauge.decrement(1);
                    histogram.record(1);
                    histogram.record_many(7, 2);
                }
            });
        }
    });
    let (all, snapshot) = (f64::from(THREADS * ROUNDS), registry.snapshot());
    assert_eq!(snapshot.value("c"), Some(3.0 * all));
    assert_eq!(snapshot.value("g"), Some(all));
    let distribution = snapshot.distribution("h").unwrap();
    assert_eq!((distribution.count() as f64, distribution.sum()), (3.0 * all, 15.0 * all));
}

#[test]
fn handles_outlive_recorder_and_registry() {
    let registry = Registry::new();
    let recorder = Recorder::new(&registry);
    let counter = with_local_recorder(&recorder, || metrics::counter!("kept_total"));
    drop(recorder);
    counter.increment(1);
    assert_eq!(count(&registry, "kept_total", &[]), Some(1));
    drop(registry);
    counter.increment(1);
    // What the old series had does not show in one that comes after it.
    let next = Registry::new();
    let fresh = with_local_recorder(&Recorder::new(&next), || metrics::counter!("kept_total"));
    counter.increment(1);
    fresh.increment(10);
    assert_eq!(count(&next, "kept_total", &[]), Some(10));
}

#[test]
fn a_call_site_finds_the_right_one_of_many_registries() {
    let hit = |n: u64| metrics::counter!("site_total", "k" => "v").increment(n);
    let kept: Vec<Registry> = (0..50).map(|_| Registry::new()).collect();
    for round in 1..=3 {
        for (n, registry) in (1..).zip(&kept) {
            with_local_recorder(&Recorder::new(registry), || hit(n));
            let gone = Registry::new();
            with_local_recorder(&Recorder::new(&gone), || hit(1000));
            assert_eq!(count(&gone, "site_total", &[("k", "v")]), Some(1000));
            assert_eq!(count(registry, "site_total", &[("k", "v")]), Some(n * round));
        }
    }
}

#[test]
fn more_keys_than_a_thread_remembers_are_all_counted() {
    const KEYS: u32 = 10_000;
    let registry = Registry::builder().series_per_family(KEYS as usize).build();
    with_local_recorder(&Recorder::new(&registry), || {
        for key in (0..KEYS).chain(0..KEYS) {
            metrics::counter!("many_total", "key" => key.to_string()).increment(u64::from(key));
        }
    });
    let snapshot = registry.snapshot();
    let family = snapshot.family("many_total").unwrap();
    assert_eq!(family.len(), KEYS as usize);
    for series in family.series() {
        let key: f64 = series.label("key").unwrap().parse().unwrap();
        assert_eq!(series.value().as_f64(), Some(2.0 * key));
    }
}

#[test]
fn the_recorder_for_the_current_scope_follows_it() {
    let hit = || {
        metrics::counter!("both_worlds_total", "k" => "v").increment(1);
        nissa::counter!("both_worlds_total", "k" => "v").increment(10);
    };
    let (one, two) = (Registry::new(), Registry::new());
    with_local_recorder(&Recorder::current(), || {
        for _ in 0..2 {
            hit();
            one.in_scope(|| {
                hit();
                two.in_scope(hit);
                hit();
            });
        }
        thread::scope(|scope| {
            scope.spawn(|| with_local_recorder(&Recorder::current(), || two.in_scope(hit)));
        });
    });
    let count = |registry| count(registry, "both_worlds_total", &[("k", "v")]);
    assert_eq!(count(Registry::global()), Some(22));
    assert_eq!((count(&one), count(&two)), (Some(44), Some(33)));
}

#[test]
fn a_recorder_of_one_registry_stays_there_whatever_the_scope() {
    let (recorded, entered) = (Registry::new(), Registry::new());
    with_local_recorder(&Recorder::new(&recorded), || {
        entered.in_scope(|| {
            metrics::counter!("facade_total").increment(1);
            nissa::counter!("own_total").increment(1);
        });
    });
    assert_eq!(names(&recorded), ["facade_total"]);
    assert_eq!(names(&entered), ["own_total"]);
}

#[test]
fn both_worlds_share_series_kinds_and_descriptions() {
    let registry = Registry::new();
    registry.describe_counter("shared_total", None, "First.");
    registry.counter("shared_total", &[("a", "1"), ("b", "2")]).increment(1);
    with_local_recorder(&Recorder::new(&registry), || {
        metrics::describe_counter!("shared_total", "Second.");
        // Other order of labels, duplicate and empty ones: one series all the same.
        metrics::counter!("shared_total", "b" => "2", "a" => "1").increment(10);
        metrics::counter!("shared_total", "b" => "3", "b" => "2", "a" => "1").increment(100);
        metrics::counter!("shared_total", "a" => "1", "b" => "2", "c" => "").increment(1000);
        let labels = BTreeMap::from([("a", "1"), ("b", "2")]);
        metrics::counter!(String::from("shared_total"), &labels).increment(10_000);
        metrics::gauge!("shared_total", "b" => "2", "a" => "1").set(7);
        metrics::histogram!("shared_total").record(7);
    });
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.family("shared_total").unwrap().len(), 1);
    assert_eq!(count(&registry, "shared_total", &[("a", "1"), ("b", "2")]), Some(11_111));
    assert_eq!(snapshot.family("shared_total").unwrap().help(), Some("First."));
    let dropped = |reason| count(&registry, "nissa_dropped_total", &[("reason", reason)]);
    assert_eq!(dropped("kind_conflict"), Some(2));
    assert_eq!(dropped("description_conflict"), Some(1));
}

/// Without macros, as other instrumentation crates call it.
#[test]
fn the_trait_can_be_called_directly_through_any_pointer() {
    fn is_a_handle<T: Clone + Send + Sync + Debug>(_: &T) {}
    static LABELS: [Label; 1] = [Label::from_static_parts("k", "v")];
    let registry = Registry::new();
    let recorder = Recorder::new(&registry);
    is_a_handle(&recorder);
    let shared: Arc<dyn metrics::Recorder + Send + Sync> = Arc::new(recorder.clone());
    let owned: SharedString = String::from("v").into();
    for key in [
        Key::from_static_parts("direct_total", &LABELS),
        Key::from_parts(String::from("direct_total"), vec![Label::new("k", owned)]),
    ] {
        shared.register_counter(&key, &METADATA).increment(1);
        metrics::Recorder::register_counter(&recorder, &key, &METADATA).increment(1);
        thread::scope(|scope| {
            scope.spawn(|| shared.register_counter(&key, &METADATA).increment(1));
        });
    }
    assert_eq!(count(&registry, "direct_total", &[("k", "v")]), Some(6));
}
