//! The answer that is awaited.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;

use super::body::MeasuredBody;
use super::request::Underway;

pin_project! {
    /// The answer of a [`Measured`](super::Measured) service.
    #[must_use = "a future does nothing until it is awaited"]
    pub struct MeasuredFuture<F> {
        #[pin]
        inner: F,
        // Goes on to the body, so that what is dropped before is counted too.
        underway: Option<Underway>,
    }
}

impl<F> MeasuredFuture<F> {
    pub(super) fn new(inner: F, underway: Underway) -> Self {
        Self { inner, underway: Some(underway) }
    }
}

impl<F, B, E> Future for MeasuredFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<MeasuredBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(context));
        let mut underway = this.underway.take();
        Poll::Ready(answer.map(|response| {
            if let Some(underway) = &mut underway {
                underway.answered(response.status());
            }
            response.map(|body| MeasuredBody::new(body, underway))
        }))
    }
}

impl<F> fmt::Debug for MeasuredFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasuredFuture").field("underway", &self.underway).finish_non_exhaustive()
    }
}
