//! Where an endpoint can be started and stopped, how often, and by whom.

#![cfg(all(feature = "server", unix))]
#![allow(unsafe_code, reason = "fork has no safe wrapper")]

mod host;
mod http;

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use http::{Client, Endpoint, SOON};
use nissa::Registry;
use nissa::monitor::Stage;
use nissa::route::{Response, Route};
use nissa::server::Server;

fn serve(address: &str) -> Result<nissa::monitor::Guard, nissa::Error> {
    nissa::builder().registry(Registry::new()).serve(address).start()
}

fn answers(guard: &nissa::monitor::Guard) -> bool {
    Client::connect(guard.addresses()[0]).get("/metrics").status == 200
}

#[test]
fn an_address_that_cannot_be_had_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    // 192.0.2.0/24 is for documentation: no machine has an address there.
    for address in
        [&*taken, "192.0.2.1:0", "127.0.0.1", "127.0.0.1:99999", "", "unix:/no/such/dir/s"]
    {
        let error = serve(address).unwrap_err();
        assert!(error.is_listen(), "{address}: {error}");
        assert!(error.to_string().contains(address), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }
    assert!(nissa::builder().registry(Registry::new()).server(Server::new()).start().is_err());
}

#[test]
fn a_program_may_go_on_without_its_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::new().listen(taken.local_addr().unwrap().to_string()).optional();
    let endpoint = Endpoint::new(server);
    assert_eq!(endpoint.guard.addresses().len(), 1);
    assert_eq!(endpoint.rejected("listen"), 1.0);
    endpoint.scrape();
}

#[test]
fn an_error_leaves_nothing_running() {
    let good = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = good.local_addr().unwrap();
    drop(good);
    let server = Server::new().listen(address.to_string()).listen("127.0.0.1:99999");
    assert!(nissa::builder().registry(Registry::new()).server(server).start().is_err());
    assert!(TcpStream::connect(address).is_err());
    let guard = serve(&address.to_string()).unwrap();
    assert!(answers(&guard));
}

#[test]
fn stopped_it_is_gone_and_can_be_started_again() {
    let guard = serve("127.0.0.1:0").unwrap();
    let address = guard.addresses()[0];
    let mut idle = Client::connect(address);
    assert_eq!(idle.get("/metrics").status, 200);
    let start = Instant::now();
    assert!(guard.shutdown());
    assert!(start.elapsed() < SOON);
    assert!(idle.is_closed());
    assert!(TcpStream::connect(address).is_err());
    let again = serve(&address.to_string()).unwrap();
    assert!(answers(&again));
}

struct Slow(Route);

impl Stage for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn routes(&self) -> Vec<Route> {
        vec![self.0.clone()]
    }
}

/// A route that answers when it is let, and says that it has begun.
fn slow() -> (Slow, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (release, held) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let held = std::sync::Mutex::new(held);
    let route = Route::get("/slow", move |_| {
        begin.send(()).unwrap();
        let _ = held.lock().unwrap().recv();
        Response::text(200, "done")
    });
    (Slow(route), begun, release)
}

#[test]
fn an_answer_that_is_under_way_is_still_sent() {
    let (stage, begun, release) = slow();
    let server = Server::new().drain(SOON).answer_time(SOON);
    let endpoint = Endpoint::with(server, |builder| builder.shutdown_timeout(SOON).stage(stage));
    let mut client = endpoint.connect();
    client.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
    begun.recv_timeout(SOON).unwrap();
    let address = endpoint.address();
    let stopping = std::thread::spawn(move || endpoint.guard.shutdown());
    http::eventually("it accepts nobody", || TcpStream::connect(address).is_err());
    release.send(()).unwrap();
    let response = client.response();
    assert_eq!((response.status, &*response.text()), (200, "done"));
    assert!(client.is_closed());
    assert!(stopping.join().unwrap());
}

/// A route that hangs for ever keeps nobody from stopping.
#[test]
fn what_hangs_is_left_behind() {
    let (stage, begun, _release) = slow();
    let server = Server::new().drain(Duration::from_millis(50));
    let endpoint = Endpoint::with(server, |builder| builder.stage(stage));
    let mut client = endpoint.connect();
    client.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
    begun.recv_timeout(SOON).unwrap();
    let start = Instant::now();
    drop(endpoint);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(client.is_closed());
}

#[test]
fn inside_a_runtime_of_the_program_s() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let guard = serve("127.0.0.1:0").unwrap();
        assert!(answers(&guard));
        let nested = tokio::spawn(async { serve("127.0.0.1:0").unwrap() }).await.unwrap();
        assert!(answers(&nested));
        drop(guard);
        assert!(nested.shutdown());
        // An error is made, and what was begun is dropped, in here too.
        assert!(serve("127.0.0.1:99999").is_err());
    });
}

