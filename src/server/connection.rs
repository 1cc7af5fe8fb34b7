//! One connection, from its first byte to the end.
//!
//! hyper reads requests and writes responses; this keeps time for it, and says goodbye in a way
//! that lets the client read what it was last told.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::accept::{House, until_closing};
use super::crowd::{Doing, Place};
use super::meters::Refusal;
use super::request;
use super::settings::Limits;
use super::transport::Transport;
use super::wire::{Watch, Wire};
use crate::clock;

/// Why a connection ended.
enum End {
    /// By itself.
    Done(Result<(), hyper::Error>),
    /// Others need its place.
    Evicted,
    /// It took too long; `None` if it only did nothing for long.
    Late(Option<Refusal>),
}

/// How long a client may take to notice that a connection is over, and how much may come from it
/// meanwhile.
const GOODBYE: Duration = Duration::from_secs(1);
const LAST_WORDS: usize = 256 << 10;

pub(super) async fn serve(house: Arc<House>, transport: Box<dyn Transport>, place: Place) {
    let Some(transport) = secure(&house, transport, &place).await else { return };
    let watch = Arc::new(Watch::new(Arc::clone(place.member())));
    let (end, mut transport, unread) = talk(&house, transport, &watch).await;
    if !conclude(end, &house, &mut transport, &unread).await {
        return;
    }
    let goodbye = unless(place.member().told_to_leave(), goodbye(transport));
    let _ = timeout(GOODBYE, until_closing(&house, goodbye)).await;
}

/// The transport as requests come over it; `None` if that could not be agreed upon.
async fn secure(
    house: &House,
    transport: Box<dyn Transport>,
    place: &Place,
) -> Option<Box<dyn Transport>> {
    let Some(tls) = &house.tls else { return Some(transport) };
    let left = place.member().told_to_leave();
    let handshake = timeout(house.limits.handshake_time, unless(left, tls.accept(transport)));
    match until_closing(house, handshake).await? {
        Ok(Some(Ok(secured))) => Some(secured),
        // Who was evicted is counted already.
        Ok(None) => None,
        Ok(Some(Err(_))) | Err(_) => {
            house.handler.meters().refused(Refusal::Handshake);
            None
        }
    }
}

/// Counts how a connection ended, and says what hyper could not say any more. False if nobody is
/// there to say goodbye to.
async fn conclude(
    end: End,
    house: &House,
    transport: &mut Box<dyn Transport>,
    unread: &[u8],
) -> bool {
    let meters = house.handler.meters();
    match end {
        End::Done(Ok(())) | End::Late(None) => {}
        End::Done(Err(error)) if error.is_parse_too_large() => {
            meters.answered_unread("431");
            meters.refused(Refusal::TooLarge);
        }
        // The one thing that hyper leaves without an answer.
        End::Done(Err(error)) if error.is_parse() && unread.starts_with(b"PRI * HTTP/2") => {
            meters.answered_unread("505");
            meters.refused(Refusal::Malformed);
            last_word(transport, "505 HTTP Version Not Supported", "only HTTP/1.1").await;
        }
        End::Done(Err(error)) if error.is_parse() => {
            meters.answered_unread("400");
            meters.refused(Refusal::Malformed);
        }
        // The client went away.
        End::Done(Err(_)) => return false,
        End::Late(Some(Refusal::SlowRequest)) => {
            meters.answered_unread("408");
            meters.refused(Refusal::SlowRequest);
            last_word(transport, "408 Request Timeout", "no whole request in time").await;
        }
        End::Late(Some(refusal)) => {
            meters.refused(refusal);
            transport.forget_unsent();
            return false;
        }
        End::Evicted => {
            transport.forget_unsent();
            return false;
        }
    }
    true
}

