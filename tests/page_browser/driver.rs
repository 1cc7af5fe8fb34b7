//! A real browser before a real endpoint: a script of `tests/page_browser` drives the one, asks
//! this process to change the other (`? words` on a line of its own), and says what it saw.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Killed when a test gives up on it.
struct Script(Child);

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a script to its end; `answer` does what it asks for. Fails if anything it checked failed.
pub(crate) fn run(name: &str, address: SocketAddr, mut answer: impl FnMut(&str) -> String) {
    let Some(browser) = browser() else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shots = root.join("target/page");
    std::fs::create_dir_all(&shots).unwrap();
    let mut child = Command::new("node")
        .arg(root.join("tests/page_browser").join(name))
        .args([format!("http://{address}"), browser.chromium, shots.display().to_string()])
        .env("NISSA_PLAYWRIGHT", &browser.playwright)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Script)
        .expect("node");
    let mut input = child.0.stdin.take().unwrap();
    let output = BufReader::new(child.0.stdout.take().unwrap());
    let mut failures = 0;
    for line in output.lines() {
        let line = line.unwrap();
        match line.strip_prefix("? ") {
            Some(words) => writeln!(input, "{}", answer(words)).unwrap(),
            None => println!("{line}"),
        }
        failures += usize::from(line.starts_with("FAILED"));
    }
    let status = child.0.wait().unwrap();
    assert!(status.success() && failures == 0, "{name}: {failures} failed, {status}");
}

struct Browser {
    chromium: String,
    playwright: PathBuf,
}

/// Chromium and playwright-core, which `scripts/setup.sh` installs.
fn browser() -> Option<Browser> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kept = root.join("target/tools/browser/node_modules/playwright-core/index.mjs");
    let playwright = std::env::var_os("NISSA_PLAYWRIGHT").map_or(kept, PathBuf::from);
    let named = std::env::var("NISSA_CHROMIUM").into_iter();
    let usual = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"].map(String::from);
    let chromium = named.chain(usual).find(|path| Path::new(path).exists());
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).status();
    match chromium {
        Some(chromium) if playwright.exists() && node.is_ok() => {
            Some(Browser { chromium, playwright })
        }
        _ => {
            let asked = std::env::var("NISSA_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
            assert!(!asked, "no browser: run scripts/setup.sh");
            println!(
                "skipped: no Chromium, node or playwright-core; scripts/setup.sh installs them"
            );
            None
        }
    }
}
