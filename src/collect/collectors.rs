//! Which collectors share a thread.

use std::fmt;

use super::Collector;
use crate::health;

/// Collectors that come together, and which of them share a thread. A collector by itself is one
/// thread; [`Host`](super::Host) is several.
///
/// ```
/// use nissa::Registry;
/// use nissa::collect::{Collector, Collectors, Failures, Runner};
///
/// struct Named(&'static str);
///
/// impl Collector for Named {
///     fn name(&self) -> &str {
///         self.0
///     }
///
///     fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
///         registry.gauge(self.0, &[]).set(1);
///         Ok(())
///     }
/// }
///
/// let registry = Registry::new();
/// let mut runner = Runner::new(&registry);
/// runner.add(Collectors::together([Named("queue"), Named("loader")]));
/// runner.collect();
/// assert_eq!(registry.snapshot().value("loader"), Some(1.0));
/// ```
#[derive(Default)]
pub struct Collectors {
    pub(super) threads: Vec<Vec<Box<dyn Collector>>>,
    pub(super) health: Vec<health::Source>,
}

impl Collectors {
    /// Several that share a thread. None of them should ever wait: the others wait with it.
    pub fn together<C: Collector + 'static>(collectors: impl IntoIterator<Item = C>) -> Self {
        let mut together = Self::default();
        together.thread(collectors.into_iter().map(|one| Box::new(one) as _).collect());
        together
    }

    /// Adds one that has a thread of its own.
    pub(crate) fn alone(&mut self, collector: impl Collector + 'static) {
        self.thread(vec![Box::new(collector)]);
    }

    /// Adds some that share a thread.
    pub(crate) fn thread(&mut self, collectors: Vec<Box<dyn Collector>>) {
        if !collectors.is_empty() {
            self.threads.push(collectors);
        }
    }

    /// Adds to `/health`.
    #[allow(dead_code, reason = "feature `host` is who calls it")]
    pub(crate) fn report(&mut self, source: health::Source) {
        self.health.push(source);
    }
}

impl<C: Collector + 'static> From<C> for Collectors {
    fn from(collector: C) -> Self {
        let mut collectors = Self::default();
        collectors.alone(collector);
        collectors
    }
}

impl fmt::Debug for Collectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |thread: &Vec<Box<dyn Collector>>| -> Vec<String> {
            thread.iter().map(|collector| collector.name().to_owned()).collect()
        };
        let threads: Vec<Vec<String>> = self.threads.iter().map(names).collect();
        f.debug_struct("Collectors").field("threads", &threads).finish_non_exhaustive()
    }
}
