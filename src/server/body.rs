//! The body of a response: bytes that may be shared with other responses, or a stream of events.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::meters::Meters;
use crate::clock::since;
use crate::route::Reader;

/// The body of a response. Its bytes are shared: a page that many clients read at once is in
/// memory once.
#[derive(Debug)]
#[must_use = "a body that is not sent is lost"]
pub struct Body {
    bytes: Option<Bytes>,
    /// What goes on after the bytes, for as long as the client stays.
    events: Option<Reader>,
    /// Counted when all of the body was handed over to be sent, or when it is dropped before.
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
        let bytes = Some(bytes).filter(|bytes| !bytes.is_empty());
        Self { bytes, events: None, record: Some(record) }
    }

    pub(super) fn events(events: Reader, record: Record) -> Self {
        Self { bytes: None, events: Some(events), record: Some(record) }
    }

    pub(super) fn is_stream(&self) -> bool {
        self.events.is_some()
    }

    /// The bytes, all at once; none of a stream.
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
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(events) = &mut self.events else {
            return Poll::Ready(self.take().map(|bytes| Ok(Frame::data(bytes))));
        };
        events.poll_next(context).map(|event| Some(Ok(Frame::data(Bytes::from_owner(event?)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none() && self.events.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.events.is_some() {
            return SizeHint::default();
        }
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, Bytes::len) as u64)
    }
}
