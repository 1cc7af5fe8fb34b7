//! What is left in the file when a program is killed, and what happens when it cannot be written.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{env, fs};

use nissa::health::{Health, Status};
use nissa::history::{History, Selector};
use nissa::monitor::Monitor;
use nissa::{ManualClock, Registry};

const SECOND: Duration = Duration::from_secs(1);
const START: Duration = Duration::from_secs(1_000_000);

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("nissa-history-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("history")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Run {
    history: History,
    registry: Registry,
    clock: ManualClock,
    health: Health,
    monitor: Monitor,
    /// What the wall clock shows.
    seconds: AtomicU64,
}

fn start(path: &Path, at: Duration, flush: Duration) -> Result<Run, nissa::Error> {
    let (registry, clock, health) = (Registry::new(), ManualClock::new(), Health::new());
    clock.set_unix(at);
    let history = History::new().path(path).flush(flush);
    let builder = nissa::builder().registry(registry.clone()).clock(clock.clone());
    let monitor = builder.health(health.clone()).history(history.clone()).build()?;
    let seconds = AtomicU64::new(at.as_secs());
    Ok(Run { history, registry, clock, health, monitor, seconds })
}

impl Run {
    /// Sets everything to what it is at a second.
    fn tick(&self) {
        self.clock.advance(SECOND);
        let wall = self.seconds.fetch_add(1, Ordering::Relaxed) + 1;
        // What was kept may be ahead of it.
        let next = wall.max(self.history.now().as_secs());
        self.registry.counter("ticks_total", &[]).absolute(next);
        self.registry.gauge("second", &[("half", "1")]).set(next as f64 / 2.0);
        self.registry.histogram("spread", &[]).record((next % 10) as f64);
        self.monitor.tick();
    }

    fn value(&self, name: &str) -> f64 {
        self.monitor.tick();
        self.registry.snapshot().value(name).unwrap()
    }
}

/// Runs when the test binary is started again by one of the tests below.
#[test]
fn child() {
    let Ok(path) = env::var("NISSA_HISTORY_CHILD") else { return };
    let at = Duration::from_secs(env::var("NISSA_HISTORY_AT").unwrap().parse().unwrap());
    let run = start(Path::new(&path), at, Duration::from_millis(10)).unwrap();
    let mut out = std::io::stdout();
    loop {
        run.tick();
        let flushes = run.registry.snapshot().value("nissa_history_flushes_total").unwrap();
        writeln!(out, "tick {} {flushes}", run.history.now().as_secs()).unwrap();
    }
}

