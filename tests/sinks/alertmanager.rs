//! A real Alertmanager takes what it is sent, lists it, and knows when it is over.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use nissa::alert::Alertmanager;
use serde_json::Value;

use crate::{Program, SOON};

/// The server, stopped when this goes.
struct Server {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// `None` where it is not installed and need not be.
fn start(name: &str) -> Option<Server> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/tools/servers/bin/prometheus-alertmanager");
    if !program.exists() {
        let is = |name, value| env::var(name).is_ok_and(|v| v == value);
        let required = is("CI", "true") || is("NISSA_REQUIRE_TOOLS", "1");
        assert!(!required, "no Alertmanager: run scripts/servers.sh");
        println!("skipped: no Alertmanager, scripts/servers.sh fetches it");
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("alertmanager_{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let config = folder.join("config.yml");
    fs::write(&config, "route: {receiver: none}\nreceivers: [{name: none}]\n").unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new(program)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", folder.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut server = Server { child, port, folder };
    let mut log = BufReader::new(server.child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Listening on") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "it did not start");
    }
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    Some(server)
}

impl Server {
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn alerts(&self) -> Vec<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let get = "GET /api/v2/alerts HTTP/1.0\r\nhost: x\r\n\r\n";
        stream.write_all(get.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        serde_json::from_str(body).unwrap()
    }

    /// Waits until the list of alerts is as it should be.
    fn wait(&self, what: &str, is: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + SOON;
        loop {
            let alerts = self.alerts();
            if is(&alerts) {
                return alerts;
            }
            assert!(Instant::now() < deadline, "{what}: {alerts:?}");
        }
    }
}

#[test]
fn a_real_one_lists_what_fires_and_forgets_what_is_over() {
    let Some(server) = start("real") else { return };
    let manager = Alertmanager::new(&server.url()).unwrap();
    let manager = manager.label("cluster", "north").label("bad-name", "kept").label("none", "");
    let program = Program::new(|builder| builder.alertmanager(manager));
    program.tick(1200.0);
    program.wait_for("alertmanager", "sent", 1.0);
    let alerts = server.wait("it is listed", |alerts| alerts.len() == 1);
    let labels = &alerts[0]["labels"];
    assert_eq!(labels["alertname"], "queue_depth");
    assert_eq!(labels["queue"], "mail \"now\"");
    assert_eq!((&labels["severity"], &labels["cluster"]), (&"critical".into(), &"north".into()));
    assert_eq!((&labels["bad_name"], &labels["none"]), (&"kept".into(), &Value::Null));
    let annotations = &alerts[0]["annotations"];
    assert_eq!(annotations["action"], "add workers");
    assert_eq!(annotations["description"], "above 1000");

    program.resolve();
    program.wait_for("alertmanager", "sent", 2.0);
    server.wait("it is over", <[Value]>::is_empty);
}

#[test]
fn what_fires_is_sent_again() {
    let Some(server) = start("repeat") else { return };
    let manager = Alertmanager::new(&server.url()).unwrap().repeat(Duration::from_millis(200));
    let program = Program::new(|builder| builder.alertmanager(manager));
    program.tick(1200.0);
    program.wait_for("alertmanager", "sent", 4.0);
    assert_eq!(server.alerts().len(), 1);
}

#[test]
fn labels_that_an_alert_needs_for_itself_are_kept_beside_it() {
    let Some(server) = start("exported") else { return };
    let manager = Alertmanager::new(&server.url()).unwrap();
    let manager = manager.label("severity", "none").label("exported_severity", "none");
    let program = Program::new(|builder| builder.alertmanager(manager));
    let labels = [
        ("alertname", "of the series"),
        ("exported_metric", "taken already"),
        ("metric", "degrees"),
        ("severity", "9"),
    ];
    program.registry.gauge("queue_depth", &labels).set(1200.0);
    program.tick(0.0);
    program.wait_for("alertmanager", "sent", 1.0);
    let alerts = server.wait("it is listed", |alerts| alerts.len() == 1);
    let expected = serde_json::json!({
        "alertname": "queue_depth",
        "metric": "queue_depth",
        "severity": "critical",
        "exported_alertname": "of the series",
        "exported_exported_metric": "degrees",
        "exported_metric": "taken already",
        "exported_severity": "9",
    });
    assert_eq!(alerts[0]["labels"], expected);
}