/// Has hyper talk until one of the ends; gives back the transport, and what hyper did not read.
async fn talk(
    house: &Arc<House>,
    transport: Box<dyn Transport>,
    watch: &Arc<Watch>,
) -> (End, Box<dyn Transport>, bytes::Bytes) {
    let service = service_fn(|request: Request<Incoming>| {
        let (house, watch) = (Arc::clone(house), Arc::clone(watch));
        Box::pin(async move { Ok::<_, Infallible>(request::answer(&house, &watch, request).await) })
    });
    let limits = &house.limits;
    let wire = TokioIo::new(Wire::new(transport, Arc::clone(watch)));
    let mut connection = http1::Builder::new()
        .half_close(true)
        .max_headers(limits.headers)
        .max_buf_size(limits.header_bytes)
        .serve_connection(wire, service);
    let end = {
        let mut closing = pin!(until_closing(house, std::future::pending::<()>()));
        let mut evicted = pin!(watch.member.told_to_leave());
        let mut late = pin!(late(watch, limits));
        let mut closed = false;
        poll_fn(|context| {
            if !closed && closing.as_mut().poll(context).is_ready() {
                closed = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            if let Poll::Ready(done) = connection.poll_without_shutdown(context) {
                return Poll::Ready(End::Done(done));
            }
            if evicted.as_mut().poll(context).is_ready() {
                return Poll::Ready(End::Evicted);
            }
            late.as_mut().poll(context).map(End::Late)
        })
        .await
    };
    let parts = connection.into_parts();
    (end, parts.io.into_inner().into_transport(), parts.read_buf)
}

/// Ends when the client has taken too long for what it is doing.
async fn late(watch: &Watch, limits: &Limits) -> Option<Refusal> {
    // What it does changes unseen, so whatever is due later is looked at again by then.
    let shortest = limits.header_time.min(limits.write_stall).min(limits.idle_time);
    let look = (shortest / 2).max(Duration::from_millis(1));
    loop {
        let now = clock::now();
        let next = match due(watch, limits) {
            Some((due, refusal)) if due <= now => return refusal,
            Some((due, _)) => due.min(clock::after(look)),
            None => clock::after(look),
        };
        tokio::time::sleep_until(next.into()).await;
    }
}

/// When the client is late, and with what.
fn due(watch: &Watch, limits: &Limits) -> Option<(Instant, Option<Refusal>)> {
    let phase = watch.member.phase();
    match phase.doing {
        // The answer has a limit of its own.
        Doing::Waiting => None,
        Doing::Idle => Some((phase.since.checked_add(limits.idle_time)?, None)),
        Doing::Asking => {
            Some((phase.since.checked_add(limits.header_time)?, Some(Refusal::SlowRequest)))
        }
        Doing::Reading | Doing::Streaming => {
            let whole = phase.since.checked_add(limits.response_time);
            let whole = whole.filter(|_| phase.doing == Doing::Reading);
            let stalled = watch.stalled_since().and_then(|it| it.checked_add(limits.write_stall));
            let due = [whole, stalled].into_iter().flatten().min()?;
            Some((due, Some(Refusal::SlowReader)))
        }
    }
}

/// A response that hyper cannot send any more.
async fn last_word(transport: &mut Box<dyn Transport>, status: &str, text: &str) {
    let length = text.len() + 1;
    let response = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {length}\r\n\r\n{text}\n"
    );
    // Who does not take it has not asked for it either.
    let _ = timeout(GOODBYE, transport.write_all(response.as_bytes())).await;
}

/// Says that no more comes, and waits for the client to say so too: a socket that is closed while
/// something unread has arrived takes the last response back.
async fn goodbye(mut transport: Box<dyn Transport>) {
    if transport.shutdown().await.is_err() {
        return;
    }
    let mut heard = 0;
    let mut ignored = [0; 4 << 10];
    while heard < LAST_WORDS {
        match transport.read(&mut ignored).await {
            Ok(0) | Err(_) => return,
            Ok(more) => heard += more,
        }
    }
}

/// The outcome of `work`, or `None` if `other` ends first.
async fn unless<T>(other: impl Future<Output = ()>, work: impl Future<Output = T>) -> Option<T> {
    let (mut other, mut work) = (pin!(other), pin!(work));
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => other.as_mut().poll(context).map(|()| None),
    })
    .await
}
