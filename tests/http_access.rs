//! Tokens and passwords over real sockets.

#![cfg(feature = "server")]

mod http;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Endpoint;
use nissa::server::{PasswordHash, Server};

fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn status(endpoint: &Endpoint, path: &str, header: &str) -> u16 {
    endpoint.connect().request("GET", path, header).status
}

#[test]
fn without_a_password_there_is_nothing_to_see() {
    let server = Server::new().token("t0ken").user("ann", "secret").open("/live").open("/");
    let endpoint = Endpoint::new(server);
    for path in ["/metrics", "/metrics.json", "/health", "/nothing", "/live/", "//live", "/LIVE"] {
        assert_eq!(status(&endpoint, path, ""), 401, "{path}");
        assert_eq!(status(&endpoint, path, &bearer("guess")), 401, "{path}");
        assert_eq!(status(&endpoint, path, &basic("ann", "guess")), 401, "{path}");
    }
    for right in [bearer("t0ken"), basic("ann", "secret")] {
        assert_eq!(status(&endpoint, "/metrics", &right), 200);
        assert_eq!(status(&endpoint, "/nothing", &right), 404);
    }
    assert_eq!((status(&endpoint, "/live", ""), status(&endpoint, "/", "")), (200, 200));
    let refused = endpoint.get("/metrics");
    assert!(refused.header("www-authenticate").unwrap().starts_with("Basic "));
    assert!(!refused.text().contains("jobs_total"));
    assert!(endpoint.rejected("unauthorized") >= 21.0);
    let posted = endpoint.connect().request("POST", "/metrics", "");
    assert_eq!(posted.status, 401, "methods are told after passwords too");
}

#[test]
fn a_hashed_password_is_slow_once() {
    let hash: PasswordHash =
        PasswordHash::with_iterations("secret", 2000).to_string().parse().unwrap();
    let endpoint = Endpoint::new(Server::new().user_hash("ann", hash));
    let mut client = endpoint.connect();
    for _ in 0..200 {
        assert_eq!(client.request("GET", "/metrics", &basic("ann", "secret")).status, 200);
    }
    assert_eq!(client.request("GET", "/metrics", &basic("ann", "Secret")).status, 401);
    assert_eq!(client.request("GET", "/metrics", &basic("bob", "secret")).status, 401);
}

/// Each wrong guess costs a thread the slow hash; who knows the password does not wait for it.
#[test]
fn guessing_does_not_keep_out_who_knows() {
    let hash = PasswordHash::with_iterations("secret", 2000);
    let server = Server::new().user_hash("ann", hash).open("/live");
    let endpoint = Endpoint::new(server);
    let right = basic("ann", "secret");
    assert_eq!(status(&endpoint, "/metrics", &right), 200);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for guesser in 0..8 {
            let (endpoint, done) = (&endpoint, &done);
            scope.spawn(move || {
                let mut guess = 0;
                while !done.load(Relaxed) {
                    guess += 1;
                    let header = basic("ann", &format!("{guesser}-{guess}"));
                    let status = status(endpoint, "/metrics", &header);
                    assert!([401, 503].contains(&status), "{status}");
                }
            });
        }
        for _ in 0..50 {
            assert_eq!(status(&endpoint, "/metrics", &right), 200);
            assert_eq!(status(&endpoint, "/live", ""), 200);
        }
        done.store(true, Relaxed);
    });
}

#[test]
fn odd_headers_are_no_way_in() {
    let endpoint = Endpoint::new(Server::new().user("ann", "secret"));
    for header in [
        "Authorization:\r\n",
        "Authorization: Basic\r\n",
        "Authorization: Basic ====\r\n",
        "Authorization: Basic Og==\r\n",
        "Authorization: Basic \u{ff}\u{fe}\r\n",
        "Authorization: Bearer secret\r\n",
        &format!("Authorization: Basic {}\r\n", STANDARD.encode("ann")),
        &format!("Authorization: Basic {}\r\n", STANDARD.encode("ann:secret\0")),
        &format!("Authorization: Basic {}\r\n", STANDARD.encode([0xff; 3000])),
        // The first of two counts.
        &(basic("ann", "wrong") + &basic("ann", "secret")),
    ] {
        assert_eq!(status(&endpoint, "/metrics", header), 401, "{header:?}");
    }
}
