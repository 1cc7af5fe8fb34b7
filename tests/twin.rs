//! The naive twin: random operations on registries and on maps with a lock, which must show the
//! same at the end and wherever a snapshot falls in between.
//!
//! Numbers are whole, so that sums are exact in any order. Threads either take turns, and then do
//! anything; or they run at once, and then do what comes to the same in any order.

#[path = "twin/model.rs"]
mod model;
#[path = "twin/picture.rs"]
mod picture;
#[path = "twin/plan.rs"]
mod plan;

use std::sync::Mutex;
use std::thread;

use model::{Kind, Model, Place, Update};
use nissa::{Buckets, Counter, FloatCounter, Gauge, Histogram, Registry, Scope, expose};
use picture::Picture;
use plan::{NAMES, Op, Plan, Round, Scheme, Setup, plan};
use proptest::prelude::*;

/// A handle, and where the twin keeps what is recorded through it.
#[derive(Clone)]
struct Held {
    handle: Handle,
    /// Which registry.
    at: usize,
    place: Place,
}

#[derive(Clone)]
enum Handle {
    Counter(Counter),
    Float(FloatCounter),
    Gauge(Gauge),
    Histogram(Histogram),
}

/// The registries of a case, and their twins: two of its own, then the global one.
struct World {
    registries: Vec<Registry>,
    models: Vec<Mutex<Model>>,
    /// Whether lookups in any order lead to the same series.
    unlimited: Vec<bool>,
    held: Mutex<Vec<Held>>,
}

const GLOBAL: usize = 2;

impl World {
    fn new(setups: &[Setup]) -> Self {
        let mut world = Self {
            registries: setups.iter().map(Setup::registry).collect(),
            models: setups.iter().map(|setup| Mutex::new(Model::new(setup.settings()))).collect(),
            unlimited: setups.iter().map(Setup::is_unlimited).collect(),
            held: Mutex::default(),
        };
        let global = Registry::global();
        world.registries.push(global.clone());
        let bounds = Buckets::default().bounds();
        world.models.push(Mutex::new(Model::of(&global.snapshot(), bounds)));
        world.unlimited.push(true);
        world
    }

    fn run(&self, round: &Round) {
        match round {
            Round::Here(ops) => self.thread(ops, false),
            Round::InTurn(threads) => {
                for ops in threads {
                    thread::scope(|scope| scope.spawn(|| self.thread(ops, false)).join()).unwrap();
                }
            }
            Round::AtOnce(threads) => thread::scope(|scope| {
                for ops in threads {
                    scope.spawn(|| self.thread(ops, true));
                }
            }),
        }
        self.compare();
    }

    /// What one thread does.
    fn thread(&self, ops: &[Op], at_once: bool) {
        // Innermost last, and left in that order.
        let mut scopes: Vec<(usize, Scope)> = Vec::new();
        for op in ops {
            match op {
                Op::Enter(at) => scopes.push((*at, self.registries[*at].enter())),
                Op::Leave => drop(scopes.pop()),
                Op::Snapshot if at_once => {
                    let _unordered = self.registries[GLOBAL].snapshot();
                }
                Op::Snapshot => self.compare(),
                op => self.record(op, scopes.last().map_or(GLOBAL, |(at, _)| *at), at_once),
            }
        }
        while let Some(scope) = scopes.pop() {
            drop(scope);
        }
    }

    fn record(&self, op: &Op, current: usize, at_once: bool) {
        match op {
            Op::Describe { at, kind, name, help } if !at_once => {
                let registry = &self.registries[*at];
                match kind {
                    Kind::Counter | Kind::Float => registry.describe_counter(name, None, help),
                    Kind::Gauge => registry.describe_gauge(name, None, help),
                    Kind::Histogram => registry.describe_histogram(name, None, help),
                }
                self.models[*at].lock().unwrap().describe(*kind, name, help);
            }
            Op::Choose { at, name, scheme } if !at_once => {
                let buckets = scheme.buckets();
                self.models[*at].lock().unwrap().choose(name, &buckets.bounds());
                self.registries[*at].describe_buckets(name, buckets);
            }
            Op::Ask { at, kind, name, labels, keep, update } if self.may_ask(*at, at_once) => {
                let kind = if at_once { plan::usual_kind(name) } else { *kind };
                let held = self.ask(*at, kind, name, labels);
                self.use_and_keep(held, *update, *keep, at_once);
            }
            Op::Site { form, name, kind, values, keep, update }
                if self.may_ask(current, at_once) =>
            {
                let kind = if at_once { plan::usual_kind(NAMES[*name]) } else { *kind };
                let (handle, labels) = plan::site(*form, *name, kind, values);
                let handle = handle.unwrap_or(Handle::Counter(Counter::noop()));
                let place =
                    self.models[current].lock().unwrap().lookup(kind, NAMES[*name], &labels);
                self.use_and_keep(Held { handle, at: current, place }, *update, *keep, at_once);
            }
            Op::Use { held, update } => {
                let picked = {
                    let all = self.held.lock().unwrap();
                    (!all.is_empty()).then(|| all[held % all.len()].clone())
                };
                if let Some(held) = picked {
                    self.update(&held, *update, at_once);
                }
            }
            Op::Drop { held } => {
                let mut all = self.held.lock().unwrap();
                if !all.is_empty() {
                    let at = held % all.len();
                    all.swap_remove(at);
                }
            }
            _ => {}
        }
    }

