//! Every call form that the facade documents for its macros, compiled with nissa's and recorded.
//! Moving over is to be the change of a `use` line, so what compiles there must compile here and
//! land in the series it names.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use metrics::Label;
use nissa::snapshot::{Snapshot, Value};
use nissa::{
    Buckets, Level, Registry, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

/// What `f` records, in a registry of its own.
fn recorded(f: impl FnOnce()) -> Snapshot {
    let registry = Registry::new();
    registry.in_scope(f);
    registry.snapshot()
}

/// A counter's or gauge's value, or how often a histogram was recorded into.
#[track_caller]
fn number(snapshot: &Snapshot, name: &str, labels: &[(&str, &str)]) -> f64 {
    match snapshot.get(name, labels) {
        Some(Value::Distribution(distribution)) => distribution.count() as f64,
        Some(value) => value.as_f64().unwrap(),
        None => panic!("no series {name}{labels:?} in {snapshot:#?}"),
    }
}

const NAME: &str = "name_in_a_constant";
const LABEL: &str = "service";
const VALUE: &str = "http";
const HELP: &str = "Help in a constant.";

/// One test per instrument: every form of its macro, each used once, each seen in its series.
macro_rules! every_form {
    ($test:ident, $metric:ident, $record:ident) => {
        #[test]
        fn $test() {
            let value = String::from("runtime");
            let owned_name = String::from("owned_name");
            let pairs = [("uvw", format!("{value}!"))];
            let owned_pairs = vec![(String::from("foo"), String::from("bar"))];
            let snapshot = recorded(|| {
                $metric!("literal").$record(1);
                $metric!("literal",).$record(1);
                $metric!("literal", "uvw" => "xyz").$record(1);
                $metric!("literal", "uvw" => "xyz",).$record(1);
                $metric!("literal", "foo" => "bar", "baz" => "qux").$record(1);
                $metric!("literal", LABEL => VALUE).$record(1);
                $metric!("literal", "service" => VALUE,).$record(1);
                $metric!("literal", LABEL => "http").$record(1);
                $metric!("literal", "uvw" => value.clone()).$record(1);
                $metric!("literal", "uvw" => &value, LABEL => format!("{value}2"),).$record(1);
                $metric!("literal", vec![]).$record(1);
                $metric!("literal", vec![],).$record(1);
                $metric!("literal", &pairs).$record(1);
                $metric!("literal", &owned_pairs,).$record(1);
                $metric!("literal", &[("foo", "bar")]).$record(1);

                $metric!(NAME).$record(1);
                $metric!(NAME, "uvw" => "xyz").$record(1);
                $metric!(owned_name).$record(1);
                $metric!(format!("status_{}", 200)).$record(1);
                $metric!(format!("status_{}", 200), "uvw" => "xyz",).$record(1);
                $metric!(format!("status_{}", 200), LABEL => value.clone()).$record(1);
                $metric!(format!("status_{}", 200), &pairs).$record(1);
                $metric!(concat!("status_", 200),).$record(1);
            });
            let expected: [(&str, &[(&str, &str)], u32); 15] = [
                ("literal", &[], 4),
                ("literal", &[("uvw", "xyz")], 2),
                ("literal", &[("foo", "bar"), ("baz", "qux")], 1),
                ("literal", &[("service", "http")], 3),
                ("literal", &[("uvw", "runtime")], 1),
                ("literal", &[("uvw", "runtime"), ("service", "runtime2")], 1),
                ("literal", &[("uvw", "runtime!")], 1),
                ("literal", &[("foo", "bar")], 2),
                (NAME, &[], 1),
                (NAME, &[("uvw", "xyz")], 1),
                ("owned_name", &[], 1),
                ("status_200", &[], 2),
                ("status_200", &[("uvw", "xyz")], 1),
                ("status_200", &[("service", "runtime")], 1),
                ("status_200", &[("uvw", "runtime!")], 1),
            ];
            for (name, labels, times) in expected {
                assert_eq!(number(&snapshot, name, labels), f64::from(times), "{name}{labels:?}");
            }
            let series: usize = snapshot.families().map(|family| family.len()).sum();
            assert_eq!(series, expected.len());
        }
    };
}

every_form!(counter_takes_every_form, counter, increment);
every_form!(gauge_takes_every_form, gauge, increment);
every_form!(histogram_takes_every_form, histogram, record);

/// The named parameters, alone, together, in any order, before every kind of label.
macro_rules! every_parameter {
    ($test:ident, $metric:ident, $record:ident) => {
        #[test]
        fn $test() {
            let (key, value) = ("foo", String::from("bar"));
            let pairs = [("foo", "bar")];
            let snapshot = recorded(|| {
                $metric!(target: "rendering", "qwe").$record(1);
                $metric!(level: Level::DEBUG, "qwe",).$record(1);
                $metric!(target: "rendering", level: Level::DEBUG, "qwe").$record(1);
                $metric!(level: Level::DEBUG, target: ::core::module_path!(), "qwe").$record(1);
                $metric!(target: "rendering", "qwe", "foo" => "bar").$record(1);
                $metric!(level: Level::DEBUG, target: "rendering", "qwe", key => "bar").$record(1);
                $metric!(level: Level::DEBUG, "qwe", "foo" => value.clone(),).$record(1);
                $metric!(target: "rendering", "qwe", &pairs,).$record(1);
                $metric!(level: Level::DEBUG, "qwe", vec![Label::new("foo", "bar")]).$record(1);
                $metric!(description: "Help.", "described").$record(1);
                $metric!(description: HELP, unit: Unit::Bytes, "sized", "a" => "b").$record(1);
                $metric!(unit: Unit::Count, description: format!("{}", 7), NAME).$record(1);
                $metric!(
                    description: "Everything at once.",
                    unit: nissa::Unit::Bytes,
                    target: ::core::module_path!(),
                    level: nissa::Level::INFO,
                    "super",
                    "label1" => "value1",
                    "label2" => "value2"
                )
                .$record(1);
            });
            assert_eq!(number(&snapshot, "qwe", &[]), 4.0);
            assert_eq!(number(&snapshot, "qwe", &[("foo", "bar")]), 5.0);
            let both = [("label1", "value1"), ("label2", "value2")];
            assert_eq!(number(&snapshot, "super", &both), 1.0);
            let described = [
                ("qwe", None, None),
                ("described", Some("Help."), None),
                ("sized", Some(HELP), Some(Unit::Bytes)),
                (NAME, Some("7"), Some(Unit::Count)),
                ("super", Some("Everything at once."), Some(Unit::Bytes)),
            ];
            for (name, help, unit) in described {
                let family = snapshot.family(name).unwrap();
                assert_eq!((family.help(), family.unit()), (help, unit), "{name}");
            }
        }
    };
}

every_parameter!(counter_takes_every_parameter, counter, increment);
every_parameter!(gauge_takes_every_parameter, gauge, increment);
every_parameter!(histogram_takes_every_parameter, histogram, record);

#[test]
fn descriptions_take_every_form() {
    let name = String::from("owned");
    let snapshot = recorded(|| {
        describe_counter!("literal", "Help.");
        describe_counter!(name, "Help.",);
        describe_counter!(format!("{}_via_format", "name"), Unit::Nanoseconds, HELP,);
        describe_gauge!(NAME, Unit::Bytes, "Help.");
        describe_histogram!("timed", Unit::Seconds, format!("{HELP} And more."));
        describe_histogram!("cut", Unit::Bytes, HELP, Buckets::explicit(&[1.0, 2.0]).unwrap(),);
        counter!("literal").increment(1);
        counter!(name).increment(1);
        counter!("name_via_format").increment(1);
        gauge!(NAME).set(1);
        histogram!("timed").record(1);
        histogram!("cut").record(1);
    });
    let described = |name| {
        let family = snapshot.family(name).unwrap();
        (family.help().unwrap(), family.unit())
    };
    assert_eq!(described("literal"), ("Help.", None));
    assert_eq!(described("owned"), ("Help.", None));
    assert_eq!(described("name_via_format"), (HELP, Some(Unit::Nanoseconds)));
    assert_eq!(described(NAME), ("Help.", Some(Unit::Bytes)));
    assert_eq!(described("timed"), ("Help in a constant. And more.", Some(Unit::Seconds)));
    assert_eq!(described("cut"), (HELP, Some(Unit::Bytes)));
    assert_eq!(snapshot.family("cut").unwrap().buckets().unwrap().bounds(), [1.0, 2.0]);
}

#[test]
fn collections_of_labels_are_taken() {
    static LABELS: [Label; 1] = [Label::from_static_parts("from", "label")];
    let map = BTreeMap::from([("from", "map")]);
    let slice: &[(&str, &str)] = &[("from", "slice")];
    let cows: Vec<(Cow<'static, str>, String)> = vec![(Cow::Borrowed("from"), "cow".to_owned())];
    let snapshot = recorded(|| {
        counter!("collected", vec![Label::new("from", String::from("vec"))]).increment(1);
        counter!("collected", LABELS.iter()).increment(2);
        counter!("collected", &map).increment(3);
        counter!("collected", slice).increment(4);
        counter!("collected", &cows).increment(5);
    });
    for (value, from) in (1u8..).zip(["vec", "label", "map", "slice", "cow"]) {
        assert_eq!(number(&snapshot, "collected", &[("from", from)]), f64::from(value));
    }
}

/// The facade wants `'static`; borrowing is what spares a request its allocation.
#[test]
fn values_may_be_any_string_and_need_not_be_static() {
    let owned = String::from("one two three four five six");
    let words: Vec<&str> = owned.split(' ').collect();
    let snapshot = recorded(|| {
        counter!("words", "word" => words[0]).increment(1);
        counter!("words", "word" => &words[1]).increment(2);
        counter!("words", "word" => Cow::Borrowed(words[2])).increment(3);
        counter!("words", "word" => Box::<str>::from(words[3])).increment(4);
        counter!("words", "word" => Arc::<str>::from(words[4])).increment(5);
        counter!(words[0], words[1] => words[2], words[3] => String::from(words[4])).increment(6);
        counter!("words", "word" => { let [.., last] = &words[..] else { return }; last })
            .increment(7);
        let handle = {
            let short_lived = String::from("gone");
            counter!("words", "word" => short_lived)
        };
        handle.increment(8);
    });
    let expected = [("one", 1), ("two", 2), ("three", 3), ("four", 4), ("five", 5), ("six", 7)];
    for (word, value) in expected.into_iter().chain([("gone", 8)]) {
        assert_eq!(number(&snapshot, "words", &[("word", word)]), f64::from(value), "{word}");
    }
    assert_eq!(number(&snapshot, "one", &[("two", "three"), ("four", "five")]), 6.0);
}

#[test]
fn values_are_evaluated_once_and_in_order() {
    let mut seen = Vec::new();
    let mut note = |value: &'static str| {
        seen.push(value);
        value
    };
    recorded(|| {
        counter!("literal", "b" => note("b1"), "a" => note("a1")).increment(1);
        counter!(note("name"), "b" => note("b2"), "a" => note("a2")).increment(1);
    });
    assert_eq!(seen, ["b1", "a1", "name", "b2", "a2"]);
}

trait Stage {
    const LABEL: &'static str;
}
struct Load;
struct Train;
impl Stage for Load {
    const LABEL: &'static str = "load";
}
impl Stage for Train {
    const LABEL: &'static str = "train";
}

/// The statics of a generic function are shared by all its instances, in which only the values
/// differ. In the global registry, because there call sites remember what they found.
#[test]
fn instances_of_a_generic_function_share_the_call_site_and_not_the_values() {
    fn step<S: Stage>() {
        counter!("generic_steps_total").increment(1);
        counter!("generic_stage_steps_total", "stage" => S::LABEL).increment(1);
        counter!(format!("generic_{}_total", S::LABEL)).increment(1);
    }
    for _ in 0..3 {
        step::<Load>();
        step::<Train>();
    }
    step::<Train>();
    let snapshot = Registry::global().snapshot();
    assert_eq!(number(&snapshot, "generic_steps_total", &[]), 7.0);
    assert_eq!(number(&snapshot, "generic_stage_steps_total", &[("stage", "load")]), 3.0);
    assert_eq!(number(&snapshot, "generic_stage_steps_total", &[("stage", "train")]), 4.0);
    assert_eq!(number(&snapshot, "generic_load_total", &[]), 3.0);
    assert_eq!(number(&snapshot, "generic_train_total", &[]), 4.0);
}

#[test]
fn one_call_site_in_a_loop_makes_a_series_per_value() {
    const PHASES: [&str; 3] = ["load", "forward", "backward"];
    for round in 0..4 {
        for phase in PHASES {
            gauge!("loop_round", "phase" => phase).set(round);
            histogram!("loop_seconds", "phase" => phase, "round" => round.to_string()).record(1);
        }
    }
    let snapshot = Registry::global().snapshot();
    assert_eq!(snapshot.family("loop_round").unwrap().len(), 3);
    assert_eq!(snapshot.family("loop_seconds").unwrap().len(), 12);
    assert_eq!(number(&snapshot, "loop_round", &[("phase", "forward")]), 3.0);
    assert_eq!(number(&snapshot, "loop_seconds", &[("phase", "load"), ("round", "2")]), 1.0);
}

#[test]
fn async_functions_may_await_inside_a_label_and_stay_send() {
    async fn worker() -> String {
        std::future::ready(String::from("w1")).await
    }
    async fn job() {
        counter!("async_jobs_total", "worker" => worker().await, "kind" => "x").increment(1);
        let held = histogram!("async_seconds");
        let borrowed = worker().await;
        held.record(1);
        gauge!(worker().await, "from" => borrowed.as_str()).set(2);
    }
    fn finish<F: Future<Output = ()> + Send>(future: F) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(future).poll(&mut context) == Poll::Ready(())
    }
    let snapshot = recorded(|| assert!(finish(job())));
    let labels = [("worker", "w1"), ("kind", "x")];
    assert_eq!(number(&snapshot, "async_jobs_total", &labels), 1.0);
    assert_eq!(number(&snapshot, "async_seconds", &[]), 1.0);
    assert_eq!(number(&snapshot, "w1", &[("from", "w1")]), 2.0);
}

