//! What the collectors show beside what others read on the same machine at the same moment:
//! node_exporter, psutil, `/proc` by hand, statvfs (`scripts/compare_host.py`), while processors,
//! loopback and disk are made to work. `scripts/setup.sh` puts what is needed under `target/tools`;
//! `NISSA_PYTHON` names another Python with psutil. Without them a test says that it is skipped,
//! unless `CI=true` or `NISSA_REQUIRE_TOOLS=1`: then it fails.

#![cfg(all(feature = "host", target_os = "linux"))]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nissa::Registry;
use nissa::collect::{Host, Runner};

/// Enough for every gauge to stand still once between two readings, on a busy machine too.
const ROUNDS: usize = 40;

#[test]
fn others_read_the_same() {
    let Some(python) = python() else { return };
    let Some(exporter) = Exporter::start() else { return };
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    runner.add(Host::default().filesystems(["/"]));
    // Files are opened and pages made before anybody counts.
    runner.collect();
    let mut referee = Referee::start(&python, &exporter.url());
    for _ in 0..ROUNDS {
        referee.wait_until_ready();
        runner.collect();
        referee.show(&nissa::expose::text(&registry.snapshot()));
        work();
    }
    referee.wait_until_ready();
    let verdict = referee.verdict();
    assert_eq!(runner.errors(), []);
    let wrong = |line: &&str| !line.starts_with("moved ") && !line.starts_with("agreed ");
    let wrong: Vec<&str> = verdict.lines().filter(wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let agreed = verdict.lines().find_map(|line| line.strip_prefix("agreed "));
    let agreed: usize = agreed.and_then(|count| count.parse().ok()).unwrap_or_default();
    assert!(agreed > 100, "only {agreed} figures were compared:\n{verdict}");
    for name in [
        "node_cpu_seconds_total",
        "node_context_switches_total",
        "node_disk_written_bytes_total",
        "node_network_receive_bytes_total",
        "node_network_transmit_packets_total",
        "process_cpu_seconds_total",
        "process_io_written_bytes_total",
        "process_page_faults_total",
    ] {
        assert!(verdict.contains(&format!("moved {name}\n")), "{name} did not move:\n{verdict}");
    }
}

/// Gives processor, loopback and disk something to do.
fn work() {
    let sum =
        (0..2_000_000_u64).fold(0, |sum: u64, n| std::hint::black_box(sum.wrapping_mul(31) ^ n));
    std::hint::black_box(sum);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let here = socket.local_addr().unwrap();
    for _ in 0..50 {
        socket.send_to(&[7; 1_000], here).unwrap();
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("collect-compare");
    let mut file = File::create(&path).unwrap();
    file.write_all(&vec![7; 256 << 10]).unwrap();
    file.sync_all().unwrap();
    std::fs::remove_file(path).unwrap();
}

/// The script, stopped when dropped.
struct Referee {
    process: Child,
    pages: Option<ChildStdin>,
    says: BufReader<ChildStdout>,
}

impl Referee {
    fn start(python: &Path, exporter: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/compare_host.py");
        let mut process = Command::new(python)
            .arg(script)
            .args([&std::process::id().to_string(), exporter])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pages = process.stdin.take();
        let says = BufReader::new(process.stdout.take().unwrap());
        Self { process, pages, says }
    }

    fn wait_until_ready(&mut self) {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the script has failed");
    }

    fn show(&mut self, page: &str) {
        let pages = self.pages.as_mut().unwrap();
        pages.write_all(format!("{page}# EOF\n").as_bytes()).unwrap();
        pages.flush().unwrap();
    }

    fn verdict(mut self) -> String {
        self.pages.take().unwrap().write_all(b"# END\n").unwrap();
        let mut verdict = String::new();
        self.says.read_to_string(&mut verdict).unwrap();
        verdict
    }
}

impl Drop for Referee {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// node_exporter, stopped when dropped.
struct Exporter {
    process: Child,
    address: String,
}

impl Exporter {
    fn start() -> Option<Self> {
        let program = tool("prometheus-node-exporter", "servers/bin")?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let process = Command::new(program)
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let exporter = Self { process, address };
        let start = Instant::now();
        while TcpStream::connect(&exporter.address).is_err() {
            assert!(start.elapsed() < Duration::from_secs(60), "node_exporter does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(exporter)
    }

    fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A Python that has psutil.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("NISSA_PYTHON").map(PathBuf::from);
    let python = named.or_else(|| tool("python3", "venv/bin"))?;
    let has = Command::new(&python).args(["-c", "import psutil"]).stderr(Stdio::null()).status();
    if has.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    missing("psutil")
}

/// A program that `scripts/setup.sh` has fetched.
fn tool(program: &str, folder: &str) -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools");
    let file = tools.join(folder).join(program);
    if file.exists() { Some(file) } else { missing(program) }
}

fn missing(what: &str) -> Option<PathBuf> {
    let set = |name: &str, to: &str| std::env::var(name).is_ok_and(|value| value == to);
    assert!(!set("CI", "true") && !set("NISSA_REQUIRE_TOOLS", "1"), "{what}: scripts/setup.sh");
    println!("skipped: no {what}; scripts/setup.sh fetches it");
    None
}
