//! A user's own names do not get in the way of what the macros expand to, nor the other way round.
//! `macros_no_prelude.rs` takes the prelude away, `renamed.rs` the crate's name.

#![forbid(unsafe_code)]
#![deny(warnings)]

use nissa::Registry;
use nissa::snapshot::Snapshot;

fn recorded(f: impl FnOnce()) -> Snapshot {
    let registry = Registry::new();
    registry.in_scope(f);
    registry.snapshot()
}

#[track_caller]
fn number(snapshot: &Snapshot, name: &str, labels: &[(&str, &str)]) -> f64 {
    snapshot.get(name, labels).and_then(|value| value.as_f64()).unwrap()
}

/// The user's module `metrics` or `nissa` in scope, as in the facade's own aliasing test.
mod aliasing {
    mod framework {
        pub(crate) mod metrics {
            pub(crate) const NAME: &str = "uploads_total";
        }
        pub(crate) mod nissa {
            pub(crate) const SUCCESS: &str = "success";
            pub(crate) const PROCESS: &str = "process_type";
        }
    }
    use framework::*;

    pub(crate) fn upload() {
        ::nissa::counter!(metrics::NAME, &[(nissa::PROCESS, "x"), (nissa::SUCCESS, "")])
            .increment(1);
        ::nissa::counter!("uploads_total", "process_type" => nissa::PROCESS).increment(2);
        ::nissa::counter!(target: "t", level: ::nissa::Level::INFO, "uploads_total").increment(3);
        ::nissa::describe_counter!("uploads_total", ::nissa::Unit::Count, "Uploads.");
    }
}

#[test]
fn a_module_of_the_same_name_does_not_stand_in_for_the_crate() {
    let snapshot = recorded(aliasing::upload);
    assert_eq!(number(&snapshot, "uploads_total", &[("process_type", "x")]), 1.0);
    assert_eq!(number(&snapshot, "uploads_total", &[("process_type", "process_type")]), 2.0);
    assert_eq!(number(&snapshot, "uploads_total", &[]), 3.0);
}

/// Items that shadow whatever a macro could name without a path.
mod shadowing {
    #![allow(dead_code, non_camel_case_types, reason = "they are here to be in the way")]

    struct Option;
    struct Some;
    struct None;
    struct Vec;
    struct String;
    struct str;
    struct u64;
    struct usize;
    struct Site;
    struct DynamicSite;
    struct Label;
    struct Level;
    struct Unit;
    trait AsRef {}
    trait Into {}
    trait IntoLabels {}
    fn text() {}
    fn pairs() {}
    fn drop() {}
    mod core {}
    mod std {}
    mod alloc {}

    /// Would be taken instead of the crate's, if that called methods through a trait.
    trait Counting {
        fn counter(&self) -> ! {
            unreachable!()
        }
        fn as_ref(&self) -> ! {
            unreachable!()
        }
    }
    impl<T> Counting for T {}

    pub(super) fn record() {
        let word = "runtime";
        ::nissa::counter!("shadowed", "k" => "literal").increment(1);
        ::nissa::counter!("shadowed", "k" => word).increment(2);
        ::nissa::counter!(word, word => word).increment(3);
        ::nissa::counter!("shadowed", &[("k", "slice")]).increment(4);
        ::nissa::counter!(
            description: "Help.", unit: ::nissa::Unit::Count,
            target: "t", level: ::nissa::Level::INFO, "shadowed"
        )
        .increment(5);
        ::nissa::describe_gauge!("gauge", "Help.");
    }
}

#[test]
fn a_users_items_do_not_stand_in_for_what_the_macros_need() {
    let snapshot = recorded(shadowing::record);
    for (value, k) in [(1.0, "literal"), (2.0, "runtime"), (4.0, "slice")] {
        assert_eq!(number(&snapshot, "shadowed", &[("k", k)]), value);
    }
    assert_eq!(number(&snapshot, "runtime", &[("runtime", "runtime")]), 3.0);
    assert_eq!(number(&snapshot, "shadowed", &[]), 5.0);
}

#[test]
#[allow(non_snake_case, reason = "names the expansion could use for itself")]
fn a_users_variables_are_seen_in_labels_and_names() {
    let (SITE, METRIC_KEY, METADATA, LABELS) = ("site", "metric_key", "metadata", "labels");
    let (name, labels, label, value, values, text) = ("n", "ls", "l", "v", "vs", "t");
    let (kind, describe, help, unit, rest, target) = ("k", "d", "h", "u", "r", "tg");
    let snapshot = recorded(|| {
        use nissa::counter;
        counter!("variables", "SITE" => SITE).increment(1);
        counter!("variables", "a" => METRIC_KEY, "b" => METADATA, "c" => LABELS).increment(1);
        counter!("variables", "a" => name, "b" => labels, "c" => label).increment(1);
        counter!("variables", "a" => value, "b" => values, "c" => text).increment(1);
        counter!("variables", "a" => kind, "b" => describe, "c" => help).increment(1);
        counter!("variables", "a" => unit, "b" => rest, "c" => target).increment(1);
        counter!(name, label => value, labels => values).increment(1);
        counter!(description: help, target: target, SITE, SITE => SITE).increment(1);
        counter!(description: help, "described", "SITE" => SITE).increment(1);
    });
    let three = [
        ["metric_key", "metadata", "labels"],
        ["n", "ls", "l"],
        ["v", "vs", "t"],
        ["k", "d", "h"],
        ["u", "r", "tg"],
    ];
    for [a, b, c] in three {
        assert_eq!(number(&snapshot, "variables", &[("a", a), ("b", b), ("c", c)]), 1.0);
    }
    assert_eq!(number(&snapshot, "variables", &[("SITE", "site")]), 1.0);
    assert_eq!(number(&snapshot, "n", &[("l", "v"), ("ls", "vs")]), 1.0);
    assert_eq!(number(&snapshot, "site", &[("site", "site")]), 1.0);
    assert_eq!(number(&snapshot, "described", &[("SITE", "site")]), 1.0);
}

/// Items are not hygienic in Rust, so a static of the expansion could hide a user's constant.
#[test]
fn a_users_constants_are_seen_in_labels_and_names() {
    const SITE: &str = "data centre 7";
    static NAME: &str = "in_a_static";
    let snapshot = recorded(|| {
        nissa::counter!("constants", "site" => SITE).increment(1);
        nissa::gauge!(NAME, "site" => SITE, "name" => NAME).set(2);
        nissa::histogram!("constants_seconds", "site" => SITE).record(1);
    });
    assert_eq!(number(&snapshot, "constants", &[("site", SITE)]), 1.0);
    assert_eq!(number(&snapshot, NAME, &[("site", SITE), ("name", NAME)]), 2.0);
    assert!(snapshot.get("constants_seconds", &[("site", SITE)]).is_some());
}