#[test]
fn expressions_of_every_position_and_a_users_own_macro() {
    macro_rules! count {
        ($name:literal, $($label:literal: $value:expr),*) => {
            counter!($name, $($label => $value),*).increment(1)
        };
        ($name:expr) => { counter!($name) };
    }
    let snapshot = recorded(|| {
        let handles: Vec<_> = (0..2).map(|_| counter!("in_a_closure")).collect();
        handles.iter().for_each(|handle| handle.increment(1));
        let pick = |odd: bool| if odd { counter!("odd") } else { counter!("even") };
        (0..5).for_each(|n| pick(n % 2 == 1).increment(1));
        std::convert::identity(counter!("passed", "k" => "v")).increment(1);
        count!("wrapped", "k": "literal", "l": "literal");
        count!("wrapped", "k": String::from("runtime"), "l": "literal");
        count!("wrapped").increment(9);
    });
    for (name, value) in [("in_a_closure", 2.0), ("odd", 2.0), ("even", 3.0)] {
        assert_eq!(number(&snapshot, name, &[]), value, "{name}");
    }
    assert_eq!(number(&snapshot, "passed", &[("k", "v")]), 1.0);
    assert_eq!(number(&snapshot, "wrapped", &[("k", "literal"), ("l", "literal")]), 1.0);
    assert_eq!(number(&snapshot, "wrapped", &[("k", "runtime"), ("l", "literal")]), 1.0);
    assert_eq!(number(&snapshot, "wrapped", &[]), 9.0);
}
