//! Debian's node_exporter, as it comes, and one scrape of it after another.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

pub struct Exporter {
    process: Child,
    address: String,
}

impl Exporter {
    /// `None` if there is none here.
    pub fn start() -> Option<Self> {
        let program = find("prometheus-node-exporter")?;
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let address = format!("127.0.0.1:{port}");
        let process = Command::new(program)
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut exporter = Self { process, address };
        let deadline = Instant::now() + Duration::from_secs(10);
        while exporter.get().is_none() {
            if Instant::now() > deadline {
                return None;
            }
            thread::sleep(Duration::from_millis(20));
        }
        Some(exporter)
    }

    pub fn scrape(&mut self) {
        let page = self.get().unwrap_or_default();
        assert!(page.contains("node_memory_MemTotal_bytes"), "a scrape without figures");
    }

    /// Of all its threads, since it started.
    pub fn processor_time(&mut self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("its threads");
        let nanos = tasks.flatten().map(|task| {
            let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            stat.split_whitespace().next().and_then(|run| run.parse().ok()).unwrap_or(0)
        });
        Duration::from_nanos(nanos.sum())
    }

    fn get(&mut self) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).ok()?;
        Some(page)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where `scripts/servers.sh` puts it, or on the PATH.
fn find(program: &str) -> Option<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/servers/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [fetched].into_iter().chain(env::split_paths(&path).collect::<Vec<_>>());
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
