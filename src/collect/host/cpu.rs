//! `/proc/stat`: processor time, context switches, forks, what runs.

use super::figures::{BLOCKED, BOOT, CPU_SECONDS, FORKS, RUNNING, SWITCHES};
use crate::collect::Failures;
use crate::collect::devices::{Devices, Series};
use crate::collect::facts::{Fact, Facts};
use crate::collect::linux::scan::{Form, lines, numbers, split_once, values};
use crate::collect::linux::{Source, TICKS, made, show_counts, show_numbers};
use crate::registry::{Observed, Registry};

/// The columns of a `cpu` line. Time of guests is in `user` and `nice` already.
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
/// Those of them in which nothing ran.
const IDLE: std::ops::Range<usize> = 3..5;

/// In the order of the file; then counts, and gauges.
const KEYS: [&str; 5] = ["ctxt", "btime", "processes", "procs_running", "procs_blocked"];

/// The kernel lets idle times go back a little. More than this, and the processor was away.
const JITTER: u64 = 3 * TICKS as u64;

pub(crate) struct Cpu {
    per_core: bool,
    facts: Facts,
    all: Option<Modes>,
    cores: Devices<Modes>,
    machine: Option<Machine>,
}

/// One `cpu` line.
struct Modes {
    series: [Observed<f64>; MODES.len()],
    ticks: [u64; MODES.len()],
}

struct Machine {
    counts: [Observed<u64>; 2],
    gauges: [Observed<f64>; 3],
}

impl Cpu {
    pub(crate) fn new(per_core: bool, facts: Facts) -> Self {
        Self { per_core, facts, all: None, cores: Devices::default(), machine: None }
    }

    /// The first line, which is the sum of the others.
    fn show_all(&mut self, text: &[u8], registry: &Registry) -> bool {
        let Some(ticks) = text.strip_prefix(b"cpu ").and_then(parse) else {
            self.all = None;
            self.facts.set(Fact::CpuBusy, None);
            return false;
        };
        // Without series where the cores are shown: their sum would be counted twice.
        let shown = !self.per_core;
        let all = made(&mut self.all, || match shown {
            true => Modes::new(registry, None),
            false => Modes::unseen(),
        });
        let before = all.ticks;
        all.show(&ticks);
        self.facts.set(Fact::CpuBusy, busy(&before, &all.ticks));
        true
    }

    fn show_cores(&mut self, text: &[u8], registry: &Registry) -> bool {
        let mut understood = false;
        for line in lines(text) {
            let Some((key, rest)) = split_once(line, b' ') else { continue };
            let number = key.strip_prefix(b"cpu").filter(|number| !number.is_empty());
            let Some((number, ticks)) = number.zip(parse(rest)) else { continue };
            let make = |number: &str| Modes::new(registry, Some(number));
            if let Some(core) = self.cores.find(number, make) {
                core.show(&ticks);
                understood = true;
            }
        }
        self.cores.forget_unseen();
        understood
    }
}

impl Source for Cpu {
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool {
        let all = self.show_all(text, registry);
        let cores = self.per_core && self.show_cores(text, registry);
        let [switches, boot, forks, running, blocked] = values(text, Form::Plain, &KEYS);
        let machine = made(&mut self.machine, || Machine::new(registry));
        show_counts(&machine.counts, &[switches, forks]);
        show_numbers(&machine.gauges, &[running, blocked, boot], 1.0);
        all || cores || [switches, boot, forks, running, blocked].iter().any(Option::is_some)
    }

    fn report_left_out(&mut self, failures: &mut Failures) {
        self.cores.report_left_out("cores_limit", failures);
    }

    fn clear(&mut self) {
        self.facts.set(Fact::CpuBusy, None);
        self.all = None;
        self.cores.clear();
        self.machine = None;
    }
}

impl Modes {
    fn new(registry: &Registry, cpu: Option<&str>) -> Self {
        let series = MODES.map(|mode| match cpu {
            Some(cpu) => CPU_SECONDS.number(registry, &[("cpu", cpu), ("mode", mode)]),
            None => CPU_SECONDS.number(registry, &[("mode", mode)]),
        });
        Self { series, ticks: [0; MODES.len()] }
    }

    fn unseen() -> Self {
        Self { series: [const { Observed::noop() }; MODES.len()], ticks: [0; MODES.len()] }
    }

    fn show(&mut self, ticks: &[u64]) {
        go_on(&mut self.ticks, ticks);
        show_numbers(&self.series, &self.ticks.map(Some), TICKS);
    }
}

/// Prometheus would take a step back for a restart, and count all of it anew.
#[inline(never)]
fn go_on(last: &mut [u64], ticks: &[u64]) {
    for (last, ticks) in last.iter_mut().zip(ticks) {
        let back = last.saturating_sub(*ticks);
        if back == 0 || back > JITTER {
            *last = *ticks;
        }
    }
}

impl Series for Modes {
    fn is_refused(&self) -> bool {
        self.series.is_refused()
    }

    fn renew(&mut self, new: Self) {
        self.series = new.series;
    }
}

impl Machine {
    fn new(registry: &Registry) -> Self {
        Self {
            counts: [SWITCHES, FORKS].map(|figure| figure.count(registry, &[])),
            gauges: [RUNNING, BLOCKED, BOOT].map(|figure| figure.number(registry, &[])),
        }
    }
}

