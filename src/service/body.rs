//! The answer that is being sent.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::request::Underway;

pin_project! {
    /// The body of a [`Measured`](super::Measured) service's answer. The request ends with it: when
    /// its last frame was taken, or when it is dropped, which is what becomes of an empty one.
    #[must_use = "a body that is not sent is lost"]
    pub struct MeasuredBody<B> {
        #[pin]
        inner: B,
        underway: Option<Underway>,
    }
}

impl<B> MeasuredBody<B> {
    pub(super) fn new(inner: B, underway: Option<Underway>) -> Self {
        Self { inner, underway }
    }
}

impl<B: Body> Body for MeasuredBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let polled = this.inner.poll_frame(context);
        // A body that failed is not asked for more.
        if let Poll::Ready(None | Some(Err(_))) = polled {
            *this.underway = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> fmt::Debug for MeasuredBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasuredBody").field("underway", &self.underway).finish_non_exhaustive()
    }
}
