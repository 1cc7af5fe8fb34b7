//! What happens in a case: settings, threads and operations, all of them random.

use nissa::{Buckets, Matcher, Registry, counter, gauge, histogram};
use proptest::prelude::*;
use proptest::sample::select;

use super::Handle;
use super::model::{Kind, Settings, Update};

/// What call sites name; the last two have none.
pub(crate) const NAMES: [&str; 5] = ["steps", "depth", "seconds", "joules", ""];
const LABELS: [&str; 5] = ["x", "y", "d", "le", ""];
const VALUES: [&str; 6] = ["1", "2", "3", "4", "", "\"q\\\n"];
const FLOATS: [f64; 15] = [
    0.0,
    -0.0,
    0.5,
    1.0,
    2.0,
    3.0,
    5.0,
    64.0,
    1000.0,
    1e12,
    -4.0,
    -1000.0,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) setups: [Setup; 2],
    pub(crate) rounds: Vec<Round>,
}

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    series_per_family: Option<usize>,
    series: Option<usize>,
    drop_label: bool,
    deny: bool,
    scheme: Scheme,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Scheme {
    Default,
    Explicit,
    Coarse,
    Fine,
}

#[derive(Clone, Debug)]
pub(crate) enum Round {
    /// On the test's own thread, whose memory of series is warm.
    Here(Vec<Op>),
    InTurn(Vec<Vec<Op>>),
    AtOnce(Vec<Vec<Op>>),
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Enter(usize),
    Leave,
    Snapshot,
    Describe {
        at: usize,
        kind: Kind,
        name: &'static str,
        help: &'static str,
    },
    Choose {
        at: usize,
        name: &'static str,
        scheme: Scheme,
    },
    /// Through the registry's methods.
    Ask {
        at: usize,
        kind: Kind,
        name: &'static str,
        labels: Vec<(&'static str, &'static str)>,
        keep: bool,
        update: Option<Update>,
    },
    /// Through a macro's call site, in the current scope.
    Site {
        form: usize,
        name: usize,
        kind: Kind,
        values: [&'static str; 2],
        keep: bool,
        update: Option<Update>,
    },
    Use {
        held: usize,
        update: Update,
    },
    Drop {
        held: usize,
    },
}

impl Setup {
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            series_per_family: self.series_per_family.unwrap_or(2000),
            series: self.series.unwrap_or(200_000),
            drop_label: self.drop_label.then_some("d"),
            deny: self.deny.then_some(("x", "3")),
            bounds: self.scheme.buckets().bounds(),
        }
    }

    pub(crate) fn registry(&self) -> Registry {
        let settings = self.settings();
        let mut builder = Registry::builder()
            .series_per_family(settings.series_per_family)
            .series(settings.series)
            .buckets(Matcher::name("*"), self.scheme.buckets());
        if let Some(label) = settings.drop_label {
            builder = builder.drop_label(label);
        }
        if let Some((label, value)) = settings.deny {
            builder = builder.deny(Matcher::name("*").label(label, value));
        }
        builder.build()
    }

    pub(crate) fn is_unlimited(&self) -> bool {
        self.series_per_family.is_none() && self.series.is_none()
    }
}

impl Scheme {
    pub(crate) fn buckets(self) -> Buckets {
        match self {
            Self::Default => Buckets::default(),
            Self::Explicit => Buckets::explicit(&[-10.0, 0.0, 1.0, 2.5, 64.0]).unwrap(),
            Self::Coarse => Buckets::exponential_in(0.4, 1.0, 4096.0).unwrap(),
            Self::Fine => Buckets::exponential(0.05).unwrap(),
        }
    }
}

pub(crate) fn usual_kind(name: &str) -> Kind {
    match name {
        "depth" => Kind::Gauge,
        "seconds" => Kind::Histogram,
        "joules" => Kind::Float,
        _ => Kind::Counter,
    }
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let rounds = prop::collection::vec(round(), 1..6);
    ([setup(), setup()], rounds).prop_map(|(setups, rounds)| Plan { setups, rounds })
}

fn scheme() -> impl Strategy<Value = Scheme> {
    select(vec![Scheme::Default, Scheme::Explicit, Scheme::Coarse, Scheme::Fine])
}

fn setup() -> impl Strategy<Value = Setup> {
    let few = prop_oneof![Just(None), (0usize..4).prop_map(Some)];
    let in_all = prop_oneof![2 => Just(None), 1 => (0usize..16).prop_map(Some)];
    (few, in_all, any::<bool>(), any::<bool>(), scheme()).prop_map(
        |(series_per_family, series, drop_label, deny, scheme)| Setup {
            series_per_family,
            series,
            drop_label,
            deny,
            scheme,
        },
    )
}