/// The first column and up to seven more; old kernels have fewer. `None` if one is no number.
fn parse(columns: &[u8]) -> Option<[u64; MODES.len()]> {
    let mut ticks = [0; MODES.len()];
    let (count, _) = numbers(columns, &mut ticks)?;
    (count > 0).then_some(ticks)
}

/// The share of the time between two readings that was not idle.
fn busy(before: &[u64], now: &[u64]) -> Option<f64> {
    let mut total = 0_u64;
    let mut idled = 0_u64;
    for (index, (before, now)) in before.iter().zip(now).enumerate() {
        let passed = now.saturating_sub(*before);
        total = total.saturating_add(passed);
        idled = idled.saturating_add(if IDLE.contains(&index) { passed } else { 0 });
    }
    let first = before.iter().all(|ticks| *ticks == 0);
    (total > 0 && !first).then(|| (total - idled) as f64 / total as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::collect::probe::value;

    const STAT: &str = "cpu  100 20 30 4000 50 6 7 8 9 10\ncpu0 60 20 30 2000 50 6 7 8 0 0\n\
        cpu1 40 0 0 2000 0 0 0 0 0 0\nintr 5 0 1\nctxt 12\nbtime 1700000000\nprocesses 34\n\
        procs_running 2\nprocs_blocked 1\n";

    #[test]
    fn modes_are_seconds_and_the_rest_is_counted() {
        let registry = Registry::new();
        let mut cpu = Cpu::new(false, Facts::default());
        assert!(cpu.show(STAT.as_bytes(), &registry));
        assert_eq!(value(&registry, "node_cpu_seconds_total", &[("mode", "idle")]), Some(40.0));
        assert_eq!(value(&registry, "node_cpu_seconds_total", &[("mode", "steal")]), Some(0.08));
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.value("node_context_switches_total"), Some(12.0));
        assert_eq!(snapshot.value("node_boot_time_seconds"), Some(1.7e9));
        assert_eq!(snapshot.value("node_procs_blocked"), Some(1.0));
        assert_eq!(snapshot.family("node_cpu_seconds_total").unwrap().series().len(), 8);
    }

    #[test]
    fn cores_take_the_place_of_their_sum_and_go_when_unplugged() {
        let registry = Registry::new();
        let mut cpu = Cpu::new(true, Facts::default());
        assert!(cpu.show(STAT.as_bytes(), &registry));
        let user =
            |cpu| value(&registry, "node_cpu_seconds_total", &[("cpu", cpu), ("mode", "user")]);
        assert_eq!((user("0"), user("1")), (Some(0.6), Some(0.4)));
        assert_eq!(value(&registry, "node_cpu_seconds_total", &[("mode", "user")]), None);
        assert!(cpu.show(STAT.replace("cpu1", "cpux y\nzzz1").as_bytes(), &registry));
        assert_eq!(user("1"), None);
    }

    #[test]
    fn idle_time_that_goes_back_a_little_stands_still() {
        let registry = Registry::new();
        let mut cpu = Cpu::new(false, Facts::default());
        let iowait = || value(&registry, "node_cpu_seconds_total", &[("mode", "iowait")]);
        cpu.show(STAT.as_bytes(), &registry);
        cpu.show(b"cpu  100 20 30 4000 49 6 7 8 9 10\n", &registry);
        assert_eq!(iowait(), Some(0.5));
        cpu.show(b"cpu  100 20 30 0 0 6 7 8 9 10\n", &registry);
        assert_eq!(iowait(), Some(0.5));
        assert_eq!(value(&registry, "node_cpu_seconds_total", &[("mode", "idle")]), Some(0.0));
        assert_eq!(value(&registry, "node_context_switches_total", &[]), None);
    }

    #[test]
    fn busy_is_what_was_not_idle_since_the_last_time() {
        let registry = Registry::new();
        let facts = Facts::default();
        let mut cpu = Cpu::new(false, facts.clone());
        cpu.show(STAT.as_bytes(), &registry);
        assert_eq!(facts.find(Fact::CpuBusy), None);
        cpu.show(b"cpu  130 20 30 4050 70 6 7 8\n", &registry);
        assert_eq!(facts.find(Fact::CpuBusy), Some(0.3));
        cpu.clear();
        assert_eq!(facts.find(Fact::CpuBusy), None);
    }

    #[test]
    fn times_of_any_size_are_a_share() {
        assert_eq!(busy(&[1; 8], &[u64::MAX; 8]), Some(0.0));
        assert_eq!(busy(&[1; 3], &[u64::MAX; 3]), Some(1.0));
    }

    proptest! {
        #[test]
        fn odd_text_never_panics(text in "(cpu|cpu0|ctxt|btime|[ -~]{0,5})( |\n|[0-9]{1,21}){0,40}",
            bytes in proptest::collection::vec(any::<u8>(), 0..200))
        {
            let registry = Registry::new();
            for per_core in [false, true] {
                let mut cpu = Cpu::new(per_core, Facts::default());
                cpu.show(text.as_bytes(), &registry);
                cpu.show(&bytes, &registry);
            }
        }
    }
}
