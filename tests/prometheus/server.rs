//! A real Prometheus on a free port, and programs it scrapes.

#![allow(unreachable_pub, reason = "a module of a test binary")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread::JoinHandle;

use serde_json::Value;

use super::http::{SOON, eventually};

/// Where `scripts/setup.sh` puts it, or `NISSA_PROMETHEUS`.
pub fn find() -> Option<PathBuf> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/servers/bin/prometheus");
    let program = std::env::var_os("NISSA_PROMETHEUS").map_or(usual, PathBuf::from);
    let version = Command::new(&program).arg("--version").output();
    let version = version.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    let version = String::from_utf8_lossy(&version).into_owned();
    let major =
        version.strip_prefix("prometheus, version ").and_then(|rest| rest.split('.').next());
    if major.and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 3) {
        return Some(program);
    }
    let is = |variable, value| std::env::var(variable).is_ok_and(|set| set == value);
    let required = is("CI", "true") || is("NISSA_REQUIRE_TOOLS", "1");
    assert!(!required, "Prometheus 3 is missing: run scripts/setup.sh ({version:?})");
    // Not eprintln!: the test harness would keep that to itself.
    let _ = writeln!(std::io::stderr(), "skipped: no Prometheus 3; run scripts/setup.sh");
    None
}

/// A process, killed when this is dropped.
pub struct Program {
    child: Child,
    readers: Vec<JoinHandle<()>>,
    said: std::sync::Arc<Mutex<String>>,
}

impl Program {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let said = std::sync::Arc::<Mutex<String>>::default();
        let stdout = read(child.stdout.take().unwrap(), said.clone());
        let stderr = read(child.stderr.take().unwrap(), said.clone());
        Self { child, readers: vec![stdout, stderr], said }
    }

    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// The rest of the first line that starts so, once it was said.
    pub fn line(&mut self, start: &str) -> String {
        let mut line = None;
        eventually(&format!("a line that starts with {start:?}"), || {
            let said = self.said();
            line = said.lines().find_map(|line| line.strip_prefix(start)).map(str::to_owned);
            if line.is_none() {
                let ended = self.child.try_wait().unwrap();
                assert!(ended.is_none(), "{ended:?}:\n{said}");
            }
            line.is_some()
        });
        line.unwrap()
    }

    /// Ctrl-C, and what the program made of it.
    pub fn interrupt(mut self) -> Option<i32> {
        let kill = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        let mut code = None;
        eventually("the program ends", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.and_then(|code| code.code())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "{}", self.said());
        }
    }
}

fn read(from: impl Read + Send + 'static, into: std::sync::Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut said = into.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        }
    })
}

pub struct Prometheus {
    address: SocketAddr,
    _program: Program,
}

impl Prometheus {
    /// Starts it with these jobs, as its configuration has them, and waits until it is ready.
    pub fn start(program: &Path, jobs: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prometheus");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let config = folder.join("prometheus.yml");
        let global = "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n";
        fs::write(&config, format!("{global}{jobs}")).unwrap();
        // Free now; nobody else on the loopback takes it on purpose.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(program);
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        command.arg("--enable-feature=native-histograms,exemplar-storage");
        let prometheus = Self { address, _program: Program::start(&mut command) };
        eventually("Prometheus is ready", || {
            prometheus.get("/-/ready").is_some_and(|(status, _)| status == 200)
        });
        prometheus
    }

    /// Status and body; `None` if nothing answers.
    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.address, SOON).ok()?;
        stream.set_read_timeout(Some(SOON)).unwrap();
        // By HTTP/1.0, so that the body comes whole.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    pub fn api(&self, call: &str, parameters: &[(&str, &str)]) -> Value {
        let pairs = parameters.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
        let path = format!("/api/v1/{call}?{}", pairs.collect::<Vec<_>>().join("&"));
        let (status, body) = self.get(&path).expect("Prometheus answers");
        assert_eq!(status, 200, "{path}: {body}");
        let mut answer: Value = serde_json::from_str(&body).unwrap();
        answer["data"].take()
    }

    /// The series an expression gives, and their values.
    pub fn query(&self, expression: &str) -> Vec<(Value, f64)> {
        let data = self.api("query", &[("query", expression)]);
        let series = data["result"].as_array().expect("a vector").iter();
        let number = |value: &Value| value["value"][1].as_str().map(|text| text.parse().unwrap());
        series.filter_map(|one| Some((one["metric"].clone(), number(one)?))).collect()
    }

    /// The value of the one series an expression gives.
    pub fn value(&self, expression: &str) -> f64 {
        match &self.query(expression)[..] {
            [(_, value)] => *value,
            other => panic!("{expression}: {other:?}"),
        }
    }

    /// The value of one series once there is one.
    pub fn maybe(&self, expression: &str) -> Option<f64> {
        match &self.query(expression)[..] {
            [(_, value)] => Some(*value),
            _ => None,
        }
    }
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Builds the examples as the tests are built, and says where they are.
pub fn examples() -> PathBuf {
    if let Some(folder) = std::env::var_os("NISSA_EXAMPLES") {
        return folder.into();
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--all-features"]);
    command.args(["--example", "axum_service", "--example", "train_digits"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env("CARGO_TARGET_DIR", target);
    // A sanitizer would want a target of its own.
    command.env_remove("RUSTFLAGS").env_remove("RUSTC_BOOTSTRAP");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("debug/examples")
}
