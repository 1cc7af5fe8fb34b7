//! What is shown of something that may not answer.
//!
//! A filesystem whose server is away, or a sensor, holds who asks for as long as it likes, and with
//! it the thread that would take the old figures back. So another thread looks at the time and
//! takes them out of the output.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Collector, Failures};
use crate::clock;
use crate::registry::Registry;
use crate::sync::{Mutex, MutexGuard};

/// Longer than any disk or sensor that is well takes.
pub(crate) const HUNG: Duration = Duration::from_secs(30);

/// Figures of something that may hang. Locked for a moment only, never while it is asked.
#[derive(Debug)]
pub(crate) struct MayHang<S>(Arc<Mutex<State<S>>>);

#[derive(Debug)]
pub(crate) struct State<S> {
    pub(crate) shown: S,
    /// When something was asked that has not answered yet.
    asked: Option<Instant>,
}

/// What can be taken out of the output.
pub(crate) trait Clear: Send {
    fn clear(&mut self);
}

/// What another thread looks at.
pub(crate) trait Watched: Send {
    /// Takes everything out of the output if there has been no answer for long.
    fn clear_if_hung(&self, now: Instant);
}

impl<S: Clear> MayHang<S> {
    pub(crate) fn new(shown: S) -> Self {
        Self(Arc::new(Mutex::new(State { shown, asked: None })))
    }

    /// Does what may hang.
    pub(crate) fn ask<T>(&self, ask: impl FnOnce() -> T) -> T {
        self.lock().asked = Some(clock::now());
        let answer = ask();
        self.lock().asked = None;
        answer
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.0.lock()
    }

    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.shown.clear();
        state.asked = None;
    }

    /// For the thread that looks.
    pub(crate) fn watched(&self) -> Box<dyn Watched>
    where
        S: 'static,
    {
        Box::new(self.clone())
    }
}

impl<S> Clone for MayHang<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Clear> Watched for MayHang<S> {
    fn clear_if_hung(&self, now: Instant) {
        let mut state = self.lock();
        if state.asked.is_some_and(|asked| now.saturating_duration_since(asked) > HUNG) {
            state.shown.clear();
        }
    }
}

/// A collector in another thread, which looks each time whether something hangs.
pub(crate) struct Watching {
    collector: Box<dyn Collector>,
    watched: Vec<Box<dyn Watched>>,
}

impl Watching {
    pub(crate) fn new(collector: Box<dyn Collector>, watched: Vec<Box<dyn Watched>>) -> Self {
        Self { collector, watched }
    }

    /// One of the collectors of a quick thread is to look; where there is none, one that does
    /// nothing else.
    pub(crate) fn join(
        quick: &mut Vec<Box<dyn Collector>>,
        watched: Vec<Box<dyn Watched>>,
        interval: Duration,
    ) {
        if !watched.is_empty() {
            let collector = quick.pop().unwrap_or_else(|| Box::new(Idle(interval)));
            quick.push(Box::new(Self::new(collector, watched)));
        }
    }

    fn look(&self, now: Instant) {
        self.watched.iter().for_each(|watched| watched.clear_if_hung(now));
    }
}

impl Collector for Watching {
    fn name(&self) -> &str {
        self.collector.name()
    }

    fn interval(&self) -> Duration {
        self.collector.interval()
    }

    fn collect(&mut self, registry: &Registry) -> Result<(), Failures> {
        self.look(clock::now());
        self.collector.collect(registry)
    }

    fn clear(&mut self) {
        self.collector.clear();
    }
}

struct Idle(Duration);

impl Collector for Idle {
    fn name(&self) -> &str {
        "watch"
    }

    fn interval(&self) -> Duration {
        self.0
    }

    fn collect(&mut self, _: &Registry) -> Result<(), Failures> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Observed;

    impl Clear for Observed<f64> {
        fn clear(&mut self) {
            Observed::clear(self);
        }
    }

    #[test]
    fn what_hangs_is_out_of_the_output_and_comes_back() {
        let registry = Registry::new();
        let celsius = || registry.snapshot().value("celsius");
        let sensor = MayHang::new(registry.observed_gauge("celsius", &[]));
        let idle = Box::new(Idle(Duration::from_secs(1)));
        let mut watching = Watching::new(idle, vec![sensor.watched()]);
        sensor.ask(|| {});
        sensor.lock().shown.set(40.0);
        let later = clock::now() + HUNG * 2;
        watching.look(later);
        assert_eq!(celsius(), Some(40.0));
        sensor.ask(|| {
            watching.collect(&registry).unwrap();
            assert_eq!(celsius(), Some(40.0));
            watching.look(later);
            assert_eq!(celsius(), None);
        });
        sensor.lock().shown.set(41.0);
        watching.look(later);
        assert_eq!(celsius(), Some(41.0));
    }

    #[test]
    fn one_of_a_quick_thread_looks_or_one_that_does_nothing_else() {
        let sensor = MayHang::new(Observed::noop());
        let mut quick = Vec::new();
        Watching::join(&mut quick, Vec::new(), HUNG);
        assert_eq!(quick.len(), 0);
        for _ in 0..2 {
            Watching::join(&mut quick, vec![sensor.watched()], HUNG);
            assert_eq!((quick.len(), quick[0].interval()), (1, HUNG));
        }
    }
}
