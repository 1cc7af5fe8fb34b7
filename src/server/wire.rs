//! A connection's bytes on their way to and from hyper, watched.
//!
//! What comes in is shown to [`Framing`]; what goes out tells whether the client reads. Nothing is
//! changed or kept.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::crowd::{Doing, Member};
use super::framing::{Framing, Verdict};
use super::transport::Transport;
use crate::clock;
use crate::sync::Mutex;

/// A transport that is watched.
pub(super) struct Wire {
    transport: Box<dyn Transport>,
    watch: Arc<Watch>,
}

/// What is known of a connection, from both sides.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) member: Arc<Member>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    framing: Framing,
    /// Heads that hyper has and no answer was begun for.
    verdicts: VecDeque<Verdict>,
    /// Since when the client has not read enough.
    stalled: Option<Stall>,
}

#[derive(Clone, Copy, Debug)]
struct Stall {
    since: Instant,
    moved: usize,
}

/// A reader who takes so much within the time allowed is not stalled.
const ENOUGH: usize = 64 << 10;

impl Wire {
    pub(super) fn new(transport: Box<dyn Transport>, watch: Arc<Watch>) -> Self {
        Self { transport, watch }
    }

    /// The transport without the watch.
    pub(super) fn into_transport(self) -> Box<dyn Transport> {
        self.transport
    }
}

impl Watch {
    pub(super) fn new(member: Arc<Member>) -> Self {
        let state = State { framing: Framing::new(), verdicts: VecDeque::new(), stalled: None };
        Self { member, state: Mutex::new(state) }
    }

    /// What is to be thought of the request that hyper has just read, and how many more it has.
    pub(super) fn next(&self) -> (Option<Verdict>, usize) {
        let mut state = self.state.lock();
        self.member.turns_to(Doing::Waiting);
        (state.verdicts.pop_front(), state.verdicts.len())
    }

    /// The answer to the request is there, or the first of it.
    pub(super) fn answered(&self, stream: bool) {
        self.member.turns_to(if stream { Doing::Streaming } else { Doing::Reading });
    }

    /// Since when the client has taken less than it should have.
    pub(super) fn stalled_since(&self) -> Option<Instant> {
        self.state.lock().stalled.map(|stall| stall.since)
    }

    fn read(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        let State { framing, verdicts, .. } = &mut *state;
        framing.read(bytes, |verdict| verdicts.push_back(verdict));
        self.settle(&state);
    }

    /// While nothing is answered, a client is sending a request or between two.
    fn settle(&self, state: &State) {
        let phase = self.member.phase();
        if phase.doing == Doing::Idle && (state.framing.in_head() || !state.verdicts.is_empty()) {
            self.member.turns_to(Doing::Asking);
        }
    }

    fn wrote(&self, outcome: &Poll<io::Result<usize>>) {
        let mut state = self.state.lock();
        match outcome {
            Poll::Pending => {
                let fresh = || Stall { since: clock::now(), moved: 0 };
                state.stalled.get_or_insert_with(fresh);
            }
            Poll::Ready(Ok(written)) => {
                if let Some(stall) = &mut state.stalled {
                    stall.moved = stall.moved.saturating_add(*written);
                    if stall.moved >= ENOUGH {
                        state.stalled = None;
                    }
                }
            }
            Poll::Ready(Err(_)) => {}
        }
    }

    /// hyper has nothing left to write.
    fn flushed(&self) {
        let mut state = self.state.lock();
        state.stalled = None;
        if self.member.phase().doing == Doing::Reading {
            self.member.turns_to(Doing::Idle);
            self.settle(&state);
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.transport).poll_read(context, buffer);
        self.watch.read(buffer.filled().get(before..).unwrap_or_default());
        outcome
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.transport).poll_write(context, bytes);
        self.watch.wrote(&outcome);
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.transport).poll_write_vectored(context, pieces);
        self.watch.wrote(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.transport).poll_flush(context);
        if outcome.is_ready() {
            self.watch.flushed();
        }
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(context)
    }
}
