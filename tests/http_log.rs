//! What the endpoint logs: a line for each cause, however often it happens.

#![cfg(all(feature = "server", feature = "log"))]

mod http;

use std::sync::Mutex;

use http::Endpoint;
use nissa::server::Server;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Keeper;

impl log::Log for Keeper {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target() == "nissa"
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            LINES.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

#[test]
fn a_line_for_each_cause() {
    log::set_logger(&Keeper).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let endpoint = Endpoint::new(Server::new().user("ann", "hunter2"));
    for _ in 0..50 {
        endpoint.connect().send("nonsense\r\n\r\n").response();
        assert_eq!(endpoint.get("/metrics").status, 401);
    }
    endpoint.wait_for_rejected("malformed", 50.0);
    assert_eq!(endpoint.rejected("unauthorized"), 50.0);
    let lines = LINES.lock().unwrap();
    let about = |reason: &str| lines.iter().filter(|line| line.contains(reason)).count();
    assert_eq!((about("\"malformed\""), about("\"unauthorized\"")), (1, 1), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains("hunter2") && !line.contains("nonsense")));
}
