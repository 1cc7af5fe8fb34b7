//! The macros name nothing that a crate without the prelude lacks.

#![no_implicit_prelude]

use ::nissa::{
    Buckets, Level, Registry, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use ::std::string::String;
use ::std::{assert_eq, clone::Clone, convert::From, default::Default, format, option::Option};

const LABEL: &str = "service";

fn record() {
    let value = String::from("runtime");
    let pairs = [("from", "slice")];

    counter!("calls").increment(1);
    counter!("calls", "k" => "literal",).increment(1);
    counter!("calls", "k" => value.clone()).increment(1);
    counter!("calls", LABEL => "http").increment(1);
    counter!(format!("{}_total", "made"), LABEL => value.clone()).increment(1);
    counter!("calls", &pairs).increment(1);
    counter!(
        description: "Calls.",
        unit: Unit::Count,
        target: ::core::module_path!(),
        level: Level::INFO,
        "calls",
        "label1" => "value1",
        "label2" => "value2"
    )
    .increment(1);

    gauge!("level", "k" => "literal").set(2);
    gauge!("level", "k" => value.clone()).set(3);
    gauge!(description: "Level.", "level").set(4);
    histogram!("seconds", "k" => "literal").record(2);
    histogram!("seconds", "k" => value).record(3);
    histogram!(unit: Unit::Seconds, description: "Seconds.", "seconds").record(4);

    describe_counter!("calls", Unit::Count, "Calls.");
    describe_gauge!("level", "Level.");
    describe_histogram!("seconds", Unit::Seconds, "Seconds.");
    describe_histogram!("seconds", Unit::Seconds, "Seconds.", Buckets::default());
}

#[::core::prelude::v1::test]
fn macros_work_without_the_prelude() {
    let registry = Registry::new();
    registry.in_scope(record);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.value("calls"), Option::Some(6.0));
    assert_eq!(snapshot.value("made_total"), Option::Some(1.0));
    assert_eq!(snapshot.family("level").map(|family| family.len()), Option::Some(3));
    assert_eq!(snapshot.family("seconds").map(|family| family.len()), Option::Some(3));
    for (name, help) in [("calls", "Calls."), ("level", "Level."), ("seconds", "Seconds.")] {
        let described = snapshot.family(name).and_then(|family| family.help());
        assert_eq!(described, Option::Some(help));
    }
    // Same descriptions twice are no conflict.
    assert_eq!(snapshot.value("nissa_dropped_total"), Option::None);
}
