//! What the fault tests ask of the machine: memory in use, and children that must end in time.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Tells a child which scenario it is to play.
const SCENARIO: &str = "NISSA_TEST_SCENARIO";

/// The scenario this process was started for; `None` in the process that judges.
pub(crate) fn scenario() -> Option<String> {
    std::env::var(SCENARIO).ok()
}

/// Runs one test of this binary again, in a process of its own, as `scenario`. A child that hangs
/// is killed and fails the test; so does one that panics or aborts.
pub(crate) fn play(test: &str, scenario: &str, limit: Duration) {
    let (status, output) = play_with(test, scenario, &[], limit);
    match status {
        Some(status) => assert!(status.success(), "{scenario}: {status}\n{output}"),
        None => panic!("{scenario}: did not end within {limit:?}\n{output}"),
    }
}

/// The same with more environment; gives back how it ended (`None`: it had to be killed) and what
/// it said.
pub(crate) fn play_with(
    test: &str,
    scenario: &str,
    environment: &[(&str, &str)],
    limit: Duration,
) -> (Option<ExitStatus>, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(SCENARIO, scenario)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || said(stderr));
    let status = wait(&mut child, limit);
    (status, reader.join().unwrap())
}

fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if start.elapsed() > limit {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        // How often to look, not how long to wait.
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn said(mut stream: impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Memory of this process that is in RAM. Where that cannot be told, always the same number.
pub(crate) fn resident_bytes() -> usize {
    const PAGE: usize = 4096;
    let Ok(statm) = std::fs::read_to_string("/proc/self/statm") else { return 0 };
    statm.split_ascii_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * PAGE
}

/// Fails if more than `most` bytes were added to what was in RAM `before`.
pub(crate) fn assert_grown_at_most(most: usize, before: usize, doing: &str) {
    // AddressSanitizer keeps what was freed, to catch its use.
    if sanitized() {
        return;
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown <= most, "{doing}: memory grew by {} KiB", grown >> 10);
}

/// Whether AddressSanitizer's shadow memory is mapped.
pub(crate) fn sanitized() -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    maps.contains("-10007fff8000 ")
}
