//! Durations, in seconds: a guard and a future.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::Histogram;
use crate::clock;

/// Records the seconds from its making to its drop.
///
/// ```
/// let registry = nissa::Registry::new();
/// let steps = registry.histogram("step_duration_seconds", &[]);
/// {
///     let _timer = steps.start_timer();
/// } // recorded here
/// steps.start_timer().discard(); // never recorded
/// assert_eq!(registry.snapshot().distribution("step_duration_seconds").unwrap().count(), 1);
/// ```
#[derive(Debug)]
#[must_use = "a timer that is not kept records nothing but its own making"]
pub struct Timer {
    histogram: Option<Histogram>,
    start: Instant,
}

impl Timer {
    pub(super) fn new(histogram: Histogram) -> Self {
        Self { histogram: Some(histogram), start: clock::now() }
    }

    /// The time since the timer was made.
    pub fn elapsed(&self) -> Duration {
        clock::since(self.start)
    }

    /// Ends the timer without recording it.
    pub fn discard(mut self) {
        self.histogram = None;
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(histogram) = &self.histogram {
            histogram.record(clock::since(self.start));
        }
    }
}

/// Adds [`timed`](Self::timed) to every future.
///
/// ```
/// use nissa::Timed;
///
/// let registry = nissa::Registry::new();
/// let queries = registry.histogram("query_duration_seconds", &[]);
/// let answer = async { 42 }.timed(&queries);
/// # let answer = {
/// #     let mut answer = Box::pin(answer);
/// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #     match answer.as_mut().poll(&mut context) {
/// #         std::task::Poll::Ready(answer) => answer,
/// #         std::task::Poll::Pending => unreachable!(),
/// #     }
/// # };
/// # use std::future::Future;
/// assert_eq!(answer, 42); // once awaited
/// assert_eq!(registry.snapshot().distribution("query_duration_seconds").unwrap().count(), 1);
/// ```
pub trait Timed: Future + Sized {
    /// Records the seconds from the first poll until the future is done or dropped.
    fn timed(self, histogram: &Histogram) -> TimedFuture<Self> {
        TimedFuture { future: self, histogram: histogram.clone(), timer: None }
    }
}

impl<F: Future> Timed for F {}

pin_project_lite::pin_project! {
    /// A future that records how long it ran; see [`Timed::timed`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct TimedFuture<F> {
        #[pin]
        future: F,
        histogram: Histogram,
        timer: Option<Timer>,
    }
}

impl<F: Future> Future for TimedFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if this.timer.is_none() {
            *this.timer = Some(this.histogram.start_timer());
        }
        let output = this.future.poll(context);
        if output.is_ready() {
            *this.timer = None;
        }
        output
    }
}
