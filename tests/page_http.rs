//! The live page over plain sockets: what guards it, what its files may do, and that all who look
//! get the same tick.
#![cfg(feature = "dashboard")]

mod http;

use std::io::BufRead;

use http::{Client, Endpoint};
use nissa::Registry;
use nissa::server::Server;

const TOKEN: &str = "Authorization: Bearer t0ken\r\n";

/// The files that a file of the page names.
fn named(text: &str) -> Vec<String> {
    let quoted = |start: &str, folder: &str| -> Vec<String> {
        let found = text.split(start).skip(1).filter_map(|rest| rest.split('"').next());
        found.map(|name| format!("{folder}{name}")).collect()
    };
    let mut files = quoted("src=\"page/", "/page/");
    files.extend(quoted("href=\"page/", "/page/"));
    files.extend(quoted("from \"./", "/page/"));
    files
}

/// Every file that a browser would fetch.
fn files(endpoint: &Endpoint) -> Vec<String> {
    let mut all = vec!["/".to_owned()];
    let mut next = 0;
    while let Some(path) = all.get(next) {
        let text = endpoint.connect().request("GET", path, TOKEN).text();
        all.extend(named(&text));
        let mut seen = std::collections::HashSet::new();
        all.retain(|path| seen.insert(path.clone()));
        next += 1;
    }
    all
}

#[test]
fn a_password_guards_the_page_its_data_and_its_events() {
    let endpoint = Endpoint::with(Server::new().token("t0ken"), |builder| builder.dashboard());
    let files = files(&endpoint);
    assert!(files.len() > 15, "{files:?}");
    let data = ["/api/live/series", "/api/live/tick", "/api/capacity", "/api/series", "/health"];
    for path in files.iter().map(String::as_str).chain(data).chain(["/api/live"]) {
        for wrong in ["", "Authorization: Bearer guess\r\n"] {
            let refused = endpoint.connect().request("GET", path, wrong);
            assert_eq!(refused.status, 401, "{path}");
            assert!(refused.body.len() < 100 && !refused.text().contains("jobs"), "{path}");
        }
    }
    for path in files.iter().map(String::as_str).chain(data) {
        assert_eq!(endpoint.connect().request("GET", path, TOKEN).status, 200, "{path}");
    }
    let mut events = endpoint.connect();
    events.send(format!("GET /api/live HTTP/1.1\r\nHost: test\r\n{TOKEN}\r\n"));
    assert_eq!(events.response().status, 200);
}

#[test]
fn its_files_run_nothing_but_one_another_and_are_sent_once() {
    let endpoint = Endpoint::with(Server::new(), |builder| builder.dashboard());
    for path in files(&endpoint) {
        let file = endpoint.get(&path);
        let policy = file.header("content-security-policy").unwrap();
        let own = "default-src 'none'; script-src 'self'; style-src 'self';";
        assert!(policy.starts_with(own) && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"), "{path}");
        let known = format!("If-None-Match: {}\r\n", file.header("etag").unwrap());
        let again = endpoint.connect().request("GET", &path, &known);
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        let packed = endpoint.connect().request("GET", &path, "Accept-Encoding: gzip\r\n");
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{path}");
        let mut text = String::new();
        let mut reader = flate2::read::GzDecoder::new(&*packed.body);
        std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
        assert_eq!(text, file.text(), "{path}");
    }
}

#[test]
fn fifty_pages_get_the_same_tick() {
    let registry = Registry::new();
    let jobs = registry.counter("jobs_total", &[]);
    let builder = nissa::builder().registry(registry).serve("127.0.0.1:0").dashboard();
    let monitor = builder.build().unwrap();
    let address = monitor.addresses()[0];
    let mut pages: Vec<Client> = (0..50).map(|_| Client::connect(address)).collect();
    for page in &mut pages {
        page.send("GET /api/live HTTP/1.1\r\nHost: test\r\n\r\n");
        // Whoever has been answered is a reader.
        assert_eq!(page.response().status, 200);
    }
    jobs.increment(1);
    monitor.tick();
    let ticks: Vec<String> = pages.iter_mut().map(event).collect();
    assert!(ticks[0].starts_with("data: {\"v\":1,\"n\":1,"), "{}", ticks[0]);
    assert!(ticks.iter().all(|tick| *tick == ticks[0]), "{ticks:?}");
    jobs.increment(2);
    monitor.tick();
    let next: Vec<String> = pages.iter_mut().map(event).collect();
    assert!(next[0].contains("\"n\":2,") && next[0].contains(",3]"), "{}", next[0]);
    assert!(next.iter().all(|tick| *tick == next[0]), "{next:?}");
}

/// The data of the next event.
fn event(page: &mut Client) -> String {
    loop {
        let mut line = String::new();
        assert!(page.stream.read_line(&mut line).unwrap() > 0, "it has ended");
        if line.starts_with("data: ") {
            return line;
        }
    }
}