fn spawn(path: &Path, at: u64) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "disk::child", "--nocapture", "--test-threads=1"]);
    command.env("NISSA_HISTORY_CHILD", path).env("NISSA_HISTORY_AT", at.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// The time and the flushes of a line that a child wrote.
fn told(line: &str) -> Option<(u64, u64)> {
    let mut words = line.strip_prefix("tick ")?.split(' ');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

#[test]
fn a_program_that_is_killed_loses_no_more_than_the_last_flush() {
    let folder = Folder::new("killed");
    let path = folder.file();
    let mut at = START.as_secs();
    for round in 0..12u64 {
        let mut child = spawn(&path, at);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut seen: Vec<(u64, u64)> = Vec::new();
        for tick in lines.filter_map(|line| told(&line)) {
            seen.push(tick);
            // Somewhere within a flush, or between two.
            if tick.1 >= 3 && seen.len() as u64 > 40 + round * 97 {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (last, flushes) = *seen.last().unwrap();
        // The last flush began when the one before had ended, and that was not so yet when this
        // tick began: the ticks before it are safe. A tick counts the seconds before it.
        let began = seen.iter().rev().find(|tick| tick.1 + 2 <= flushes).unwrap().0;
        let safe = began - 2;

        let run = start(&path, Duration::from_secs(last + 60), Duration::from_secs(3600)).unwrap();
        assert_eq!(run.value("nissa_history_damaged_rows_total"), 0.0, "round {round}");
        let kept = run.history.samples(
            &Selector::name("ticks_total"),
            START,
            Duration::from_secs(last + 59),
            22_000,
        );
        let line = &kept.unwrap().lines[0];
        let newest = line.points.last().unwrap();
        assert!(newest.value >= safe as f64, "round {round}: {newest:?}, told {safe} of {last}");
        for reading in &line.points {
            let second = reading.time.as_secs_f64();
            // A sample is the last of the 10 s that end with its time.
            assert!(reading.value <= second && reading.value >= second - 10.0, "{reading:?}");
        }
        let (from, to) = (START, Duration::from_secs(last + 59));
        let grown = run.history.increase(&Selector::name("spread"), from, to, to - from).unwrap();
        let expected = newest.value - START.as_secs() as f64;
        assert!(grown.lines[0].points[0].value <= expected + 1.0, "{grown:?} {expected}");
        drop(run);
        at = last + 60;
    }
}

#[test]
fn one_process_has_the_file() {
    let folder = Folder::new("twice");
    let mut child = spawn(&folder.file(), START.as_secs());
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.filter_map(|line| told(&line)).next().is_some());
    let error = start(&folder.file(), START, SECOND).err().unwrap();
    assert!(error.to_string().contains("another process uses it"), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    let run = start(&folder.file(), START, SECOND).unwrap();
    let error = start(&folder.file(), START, SECOND).err().unwrap();
    assert!(error.is_setting(), "nor twice in one process: {error}");
    drop(run);
}

#[test]
fn a_program_goes_on_where_it_ended() {
    let folder = Folder::new("again");
    let mut at = START;
    for _ in 0..3 {
        let run = start(&folder.file(), at, SECOND * 3600).unwrap();
        (0..700).for_each(|_| run.tick());
        at = run.history.now() + SECOND;
        drop(run);
    }
    let run = start(&folder.file(), at, SECOND * 3600).unwrap();
    let line = &run.history.series(&Selector::name("ticks_total")).lines[0];
    assert!(line.points[0].first <= START + SECOND * 10);
    let step = SECOND * 100;
    let range = run.history.range(&"second{half=\"1\"}".parse().unwrap(), START, at, step).unwrap();
    assert_eq!(range.lines[0].points.len(), 21);
    for window in &range.lines[0].points {
        let end = window.time.as_secs_f64() / 2.0;
        assert!(window.max <= end && window.max > end - 7.0, "{window:?}");
    }
    let q =
        run.history.quantile_over_time(&Selector::name("spread"), 0.5, START, at, step).unwrap();
    assert!(q.lines[0].points.iter().all(|reading| (2.5..=5.0).contains(&reading.value)), "{q:?}");
}

#[test]
fn what_is_no_file_of_ours_is_left_alone_or_set_aside() {
    let folder = Folder::new("foreign");
    let path = folder.file();
    let works = |run: &Run| {
        run.tick();
        !run.history.latest(&Selector::name("ticks_total")).lines.is_empty()
    };
    // A folder in its place: in memory, and says so.
    fs::create_dir(&path).unwrap();
    let run = start(&path, START, SECOND * 3600).unwrap();
    assert!(works(&run) && run.value("nissa_history_flush_failures_total") > 0.0);
    let report = run.health.report();
    let verdict = report.find("history").unwrap();
    assert_eq!(verdict.status(), Status::Degraded);
    assert!(verdict.details().contains("not a regular file"), "{}", verdict.details());
    drop(run);
    assert!(path.is_dir());
    fs::remove_dir(&path).unwrap();

    // Nothing in its place, not even the folder.
    let run = start(&folder.0.join("no/such/history"), START, SECOND * 3600).unwrap();
    assert!(works(&run) && run.health.report().find("history").is_some());
    drop(run);

    // Something else in its place: kept for a person to look at.
    for text in ["", "not a history", &"nonsense ".repeat(10_000)] {
        fs::write(&path, text).unwrap();
        let run = start(&path, START, SECOND * 3600).unwrap();
        assert!(works(&run) && run.health.report().find("history").is_none(), "{}", text.len());
        drop(run);
        if !text.is_empty() {
            assert_eq!(fs::read_to_string(folder.0.join("history.damaged")).unwrap(), text);
        }
        assert!(works(&start(&path, START + SECOND * 60, SECOND * 3600).unwrap()));
        fs::remove_file(&path).unwrap();
    }
}

/// Every tick that is recent enough is there again, as it was.
#[test]
fn ticks_are_kept_across_a_restart() {
    let folder = Folder::new("ticks");
    let mut at = START;
    for _ in 0..3 {
        let run = start(&folder.file(), at, SECOND * 3600).unwrap();
        (0..150).for_each(|_| run.tick());
        at = run.history.now() + SECOND * 10;
        drop(run);
    }
    let run = start(&folder.file(), at, SECOND * 3600).unwrap();
    let samples = |name| {
        let found = run.history.samples(&Selector::name(name), START, at, 22_000).unwrap();
        found.lines[0].points.iter().map(|point| (point.time, point.value)).collect::<Vec<_>>()
    };
    let ticks = samples("ticks_total");
    assert_eq!(ticks.len(), 450);
    assert!(ticks.iter().all(|(time, value)| time.as_secs_f64() == *value), "{ticks:?}");
    let expected: Vec<f64> = (1..=450).map(f64::from).collect();
    let observations = samples("spread_count");
    assert_eq!(observations.len(), 450);
    // A histogram begins anew with its program.
    let within: Vec<f64> = expected.iter().map(|n| (n - 1.0) % 150.0 + 1.0).collect();
    assert_eq!(observations.iter().map(|(_, value)| *value).collect::<Vec<_>>(), within);
    assert_eq!(run.value("nissa_history_damaged_rows_total"), 0.0);
}

/// Positions of one resolution mean nothing at another.
#[test]
fn a_file_of_another_resolution_is_set_aside() {
    let folder = Folder::new("resolution");
    let path = folder.file();
    let run = start(&path, START, SECOND * 3600).unwrap();
    (0..100).for_each(|_| run.tick());
    drop(run);
    let kept = |resolution, at| {
        let (registry, clock) = (Registry::new(), ManualClock::new());
        clock.set_unix(at);
        let history = History::new().path(&path).resolution(resolution);
        let builder = nissa::builder().registry(registry.clone()).clock(clock);
        let monitor = builder.history(history.clone()).build().unwrap();
        registry.gauge("other", &[]).set(1.0);
        monitor.tick();
        let names = history.series(&Selector::all()).lines;
        names.iter().any(|line| line.name == "ticks_total")
    };
    assert!(kept(SECOND * 10, START + SECOND * 200));
    assert!(!kept(SECOND * 5, START + SECOND * 300));
    let aside = folder.0.join("history.old");
    assert!(aside.is_file(), "it is left for a person");
    // What was made instead is of the new one.
    assert!(!kept(SECOND * 5, START + SECOND * 400));
    fs::rename(aside, &path).unwrap();
    assert!(kept(SECOND * 10, START + SECOND * 500), "and is whole");
}

/// A file that cannot be read when the program starts may hold a past: when it can be, it is not
/// written over.
#[test]
fn a_file_that_comes_back_is_not_written_over() {
    let folder = Folder::new("back");
    let path = folder.file();
    let run = start(&path, START, SECOND * 3600).unwrap();
    (0..100).for_each(|_| run.tick());
    drop(run);
    let elsewhere = folder.0.join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    fs::create_dir(&path).unwrap();
    let run = start(&path, START + SECOND * 200, SECOND * 3600).unwrap();
    assert_eq!(run.health.report().find("history").unwrap().status(), Status::Degraded);
    run.tick();
    fs::remove_dir(&path).unwrap();
    fs::rename(&elsewhere, &path).unwrap();
    drop(run);
    let first = |path: &Path| {
        let run = start(path, START + SECOND * 400, SECOND * 3600).unwrap();
        run.history.series(&Selector::name("ticks_total")).lines[0].points[0].first
    };
    assert!(first(&path) > START + SECOND * 190);
    assert!(first(&folder.0.join("history.old")) < START + SECOND * 20);
}

/// Where nobody may write, not even root: in memory, and says so.
#[cfg(target_os = "linux")]
#[test]
fn a_place_that_nothing_can_be_written_to_leaves_memory_and_says_so() {
    let run = start(Path::new("/sys/nissa-history"), START, SECOND * 3600).unwrap();
    run.tick();
    assert!(!run.history.latest(&Selector::name("ticks_total")).lines.is_empty());
    assert!(run.value("nissa_history_flush_failures_total") > 0.0);
    let report = run.health.report();
    let verdict = report.find("history").unwrap();
    assert_eq!(verdict.status(), Status::Degraded);
    assert!(verdict.details().contains("in memory only: /sys/nissa-history"), "{verdict:?}");
}

/// A file system that is mounted read-only, before the program starts and while it runs. Needs
/// mounts of its own, which not every machine allows.
#[cfg(target_os = "linux")]
#[test]
fn a_read_only_mount_leaves_memory_and_says_so() {
    let Ok(folder) = env::var("NISSA_HISTORY_MOUNT") else {
        let folder = Folder::new("mount");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c"]);
        command.arg(
            "mount --bind \"$NISSA_HISTORY_MOUNT\" \"$NISSA_HISTORY_MOUNT\" && exec \"$0\" \"$@\"",
        );
        let name = "disk::a_read_only_mount_leaves_memory_and_says_so";
        command.arg(env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]);
        let output = command.env("NISSA_HISTORY_MOUNT", &folder.0).output();
        let Some(output) = output.ok().filter(|output| !output.stdout.is_empty()) else {
            println!("skipped: no mounts of its own are allowed here");
            return;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    };
    let remount = |how: &str| {
        let mut mount = Command::new("mount");
        let status = mount.args(["-o", &format!("remount,bind,{how}"), &folder]).status();
        assert!(status.unwrap().success());
    };
    let path = Path::new(&folder).join("history");
    let until = |run: &Run, degraded: bool| {
        for _ in 0..1_000_000 {
            if run.health.report().find("history").is_some() == degraded {
                return;
            }
            run.tick();
        }
        panic!("degraded: {}", !degraded);
    };
    remount("ro");
    let run = start(&path, START, Duration::from_millis(10)).unwrap();
    assert_eq!(run.health.report().find("history").unwrap().status(), Status::Degraded);
    run.tick();
    assert!(!run.history.latest(&Selector::name("ticks_total")).lines.is_empty());
    assert!(run.value("nissa_history_flush_failures_total") > 0.0);
    // It gets well by itself.
    remount("rw");
    until(&run, false);
    let now = run.history.now();
    drop(run);
    // And what is there already is not lost.
    remount("ro");
    let run = start(&path, now + SECOND, Duration::from_millis(10)).unwrap();
    run.tick();
    remount("rw");
    until(&run, false);
    drop(run);
    let run = start(&path.with_extension("old"), now + SECOND, SECOND * 3600).unwrap();
    assert!(run.history.series(&Selector::name("ticks_total")).lines[0].points[0].first <= now);
}

/// Every truncation and flipped bit of a real file is survived: what can be read is there.
#[test]
fn damaged_files_are_survived() {
    let folder = Folder::new("damaged");
    let path = folder.file();
    let run = start(&path, START, SECOND * 3600).unwrap();
    (0..600).for_each(|_| run.tick());
    drop(run);
    let whole = fs::read(&path).unwrap();
    let mut state = 7u64;
    for round in 0..60usize {
        let mut bytes = whole.clone();
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        // The first pages hold what all else hangs on.
        let within = if round % 3 == 0 { 4096 * 3 } else { bytes.len() };
        let at = (state >> 33) as usize % within.min(bytes.len());
        match round % 4 {
            0 => bytes.truncate(at),
            _ => bytes[at] ^= 1 << (round % 8),
        }
        fs::write(&path, &bytes).unwrap();
        let run = start(&path, START + SECOND * 700, SECOND * 3600).unwrap();
        run.tick();
        assert!(!run.history.latest(&Selector::name("ticks_total")).lines.is_empty());
        let (from, to) = (START, START + SECOND * 650);
        for line in
            run.history.samples(&Selector::name("ticks_total"), from, to, 22_000).unwrap().lines
        {
            assert!(
                line.points.iter().all(|point| point.value <= point.time.as_secs_f64()),
                "{line:?}"
            );
        }
        drop(run);
    }
}

/// A disk that is full is a write that fails: here, because files may not grow any more.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_memory_and_says_so() {
    use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

    if env::var("NISSA_HISTORY_FULL").is_err() {
        let mut command = Command::new(env::current_exe().unwrap());
        let name = "disk::a_full_disk_leaves_memory_and_says_so";
        command.args(["--exact", name, "--nocapture"]).env("NISSA_HISTORY_FULL", "1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let folder = Folder::new("full");
    let run = start(&folder.file(), START, Duration::from_millis(10)).unwrap();
    let until = |wanted: &dyn Fn(&Run) -> bool| {
        for _ in 0..1_000_000 {
            if wanted(&run) {
                return;
            }
            run.tick();
        }
        panic!("it never came to that");
    };
    until(&|run| run.value("nissa_history_flushes_total") > 0.0);
    let size = fs::metadata(folder.file()).unwrap().len();
    setrlimit(Resource::RLIMIT_FSIZE, size, RLIM_INFINITY).unwrap();
    let noise: Vec<String> = (0..2_000).map(|n| n.to_string().repeat(40)).collect();
    for n in &noise {
        run.registry.gauge("many", &[("n", n)]).set(1.0);
    }
    until(&|run| run.value("nissa_history_flush_failures_total") > 0.0);
    assert_eq!(run.health.report().find("history").unwrap().status(), Status::Degraded);
    assert!(!run.history.latest(&Selector::name("many")).lines.is_empty());

    // Room again: it goes on by itself, and everything is there.
    setrlimit(Resource::RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY).unwrap();
    until(&|run| run.health.report().find("history").is_none());
    let now = run.history.now();
    drop(run);
    let run = start(&folder.file(), now + SECOND, SECOND * 3600).unwrap();
    assert_eq!(run.history.latest(&Selector::name("many")).lines.len(), 2_000);
}
