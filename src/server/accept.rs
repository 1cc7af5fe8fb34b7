//! Takes connections in, within the limits, and out again at the end.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;

use super::connection;
use super::crowd::Crowd;
use super::handler::Handler;
use super::listen::Listener;
use super::meters::Refusal;
use super::settings::Limits;
use super::tls::Acceptor;

/// What all connections of a server share.
#[derive(Debug)]
pub(super) struct House {
    pub(super) handler: Handler,
    pub(super) crowd: Arc<Crowd>,
    pub(super) limits: Limits,
    pub(super) tls: Option<Acceptor>,
    /// Turns true when everybody is to go.
    pub(super) closing: watch::Receiver<bool>,
}

/// Waiting times after the system refused a connection: without them a process that is out of
/// file descriptors would spin, because the connection that waits stays there.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(500);
/// How often memory and certificates are looked after.
const HOUSEKEEPING: Duration = Duration::from_secs(20);

/// Serves until closed, then lets responses end for as long as the limit says.
pub(super) async fn serve(house: Arc<House>, listeners: Vec<Listener>) {
    let open = |listener| tokio::spawn(accept(Arc::clone(&house), listener));
    let doors: Vec<_> = listeners.into_iter().map(open).collect();
    let look = house.tls.as_ref().map_or(HOUSEKEEPING, |tls| tls.look().min(HOUSEKEEPING));
    while until_closing(&house, tokio::time::sleep(look)).await.is_some() {
        house.handler.trim();
        house.tls.iter().for_each(Acceptor::renew);
    }
    // The runtime goes with this task, and nobody would hang up.
    for door in doors {
        let _ = door.await;
    }
    let _ = tokio::time::timeout(house.limits.drain, house.crowd.emptied()).await;
}

async fn accept(house: Arc<House>, listener: Listener) {
    let mut pause = SHORTEST;
    while let Some(accepted) = until_closing(&house, listener.accept()).await {
        match accepted {
            Ok((transport, peer)) => {
                pause = SHORTEST;
                if let Some(place) = house.crowd.admit(peer) {
                    tokio::spawn(connection::serve(Arc::clone(&house), transport, place));
                }
            }
            Err(error) if is_the_client_s(&error) => {}
            Err(_) => {
                if listener.has_waiting() {
                    house.handler.meters().refused(Refusal::Accept);
                    // A file descriptor that nobody needs may be the one that is missing.
                    house.crowd.evict_silent();
                }
                if until_closing(&house, tokio::time::sleep(pause)).await.is_none() {
                    break;
                }
                pause = (pause * 2).min(LONGEST);
            }
        }
    }
    listener.hang_up();
}

/// Whether it was that one connection that failed, and the next may be tried at once.
fn is_the_client_s(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    [ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted].contains(&error.kind())
}

/// The outcome of `work`, or `None` if the house is closed first.
pub(super) async fn until_closing<T>(house: &House, work: impl Future<Output = T>) -> Option<T> {
    let mut closing = house.closing.clone();
    let mut closed = pin!(async move { closing.wait_for(|closing| *closing).await.is_ok() });
    let mut work = pin!(work);
    poll_fn(|context| {
        // Whoever could close it and is gone has closed it.
        if closed.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        work.as_mut().poll(context).map(Some)
    })
    .await
}
