//! The body of a response: bytes that may be shared with other responses.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::meters::Meters;
use crate::clock::since;

/// The body of a response. Its bytes are shared: a page that many clients read at once is in
/// memory once.
#[derive(Debug)]
#[must_use = "a body that is not sent is lost"]
pub struct Body {
    bytes: Option<Bytes>,
    /// Counted when the body is dropped, which is when the client has all of it or is gone.
    record: Option<Record>,
}

/// What is known of a request when its response begins.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) meters: Arc<Meters>,
    pub(super) route: &'static str,
    pub(super) code: u16,
    pub(super) began: Instant,
}

impl Body {
    pub(super) fn new(bytes: Bytes, record: Record) -> Self {
        Self { bytes: Some(bytes).filter(|bytes| !bytes.is_empty()), record: Some(record) }
    }

    /// The bytes, all at once.
    pub fn into_bytes(mut self) -> Bytes {
        self.take().unwrap_or_default()
    }

    fn take(&mut self) -> Option<Bytes> {
        let bytes = self.bytes.take()?;
        self.count(bytes.len());
        Some(bytes)
    }

    fn count(&mut self, bytes: usize) {
        if let Some(Record { meters, route, code, began }) = self.record.take() {
            meters.answered(route, code, bytes as u64, since(began));
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.count(0);
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, Bytes::len) as u64)
    }
}