fn round() -> impl Strategy<Value = Round> {
    // Mostly in the scope of a registry whose limits are within reach.
    let ops = || {
        (prop::option::weighted(0.8, 0usize..2), prop::collection::vec(op(), 0..40)).prop_map(
            |(scope, ops)| scope.map(Op::Enter).into_iter().chain(ops).collect::<Vec<_>>(),
        )
    };
    let threads = || prop::collection::vec(ops(), 1..4);
    prop_oneof![
        ops().prop_map(Round::Here),
        threads().prop_map(Round::InTurn),
        threads().prop_map(Round::AtOnce),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let labels = prop::collection::vec((select(&LABELS[..]), select(&VALUES[..])), 0..4);
    let values = [select(&VALUES[..]), select(&VALUES[..])];
    let help = select(&["Help.", "Other help."][..]);
    let maybe = || prop::option::weighted(0.9, update());
    let ask = (0usize..3, any::<bool>(), maybe(), name_and_kind(), labels);
    let ask = ask.prop_map(|(at, keep, update, (name, kind), labels)| Op::Ask {
        at,
        kind,
        name: NAMES[name],
        labels,
        keep,
        update,
    });
    let form = prop_oneof![1 => 0usize..9, 1 => 2usize..7];
    let site = (form, any::<bool>(), maybe(), name_and_kind(), values);
    let site = site.prop_map(|(form, keep, update, (name, kind), values)| Op::Site {
        form,
        name: name % 3,
        kind: kind.described(),
        values,
        keep,
        update,
    });
    let describe = (0usize..2, name_and_kind(), help).prop_map(|(at, (name, kind), help)| {
        Op::Describe { at, kind: kind.described(), name: NAMES[name % 4], help }
    });
    let choose = (0usize..2, name_and_kind(), scheme())
        .prop_map(|(at, (name, _), scheme)| Op::Choose { at, name: NAMES[name % 4], scheme });
    prop_oneof![
        1 => (0usize..3).prop_map(Op::Enter),
        1 => Just(Op::Leave),
        1 => Just(Op::Snapshot),
        1 => describe,
        1 => choose,
        6 => ask,
        12 => site,
        4 => (any::<usize>(), update()).prop_map(|(held, update)| Op::Use { held, update }),
        1 => any::<usize>().prop_map(|held| Op::Drop { held }),
    ]
}

/// Mostly a name with the kind it always has.
fn name_and_kind() -> impl Strategy<Value = (usize, Kind)> {
    let kinds = [Kind::Counter, Kind::Float, Kind::Gauge, Kind::Histogram];
    let names = prop_oneof![12 => 0usize..4, 1 => Just(4usize)];
    (names, prop::option::weighted(0.2, select(kinds.to_vec())))
        .prop_map(|(name, kind)| (name, kind.unwrap_or(usual_kind(NAMES[name]))))
}

fn update() -> impl Strategy<Value = Update> {
    let integer = prop_oneof![4 => 0u64..100, 1 => Just(u64::MAX), 1 => Just(1 << 63)];
    (any::<bool>(), integer, select(&FLOATS[..]), 0usize..5)
        .prop_map(|(replace, integer, float, times)| Update { replace, integer, float, times })
}

type Labelled<'a> = (Option<Handle>, Vec<(&'static str, &'a str)>);

/// What a call site gives, and the labels that it asks with.
pub(crate) fn site<'a>(
    form: usize,
    name: usize,
    kind: Kind,
    values: &'a [&str; 2],
) -> Labelled<'a> {
    let (runtime, [v, w]) = (NAMES[name], *values);
    macro_rules! forms {
        ($metric:ident, $name:literal) => {
            match form {
                0 => ($metric!($name), vec![]),
                1 => ($metric!($name, "x" => "1"), vec![("x", "1")]),
                2 => ($metric!($name, "x" => v), vec![("x", v)]),
                3 => ($metric!($name, "y" => v, "x" => w), vec![("y", v), ("x", w)]),
                4 => ($metric!($name, "x" => v, "x" => w), vec![("x", v), ("x", w)]),
                5 => ($metric!($name, "d" => v, "x" => w), vec![("d", v), ("x", w)]),
                6 => ($metric!($name, "le" => v), vec![("le", v)]),
                7 => ($metric!(runtime, "y" => v, "x" => w), vec![("y", v), ("x", w)]),
                _ => {
                    let pairs = [("x", v.to_owned()), ("le", w.to_owned())];
                    ($metric!($name, &pairs), vec![("x", v), ("le", w)])
                }
            }
        };
    }
    macro_rules! names {
        ($metric:ident, $handle:ident) => {{
            let (handle, labels) = match name {
                0 => forms!($metric, "steps"),
                1 => forms!($metric, "depth"),
                _ => forms!($metric, "seconds"),
            };
            (Some(Handle::$handle(handle)), labels)
        }};
    }
    match kind {
        Kind::Counter => names!(counter, Counter),
        Kind::Gauge => names!(gauge, Gauge),
        Kind::Histogram => names!(histogram, Histogram),
        // There is no macro for it.
        Kind::Float => (None, vec![]),
    }
}
