//! What detectors learned survives a restart, and no file can hurt.
#![cfg(all(feature = "detect", feature = "test-util", unix))]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nissa::alert::Rule;
use nissa::monitor::{Builder, Monitor};
use nissa::{ManualClock, Registry};

/// A folder of the test's own.
fn folder(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("alert_state_{test}"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

struct Program {
    registry: Registry,
    clock: ManualClock,
    monitor: Monitor,
}

impl Program {
    fn start(path: &Path) -> Self {
        Self::with(path, [Rule::new("x").zscore(4.0), Rule::new("y*")])
    }

    fn with(path: &Path, rules: impl IntoIterator<Item = Rule>) -> Self {
        let (registry, clock) = (Registry::new(), ManualClock::new());
        let builder = nissa::builder().registry(registry.clone()).clock(clock.clone());
        let builder = builder.health(nissa::health::Health::new()).detector_state(path);
        // Until it is saved, however busy the disk.
        let builder = builder.shutdown_timeout(Duration::from_secs(600));
        let monitor = rules.into_iter().fold(builder, Builder::alert).build().unwrap();
        Self { registry, clock, monitor }
    }

    fn feed(&self, values: impl IntoIterator<Item = f64>) {
        for value in values {
            self.registry.gauge("x", &[("host", "a\"b")]).set(value);
            self.registry.gauge("y", &[]).set(value);
            self.clock.advance(Duration::from_secs(1));
            self.monitor.tick();
        }
    }

    fn fired(&self) -> f64 {
        self.registry.snapshot().value("nissa_anomalies_total").unwrap_or(0.0)
    }

    fn outcome(&self, outcome: &str) -> Option<f64> {
        let labels = [("outcome", outcome)];
        self.registry.snapshot().get("nissa_detector_state_total", &labels)?.as_f64()
    }
}

fn calm(steps: std::ops::Range<u32>) -> impl Iterator<Item = f64> {
    steps.map(|step| 10.0 + f64::from(step % 3))
}

#[test]
fn detectors_go_on_where_they_were() {
    let path = folder("restart").join("detectors");
    let first = Program::start(&path);
    first.feed(calm(0..200));
    drop(first);

    let second = Program::start(&path);
    assert_eq!(second.outcome("loaded"), Some(1.0));
    second.feed([11.0, 60.0]);
    assert!(second.fired() >= 1.0, "nothing was remembered");

    let fresh = Program::start(&folder("fresh").join("detectors"));
    fresh.feed([11.0, 60.0]);
    assert_eq!(fresh.fired(), 0.0);
}

#[test]
fn a_restart_that_sees_nothing_forgets_nothing() {
    let path = folder("idle").join("detectors");
    let first = Program::start(&path);
    first.feed(calm(0..200));
    drop(first);
    drop(Program::start(&path));
    let third = Program::start(&path);
    third.feed([11.0, 60.0]);
    assert!(third.fired() >= 1.0);
}

#[test]
fn a_damaged_file_is_set_aside() {
    let path = folder("damaged").join("detectors");
    let first = Program::start(&path);
    first.feed(calm(0..100));
    drop(first);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&path, &bytes).unwrap();

    let second = Program::start(&path);
    assert_eq!(second.outcome("damaged"), Some(1.0));
    assert_eq!(fs::read(path.with_extension("damaged")).unwrap(), bytes);
    second.feed(calm(0..100));
    drop(second);
    assert_eq!(Program::start(&path).outcome("loaded"), Some(1.0));
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    for kind in ["pipe", "folder", "huge"] {
        let path = folder(kind).join("detectors");
        match kind {
            "pipe" => {
                let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
                assert!(made.success());
            }
            "folder" => fs::create_dir(&path).unwrap(),
            _ => fs::File::create(&path).unwrap().set_len(10 << 30).unwrap(),
        }
        let program = Program::start(&path);
        assert_eq!(program.outcome("damaged"), Some(1.0), "{kind}");
        drop(program);
        // A folder was named by mistake, and stays where it is with all that is in it.
        assert_eq!(path.is_dir(), kind == "folder");
        let _ = fs::remove_file(path.with_extension("damaged"));
    }
}

#[test]
fn a_folder_that_is_not_there_costs_only_the_memory() {
    let program = Program::start(&folder("missing").join("no").join("detectors"));
    assert_eq!(program.outcome("unavailable"), Some(1.0));
    program.feed(calm(0..100));
    program.feed([60.0]);
    assert!(program.fired() >= 1.0);
}

#[test]
fn what_cannot_be_written_leaves_the_old_file() {
    let path = folder("unwritable").join("detectors");
    let first = Program::start(&path);
    first.feed(calm(0..100));
    drop(first);
    let before = fs::read(&path).unwrap();
    // Stands where the new file would be written.
    fs::create_dir(path.with_extension("new")).unwrap();
    let second = Program::start(&path);
    second.feed(calm(0..200));
    let registry = second.registry.clone();
    drop(second);
    let labels = [("outcome", "save_failed")];
    let snapshot = registry.snapshot();
    let failed = snapshot.get("nissa_detector_state_total", &labels);
    assert_eq!(failed.and_then(|failed| failed.as_f64()), Some(1.0));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn two_programs_do_not_share_a_file() {
    let path = folder("two").join("detectors");
    let first = Program::start(&path);
    let second = Program::start(&path);
    assert_eq!(second.outcome("unavailable"), Some(1.0));
    first.feed(calm(0..100));
    second.feed(calm(0..10));
    drop(second);
    assert!(!path.exists(), "the second one wrote");
    drop(first);
    assert_eq!(Program::start(&path).outcome("loaded"), Some(1.0));
}

#[test]
fn two_rules_of_one_name_keep_each_its_own() {
    let path = folder("namesakes").join("detectors");
    let start = || Program::with(&path, [Rule::new("x").zscore(4.0), Rule::new("x")]);
    let first = start();
    first.feed(calm(0..200));
    drop(first);
    let second = start();
    second.feed([11.0, 60.0]);
    // One count, since the name is one, and both have spoken.
    assert_eq!(second.fired(), 2.0);
}

#[test]
fn rules_of_one_name_and_one_detector_keep_each_its_own() {
    let path = folder("twins").join("detectors");
    let start = || {
        let of = |host| Rule::new("x").label("host", host).zscore(4.0);
        Program::with(&path, [of("a*"), of("b*")])
    };
    let feed = |program: &Program, value: f64| {
        for host in ["a1", "b1"] {
            program.registry.gauge("x", &[("host", host)]).set(value);
        }
        program.clock.advance(Duration::from_secs(1));
        program.monitor.tick();
    };
    let first = start();
    calm(0..200).for_each(|value| feed(&first, value));
    drop(first);
    let second = start();
    feed(&second, 11.0);
    feed(&second, 60.0);
    assert_eq!(second.fired(), 2.0, "one of them had to learn anew");
}

#[test]
fn what_does_not_come_back_is_forgotten_after_a_week_of_running() {
    let path = folder("unseen").join("detectors");
    let first = Program::start(&path);
    first.feed(calm(0..100));
    drop(first);
    let knows = || fs::read_to_string(&path).unwrap().contains("\"metric\":\"x\"");
    // Nothing comes in so many ticks that lie so many seconds apart.
    let idle = |ticks: u32, apart: u64| {
        let program = Program::start(&path);
        for _ in 0..ticks {
            program.clock.advance(Duration::from_secs(apart));
            program.monitor.tick();
        }
        let registry = program.registry.clone();
        drop(program);
        let dropped = [("reason", "unseen")];
        let snapshot = registry.snapshot();
        snapshot.get("nissa_detector_states_dropped_total", &dropped).unwrap().as_f64()
    };
    let day = 24 * 60 * 60;
    assert_eq!((idle(5, day), knows()), (Some(0.0), true));
    // A run of ten seconds is ten seconds, and a restart does not begin to count anew.
    for _ in 0..20 {
        assert_eq!((idle(10, 1), knows()), (Some(0.0), true));
    }
    assert_eq!((idle(1, 2 * day - 400), knows()), (Some(0.0), true));
    assert_eq!((idle(1, 300), knows()), (Some(2.0), false));
}
