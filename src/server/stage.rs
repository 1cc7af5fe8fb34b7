//! The endpoint as a stage of the monitor: a thread with a runtime.

use std::io;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::watch;

use super::accept::{self, House};
use super::crowd::Crowd;
use super::handler::{Handler, Parts};
use super::listen::Bound;
use super::meters::{Meters, Refusal};
use super::settings::Server;
use crate::clock;
use crate::error::Error;
use crate::logging;
use crate::monitor::{Builder, Context, Stage};
use crate::thread::Worker;

impl Builder {
    /// Answers HTTP there, with the limits that [`Server`] has by itself: `/metrics`,
    /// `/metrics.json`, health, and what other stages answer. Further calls add endpoints, each
    /// with a thread of its own; one that listens on several addresses is a [`Server`].
    ///
    /// ```
    /// use std::io::{Read, Write};
    ///
    /// let registry = nissa::Registry::new();
    /// registry.counter("jobs_total", &[]).increment(3);
    /// let guard = nissa::builder().registry(registry).serve("127.0.0.1:0").start()?;
    ///
    /// let mut client = std::net::TcpStream::connect(guard.addresses()[0]).unwrap();
    /// client.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    /// let mut response = String::new();
    /// client.read_to_string(&mut response).unwrap();
    /// assert!(response.starts_with("HTTP/1.0 200 OK\r\n"));
    /// assert!(response.contains("\njobs_total 3\n"));
    /// # Ok::<(), nissa::Error>(())
    /// ```
    pub fn serve(self, address: impl Into<String>) -> Self {
        self.server(Server::new().listen(address))
    }

    /// Answers HTTP as these settings say.
    pub fn server(self, server: Server) -> Self {
        self.stage(Endpoint { server: Some(server), running: None })
    }
}

/// The stage.
#[derive(Debug)]
struct Endpoint {
    /// Until it starts.
    server: Option<Server>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    worker: Worker,
    house: Arc<House>,
    close: watch::Sender<bool>,
    drain: Duration,
    process: u32,
}

impl Stage for Endpoint {
    fn name(&self) -> &'static str {
        "server"
    }

    fn start(&mut self, context: &Context) -> Result<(), Error> {
        let Some(server) = self.server.take() else { return Ok(()) };
        if server.addresses.is_empty() {
            return Err(Error::setting("server: no address to listen on"));
        }
        let meters = Arc::new(Meters::new(context.registry()));
        let bound = bind(&server, &meters)?;
        bound.iter().filter_map(Bound::address).for_each(|address| context.listens(address));
        self.running = Some(run(server, bound, meters, context)?);
        Ok(())
    }

    fn stop(&mut self, limit: Duration) {
        let Some(running) = self.running.take() else { return };
        let deadline = clock::after(limit.min(running.drain.saturating_add(STOPPING)));
        let _ = running.close.send(true);
        running.worker.join(deadline.saturating_duration_since(clock::now()));
        running.house.handler.stop(deadline);
        if let Some(tls) = &running.house.tls {
            tls.stop(deadline);
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // A forked child has what the parent's threads had locked, and not the threads.
        if let Some(parents) = self.running.take_if(|it| it.process != std::process::id()) {
            std::mem::forget(parents);
        }
    }
}

/// What stopping may take beside the responses that are let end.
const STOPPING: Duration = Duration::from_millis(400);

/// Listens on all addresses, or on those that can be had.
fn bind(server: &Server, meters: &Meters) -> Result<Vec<Bound>, Error> {
    let mut bound = Vec::new();
    for address in &server.addresses {
        match Bound::new(address) {
            Ok(listener) => bound.push(listener),
            Err(error) if server.optional => {
                meters.refused(Refusal::Listen);
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                logging::warn!("{error}: {}", cause.unwrap_or_default());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(bound)
}

fn run(
    server: Server,
    bound: Vec<Bound>,
    meters: Arc<Meters>,
    context: &Context,
) -> Result<Running, Error> {
    let Server { limits, access, tls, .. } = server;
    let tls = tls.map(|tls| tls.acceptor(Arc::clone(&meters))).transpose()?;
    let crowd = Arc::new(Crowd::new(limits.connections, Arc::clone(&meters)));
    let readers = Arc::clone(&crowd);
    let relieve = Box::new(move || readers.evict_reader());
    let parts = Parts { meters, access, limits: limits.pages, relieve };
    let handler = Handler::from_parts(context.registry(), context.routes().iter().cloned(), parts);
    let (close, closing) = watch::channel(false);
    let house = Arc::new(House { handler, crowd, limits, tls, closing });
    let served = Arc::clone(&house);
    let (tell, told) = mpsc::channel();
    // The runtime is made and dropped in there: dropped in async code it would panic.
    let worker = Worker::spawn("nissa-http", move |_| {
        let outcome = start(bound);
        match outcome {
            Ok((runtime, listeners)) => {
                let _ = tell.send(Ok(()));
                runtime.block_on(accept::serve(served, listeners));
            }
            Err(error) => drop(tell.send(Err(error))),
        }
    })?;
    let failed = || Error::thread("nissa-http");
    told.recv().map_err(|_| failed())?.map_err(|error| failed().because(error))?;
    let process = std::process::id();
    Ok(Running { worker, house, close, drain: limits.drain, process })
}

fn start(bound: Vec<Bound>) -> io::Result<(tokio::runtime::Runtime, Vec<super::listen::Listener>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listeners = {
        let _inside = runtime.enter();
        bound.into_iter().map(Bound::listener).collect::<io::Result<_>>()?
    };
    Ok((runtime, listeners))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    /// Dropping any of it would take locks.
    #[test]
    fn of_the_parent_s_endpoint_a_child_drops_nothing() {
        let dropped_in = |process| {
            let (close, closing) = watch::channel(false);
            let worker = Worker::spawn("nissa-test", |_| ()).unwrap();
            let registry = Registry::new();
            let house = House {
                handler: Handler::new(&registry),
                crowd: Arc::new(Crowd::new(1, Arc::new(Meters::new(&registry)))),
                limits: Server::new().limits,
                tls: None,
                closing: closing.clone(),
            };
            let (house, drain) = (Arc::new(house), Duration::ZERO);
            let running = Running { worker, house, close, drain, process };
            drop(Endpoint { server: None, running: Some(running) });
            closing.has_changed().is_err()
        };
        assert!(dropped_in(std::process::id()));
        assert!(!dropped_in(std::process::id() + 1));
    }
}