#[test]
fn installed_twice_and_again_after_the_drop() {
    let install = || nissa::builder().serve("127.0.0.1:0").install();
    let first = install().unwrap();
    assert!(install().unwrap_err().is_installed());
    assert!(answers(&first), "the first one goes on");
    nissa::counter!("jobs_total").increment(1);
    drop(first);
    nissa::counter!("jobs_total").increment(1);
    let second = install().unwrap();
    let page = Client::connect(second.addresses()[0]).get("/metrics").text();
    assert!(page.contains("\njobs_total 2\n"), "{page}");
}

#[test]
fn several_endpoints_and_any_order_of_dropping() {
    let mut guards: Vec<_> = (0..4).map(|_| serve("127.0.0.1:0").unwrap()).collect();
    for index in [2, 0, 1, 0] {
        assert!(guards.iter().all(answers));
        drop(guards.remove(index));
    }
}

#[test]
fn dropped_by_a_route_of_its_own() {
    let (give, got) = mpsc::channel::<nissa::monitor::Guard>();
    let (tell, told) = mpsc::channel();
    let got = std::sync::Mutex::new(got);
    let route = Route::get("/stop", move |_| {
        let guard = got.lock().unwrap().recv().unwrap();
        drop(guard);
        let _ = tell.send(());
        Response::text(200, "stopped")
    });
    let builder = nissa::builder().registry(Registry::new()).stage(Slow(route));
    let server = Server::new().listen("127.0.0.1:0").drain(Duration::from_millis(10));
    let guard = builder.server(server).start().unwrap();
    let mut client = Client::connect(guard.addresses()[0]);
    client.send("GET /stop HTTP/1.1\r\nHost: test\r\n\r\n");
    give.send(guard).unwrap();
    told.recv_timeout(SOON).unwrap();
    assert!(client.is_closed());
}

/// The child has the socket and no thread: it must not hang, whatever it does with the guard, and
/// the parent goes on.
#[test]
fn a_forked_child_does_not_answer() {
    const TEST: &str = "a_forked_child_does_not_answer";
    if host::scenario().is_none() {
        return host::play(TEST, TEST, 2 * SOON);
    }
    let endpoint = Endpoint::new(Server::new());
    endpoint.scrape();
    let address = endpoint.address();
    // SAFETY: the child records, drops the guard and ends without returning to the harness.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        endpoint.registry.counter("jobs_total", &[]).increment(100);
        drop(endpoint);
        // SAFETY: always allowed.
        unsafe { libc::_exit(0) };
    }
    let mut status = -1;
    http::eventually("the child ends", || {
        // SAFETY: `status` is a place for the answer about a child that is ours.
        unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) == child }
    });
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status}");
    for _ in 0..20 {
        assert!(endpoint.scrape().contains("\njobs_total 3\n"), "the parent's, not the child's");
    }
    // SAFETY: the child waits to be killed.
    let child = unsafe { libc::fork() };
    if child == 0 {
        loop {
            // SAFETY: always allowed.
            unsafe { libc::pause() };
        }
    }
    drop(endpoint);
    let refused = TcpStream::connect(address).is_err();
    // SAFETY: the child is ours.
    unsafe {
        libc::kill(child, libc::SIGKILL);
        libc::waitpid(child, &mut status, 0);
    }
    assert!(refused, "the port is free though a child has its socket");
}

/// A program may end without stopping anything, in the midst of an answer.
#[test]
fn a_program_that_just_ends() {
    const TEST: &str = "a_program_that_just_ends";
    if host::scenario().is_none() {
        return host::play(TEST, TEST, 2 * SOON);
    }
    let (stage, begun, release) = slow();
    let endpoint = Endpoint::with(Server::new(), |builder| builder.stage(stage));
    let mut client = endpoint.connect();
    client.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
    begun.recv_timeout(SOON).unwrap();
    std::mem::forget((endpoint, release));
}

/// Also when nobody ever connected, so that nothing holds up the end.
#[test]
fn a_child_keeps_no_port_open() {
    const TEST: &str = "a_child_keeps_no_port_open";
    if host::scenario().is_none() {
        return host::play(TEST, TEST, 2 * SOON);
    }
    for round in 0..10 {
        let guard = serve("127.0.0.1:0").unwrap();
        // SAFETY: the child waits to be killed.
        let child = unsafe { libc::fork() };
        if child == 0 {
            loop {
                // SAFETY: always allowed.
                unsafe { libc::pause() };
            }
        }
        let address = guard.addresses()[0];
        drop(guard);
        let refused = TcpStream::connect(address).is_err();
        // SAFETY: the child is ours.
        unsafe {
            libc::kill(child, libc::SIGKILL);
            libc::waitpid(child, &mut 0, 0);
        }
        assert!(refused, "round {round}");
    }
}

/// Nothing is printed, so closed standard streams harm nobody.
#[test]
fn without_standard_streams() {
    const TEST: &str = "without_standard_streams";
    if host::scenario().is_none() {
        return host::play(TEST, TEST, 2 * SOON);
    }
    // SAFETY: nothing in this process needs them.
    unsafe {
        libc::close(1);
        libc::close(2);
    }
    let endpoint = Endpoint::new(Server::new());
    endpoint.connect().send("nonsense\r\n\r\n").response();
    endpoint.scrape();
}