    /// Where a limit may be reached, who comes first decides who gets a series.
    fn may_ask(&self, at: usize, at_once: bool) -> bool {
        !at_once || self.unlimited[at]
    }

    fn ask(&self, at: usize, kind: Kind, name: &str, labels: &[(&str, &str)]) -> Held {
        let registry = &self.registries[at];
        let handle = match kind {
            Kind::Counter => Handle::Counter(registry.counter(name, labels)),
            Kind::Float => Handle::Float(registry.float_counter(name, labels)),
            Kind::Gauge => Handle::Gauge(registry.gauge(name, labels)),
            Kind::Histogram => Handle::Histogram(registry.histogram(name, labels)),
        };
        let place = self.models[at].lock().unwrap().lookup(kind, name, labels);
        Held { handle, at, place }
    }

    fn use_and_keep(&self, held: Held, update: Option<Update>, keep: bool, at_once: bool) {
        if let Some(update) = update {
            self.update(&held, update, at_once);
        }
        if keep {
            self.held.lock().unwrap().push(held);
        }
    }

    fn update(&self, held: &Held, update: Update, at_once: bool) {
        let mut update = update;
        if at_once {
            update.replace = false;
            if !update.float.is_finite() {
                update.float = 1.0;
            }
        }
        let Update { replace, integer, float, times } = update;
        match &held.handle {
            Handle::Counter(counter) if replace => counter.absolute(integer),
            Handle::Counter(counter) => counter.increment(integer),
            Handle::Float(counter) if replace => counter.absolute(float),
            Handle::Float(counter) => counter.increment(float),
            Handle::Gauge(gauge) if replace => gauge.set(float),
            Handle::Gauge(gauge) if times % 2 == 1 => gauge.decrement(float),
            Handle::Gauge(gauge) => gauge.increment(float),
            Handle::Histogram(histogram) if replace => histogram.record(float),
            Handle::Histogram(histogram) => histogram.record_many(float, times),
        }
        self.models[held.at].lock().unwrap().update(&held.place, update);
    }

    fn compare(&self) {
        for (at, (registry, model)) in self.registries.iter().zip(&self.models).enumerate() {
            let snapshot = registry.snapshot();
            let model = model.lock().unwrap();
            let (mut seen, mut expected) = (Picture::of(&snapshot), model.picture());
            if at == GLOBAL {
                // A literal call site asks once, and what belongs to no registry counts here.
                (seen.notices, expected.notices) = Default::default();
            }
            for picture in [&mut seen, &mut expected] {
                picture.blur();
            }
            assert_eq!(seen, expected, "left: registry {at}, right: its twin");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_registry_shows_what_its_naive_twin_shows(Plan { setups, rounds } in plan()) {
        let world = World::new(&setups);
        rounds.iter().for_each(|round| world.run(round));
        // Handles that are gone take nothing with them, and neither does reading.
        world.held.lock().unwrap().clear();
        world.compare();
        for registry in &world.registries[..GLOBAL] {
            let texts = [registry.snapshot(), registry.snapshot()].map(|s| expose::text(&s));
            assert_eq!(texts[0], texts[1]);
        }
    }
}

/// The twin takes exponential bounds from the crate; here they are checked against arithmetic.
#[test]
fn exponential_bounds_are_powers_of_a_root_of_two() {
    for (scheme, per_octave) in [(Scheme::Coarse, 1.0), (Scheme::Fine, 8.0)] {
        let bounds = scheme.buckets().bounds();
        for (step, bound) in bounds.iter().enumerate() {
            let exact = bounds[0] * 2f64.powf(step as f64 / per_octave);
            assert!((bound - exact).abs() <= exact * 1e-12, "{bound} is not {exact}");
        }
        assert!(bounds.len() > 10);
    }
}
