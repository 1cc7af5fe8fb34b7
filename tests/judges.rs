//! Text and OpenMetrics before judges that are not ours: `promtool check metrics` and the official
//! Python parsers (`scripts/judge.py`). `scripts/setup.sh` puts both under `target/tools`;
//! `NISSA_PROMTOOL` and `NISSA_PYTHON` name others. Without them a test says that it is skipped,
//! unless `CI=true` or `NISSA_REQUIRE_TOOLS=1`: then it fails.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use nissa::expose::{Escaping, Format};
use nissa::{Buckets, Matcher, Registry, Unit, expose};

/// Label values a careless writer breaks the page with.
const HOSTILE_VALUES: &[&str] = &[
    "\"",
    "\\",
    "\\\\\"",
    "\\n",
    "\n",
    "\r",
    "\r\n",
    "a\0b",
    "\u{1b}[31mred\u{1b}[0m\u{7f}",
    "🦀 ключ \u{10ffff}",
    "\u{feff}\u{fffd}\u{85}\u{2028}",
    "\"} 1\nforged_total{a=\"",
    "# HELP ",
    " a\tb ",
    "{,=}",
];

const HOSTILE_HELP: &str = "two\nlines, a \\n, a \"quote\", 🦀, \r\0 and # {x=\"1\"} 7";

#[test]
fn a_well_named_registry_passes_both_judges_without_a_word() {
    let registry = Registry::builder().default_buckets(bounds(&[0.1, 1.0, 2.5])).build();
    let mut expected = Expected::default();

    registry.describe_counter("requests_total", None, "Requests answered.");
    expected.family("requests_total", "counter", "Requests answered.");
    for (route, count) in [("/", 3), ("/health", 9_007_199_254_740_993), ("/far", u64::MAX)] {
        registry.counter("requests_total", &[("route", route)]).increment(count);
        expected.sample("requests_total", &[("route", route)], count);
    }

    registry.describe_counter("energy_joules_total", None, "Energy used.");
    expected.family("energy_joules_total", "counter", "Energy used.");
    let energy = registry.float_counter("energy_joules_total", &[]);
    energy.increment(0.5);
    energy.increment(1.0e21);
    expected.sample("energy_joules_total", &[], 0.5 + 1.0e21);

    registry.describe_gauge("training_loss", None, "Loss of the last batch.");
    expected.family("training_loss", "gauge", "Loss of the last batch.");
    for (run, loss) in gauge_values() {
        registry.gauge("training_loss", &[("run", run)]).set(loss);
        expected.sample("training_loss", &[("run", run)], loss);
    }

    registry.describe_histogram("step_duration_seconds", None, "Time of one step.");
    expected.family("step_duration_seconds", "histogram", "Time of one step.");
    let steps = registry.histogram("step_duration_seconds", &[("phase", "train")]);
    // Dyadic, so that their sum is exact in any order; 1.0 lies on a bound and belongs below it.
    for seconds in [0.0625, 0.5, 1.0, 2.0] {
        steps.record(seconds);
    }
    steps.record_many(8.0, 3);
    for (le, count) in [("0.1", 1), ("1", 3), ("2.5", 4), ("+Inf", 7)] {
        let labels = [("phase", "train"), ("le", le)];
        expected.sample("step_duration_seconds_bucket", &labels, count);
    }
    expected.sample("step_duration_seconds_sum", &[("phase", "train")], 27.5625);
    expected.sample("step_duration_seconds_count", &[("phase", "train")], 7);

    judge("well_named", &registry, &expected, Lint::Forbidden);
}

#[test]
fn hostile_label_values_and_help_arrive_unchanged() {
    let registry = Registry::builder().default_buckets(bounds(&[1.0])).build();
    let mut expected = Expected::default();

    registry.describe_counter("hostile_total", None, HOSTILE_HELP);
    registry.describe_gauge("hostile_ratio", None, HOSTILE_HELP);
    registry.describe_histogram("hostile_seconds", None, HOSTILE_HELP);
    expected.family("hostile_total", "counter", HOSTILE_HELP);
    expected.family("hostile_ratio", "gauge", HOSTILE_HELP);
    expected.family("hostile_seconds", "histogram", HOSTILE_HELP);
    for (number, value) in (1_u32..).zip(HOSTILE_VALUES) {
        let labels = [("plain", "x"), ("value", *value)];
        registry.counter("hostile_total", &labels).increment(u64::from(number));
        registry.gauge("hostile_ratio", &labels).set(f64::from(number));
        registry.histogram("hostile_seconds", &labels).record(f64::from(number));
        expected.sample("hostile_total", &labels, number);
        expected.sample("hostile_ratio", &labels, number);
        for (le, count) in [("1", u32::from(number == 1)), ("+Inf", 1)] {
            let bucket = [labels[0], labels[1], ("le", le)];
            expected.sample("hostile_seconds_bucket", &bucket, count);
        }
        expected.sample("hostile_seconds_sum", &labels, number);
        expected.sample("hostile_seconds_count", &labels, 1);
    }

    judge("hostile_values", &registry, &expected, Lint::Allowed);
}

#[test]
fn illegal_names_are_escaped_and_clashing_ones_kept_apart() {
    let registry = Registry::new();
    let mut expected = Expected::default();

    // Name as recorded, name as printed.
    let names = [
        ("legal:name_total", "legal:name_total"),
        ("alone.in the-world", "alone_in_the_world"),
        ("ключ", "____"),
        // One legal and two illegal names on the same spot: the legal one stays.
        ("a_b", "a_b"),
        ("a.b", "U__a_2e_b"),
        ("a/b", "U__a_2f_b"),
        // Two illegal names: neither may take the spot.
        ("c_d e", "U__c__d_20_e"),
        ("c_d-e", "U__c__d_2d_e"),
        ("p\"q\n", "p_q_"),
    ];
    for (number, (recorded, printed)) in (1_u32..).zip(names) {
        registry.describe_gauge(recorded, None, recorded);
        registry.gauge(recorded, &[("k.x", "dotted label name")]).set(f64::from(number));
        expected.family(printed, "gauge", recorded);
        expected.sample(printed, &[("k_x", "dotted label name")], number);
    }

    judge("names", &registry, &expected, Lint::Allowed);
}

#[test]
fn a_label_value_of_a_megabyte_is_cut_at_the_limit_and_marked() {
    const LIMIT: usize = 256;
    const LONGEST_MARKER: usize = 32;

    let registry = Registry::builder().label_value_bytes(LIMIT).build();
    // Four-byte characters after a one-byte one: the limit falls inside a character.
    let whole = format!("y{}", "🦀".repeat(1 << 18));
    registry.counter("cut_total", &[("value", &whole)]).increment(7);

    let snapshot = registry.snapshot();
    let family = snapshot.families().find(|family| family.name() == "cut_total").unwrap();
    let series = family.series().next().unwrap();
    let (_, kept) = series.labels().find(|(name, _)| *name == "value").unwrap();
    assert!(kept.starts_with("y🦀"), "{kept}");
    assert!(kept.len() <= LIMIT + LONGEST_MARKER, "{} bytes were kept", kept.len());
    assert!(!whole.starts_with(&*kept), "nothing marks the cut: {kept}");

    let mut expected = Expected::default();
    expected.sample("cut_total", &[("value", &kept)], 7);
    judge("cut", &registry, &expected, Lint::Allowed);
}

#[test]
fn a_summary_shows_its_quantiles_within_the_stated_error() {
    const STATED_ERROR: f64 = 0.0434;

    let quantiles = Buckets::summary(&[0.5, 0.99]).unwrap();
    let registry = Registry::builder().default_buckets(quantiles).build();
    registry.describe_histogram("latency_seconds", None, "Time to answer.");
    let latency = registry.histogram("latency_seconds", &[]);
    for seconds in 1..=1000_u32 {
        latency.record(f64::from(seconds));
    }

    let mut expected = Expected::default();
    expected.family("latency_seconds", "summary", "Time to answer.");
    expected.sample_within(STATED_ERROR, "latency_seconds", &[("quantile", "0.5")], 500);
    expected.sample_within(STATED_ERROR, "latency_seconds", &[("quantile", "0.99")], 990);
    expected.sample("latency_seconds_sum", &[], 500_500);
    expected.sample("latency_seconds_count", &[], 1000);
    judge("summary", &registry, &expected, Lint::Forbidden);
}

/// Everything that OpenMetrics forbids a page to say in the usual way.
#[test]
fn openmetrics_says_what_it_may_and_loses_no_series() {
    let registry = Registry::builder()
        .buckets(Matcher::name("below"), bounds(&[-1.0, 1.0]))
        .buckets(Matcher::name("wait_seconds"), Buckets::summary(&[0.5]).unwrap())
        .default_buckets(bounds(&[1.0]))
        .build();
    let mut expected = Expected::default();
    // A counter without `_total`, and names that a counter's family would take.
    let counters =
        ["bare", "both", "both_total", "of_gauge_total", "a_total", "a_total_total", "plain_total"];
    for (number, name) in (1_u32..).zip(counters) {
        registry.counter(name, &[]).increment(u64::from(number));
        expected.sample(name, &[], number);
    }
    for (number, name) in (1_u32..).zip(["of_gauge", "reserved_created", "a_created"]) {
        registry.gauge(name, &[]).set(number);
        expected.sample(name, &[], number);
    }
    registry.counter("reserved_total", &[]).increment(7);
    expected.sample("reserved_total", &[], 7);
    // A histogram with a bound below zero, one whose sum is, and a summary whose sum is.
    for (name, value) in [("below", 0.5), ("negative", -0.5)] {
        registry.histogram(name, &[]).record(value);
        let low = if name == "below" { vec![("-1", 0), ("1", 1)] } else { vec![("1", 1)] };
        for (le, count) in low.into_iter().chain([("+Inf", 1)]) {
            expected.sample(&format!("{name}_bucket"), &[("le", le)], count);
        }
        expected.sample(&format!("{name}_sum"), &[], value);
        expected.sample(&format!("{name}_count"), &[], 1);
    }
    registry.histogram("wait_seconds", &[]).record(-2.0);
    expected.sample_within(1.0, "wait_seconds", &[("quantile", "0.5")], 2f64.powi(-30));
    expected.sample("wait_seconds_sum", &[], -2.0);
    expected.sample("wait_seconds_count", &[], 1);
    judge("forbidden", &registry, &expected, Lint::Allowed);

    let types = |name: &str| {
        let text = String::from_utf8(Format::OPENMETRICS_1.encode(&registry.snapshot())).unwrap();
        let line = format!("# TYPE {name} ");
        text.lines().find_map(|there| there.strip_prefix(&line).map(str::to_owned))
    };
    assert_eq!(types("a_total").as_deref(), Some("unknown"), "`a_created` is a gauge's");
    assert_eq!(types("a_total_total").as_deref(), Some("unknown"), "`a_total` is a counter's");
    assert_eq!(types("plain").as_deref(), Some("counter"));
    assert_eq!(types("bare").as_deref(), Some("unknown"));
    assert_eq!(types("below_count").as_deref(), Some("unknown"));
}

#[test]
fn exemplars_and_units_arrive() {
    let registry = Registry::builder().default_buckets(bounds(&[1.0, 2.0])).build();
    let mut expected = Expected::default();
    registry.describe_counter("busy_seconds_total", Some(Unit::Seconds), "Time spent.");
    registry.describe_histogram("sizes_bytes", Some(Unit::Bytes), "Sizes.");
    registry.describe_gauge("level", Some(Unit::Percent), "Its name does not say its unit.");
    registry.gauge("level", &[]).set(1);
    expected.sample("level", &[], 1);
    // No quote: this parser does not see that it is escaped in an exemplar.
    let trace = [("trace_id", "4bf9\n\\"), ("span_id", "é")];
    registry.float_counter("busy_seconds_total", &[]).increment_with_exemplar(0.5, &trace);
    expected.sample("busy_seconds_total", &[], 0.5);
    expected.exemplar("busy_seconds_total", &[], 0.5, &trace);
    let sizes = registry.histogram("sizes_bytes", &[("k", "v")]);
    sizes.record_with_exemplar(1.5, &trace);
    sizes.record_with_exemplar(8, &[]);
    for (le, count) in [("1", 0), ("2", 1), ("+Inf", 2)] {
        expected.sample("sizes_bytes_bucket", &[("k", "v"), ("le", le)], count);
    }
    expected.exemplar("sizes_bytes_bucket", &[("k", "v"), ("le", "2")], 1.5, &trace);
    expected.exemplar("sizes_bytes_bucket", &[("k", "v"), ("le", "+Inf")], 8, &[]);
    expected.sample("sizes_bytes_sum", &[("k", "v")], 9.5);
    expected.sample("sizes_bytes_count", &[("k", "v")], 2);
    judge_openmetrics("exemplars", &registry, &expected, Format::OPENMETRICS_1);
    let page = String::from_utf8(Format::OPENMETRICS_1.encode(&registry.snapshot())).unwrap();
    let units: Vec<&str> = page.lines().filter(|line| line.starts_with("# UNIT")).collect();
    assert_eq!(units, ["# UNIT busy_seconds seconds", "# UNIT sizes_bytes bytes"]);
}

#[test]
fn utf8_names_arrive_unchanged_where_that_is_agreed() {
    let registry = Registry::builder().default_buckets(bounds(&[1.0])).build();
    let mut expected = Expected::default();
    for (number, name) in (1_u32..).zip(["a.b", "a_b", "ключ", "p \"q\" \\", "{,=}", "1st"]) {
        registry.describe_gauge(name, None, "What it is.");
        registry.gauge(name, &[("k.x", "v"), ("k_x", "w"), ("é \"", "\"")]).set(number);
        expected.family(name, "gauge", "What it is.");
        expected.sample(name, &[("k.x", "v"), ("k_x", "w"), ("é \"", "\"")], number);
    }
    registry.counter("http.requests_total", &[]).increment(7);
    expected.sample("http.requests_total", &[], 7);
    registry.histogram("http.seconds", &[]).record(2);
    for (le, count) in [("1", 0), ("+Inf", 1)] {
        expected.sample("http.seconds_bucket", &[("le", le)], count);
    }
    expected.sample("http.seconds_sum", &[], 2);
    expected.sample("http.seconds_count", &[], 1);
    let format = Format::OPENMETRICS_1.escaping(Escaping::AllowUtf8);
    judge_openmetrics("utf8", &registry, &expected, format);
}

/// A judge that never objects proves nothing.
#[test]
fn the_judges_object_to_what_is_wrong() {
    let Some(judges) = Judges::find() else { return };
    let text = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\"} 9007199254740993\n";
    let with_value = |value: u64| {
        let mut expected = Expected::default();
        expected.sample("a_total", &[("x", "1")], value);
        expected
    };

    let right = Case::write("right", text, &with_value(9_007_199_254_740_993));
    assert_eq!(judges.promtool(&right), (Some(0), String::new()));
    assert_eq!(judges.python(&right), (Some(0), String::new()));

    let wrong_value = Case::write("wrong_value", text, &with_value(9_007_199_254_740_992));
    assert_eq!(judges.python(&wrong_value).0, Some(1));

    let unnamed = text.replace("a_total", "aSeconds");
    let unescaped = text.replace("\"1\"", "\"1\n\"");
    let two_types = text.repeat(2);
    for (broken, text, exit) in
        [("unnamed", unnamed, 3), ("unescaped", unescaped, 1), ("two_types", two_types, 1)]
    {
        let case = Case::write(broken, &text, &with_value(9_007_199_254_740_993));
        assert_eq!(judges.promtool(&case).0, Some(exit), "{broken}");
        assert_eq!(judges.python(&case).0, Some(1), "{broken}");
    }
}

fn bounds(bounds: &[f64]) -> Buckets {
    Buckets::explicit(bounds).unwrap()
}

fn gauge_values() -> [(&'static str, f64); 8] {
    [
        ("plain", 0.234),
        ("nan", f64::NAN),
        ("up", f64::INFINITY),
        ("down", f64::NEG_INFINITY),
        ("zero", -0.0),
        ("subnormal", 5e-324),
        ("largest", f64::MAX),
        ("third", -1.0 / 3.0),
    ]
}

/// Whether promtool may find fault with names and help; the page must parse in any case.
#[derive(PartialEq)]
enum Lint {
    Allowed,
    Forbidden,
}

fn judge(name: &str, registry: &Registry, expected: &Expected, lint: Lint) {
    let text = expose::text(&registry.snapshot());
    let case = Case::write(name, &text, expected);
    let Some(judges) = Judges::find() else { return };

    let (exit, complaints) = judges.promtool(&case);
    match exit {
        Some(0) => {}
        // 3 is a lint; 1 is a page that does not parse.
        Some(3) if lint == Lint::Allowed => {}
        _ => panic!("promtool: exit {exit:?}\n{complaints}\n{text}"),
    }
    let (exit, differences) = judges.python(&case);
    assert_eq!(exit, Some(0), "the Python parser's view:\n{differences}\n{text}");
    judge_openmetrics(name, registry, expected, Format::OPENMETRICS_1);
}

/// The strict one: it refuses a page for a name that clashes or a count that may not be there.
fn judge_openmetrics(name: &str, registry: &Registry, expected: &Expected, format: Format) {
    let text = String::from_utf8(format.encode(&registry.snapshot())).unwrap();
    let case = Case::write(&format!("{name}_openmetrics"), &text, expected);
    let Some(judges) = Judges::find() else { return };
    let (exit, differences) = judges.python_openmetrics(&case);
    assert_eq!(exit, Some(0), "the OpenMetrics parser's view:\n{differences}\n{text}");
}

struct Judges {
    promtool: PathBuf,
    python: PathBuf,
}

impl Judges {
    fn find() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let tool = |variable: &str, usual: &str| {
            std::env::var_os(variable).map_or_else(|| root.join(usual), PathBuf::from)
        };
        let promtool = tool("NISSA_PROMTOOL", "target/tools/bin/promtool");
        let python = tool("NISSA_PYTHON", "target/tools/venv/bin/python");
        if promtool.exists() && python.exists() {
            return Some(Self { promtool, python });
        }
        let is = |variable, value| std::env::var(variable).is_ok_and(|set| set == value);
        let required = is("CI", "true") || is("NISSA_REQUIRE_TOOLS", "1");
        assert!(!required, "promtool or the Python parser is missing: run scripts/setup.sh");
        // Not eprintln!: the test harness would keep that to itself.
        let mut stderr = std::io::stderr();
        let _ = writeln!(stderr, "skipped: no promtool or Python parser; run scripts/setup.sh");
        None
    }

    fn promtool(&self, case: &Case) -> (Option<i32>, String) {
        let mut command = Command::new(&self.promtool);
        run(command.args(["check", "metrics"]).stdin(File::open(&case.scrape).unwrap()))
    }

    fn python(&self, case: &Case) -> (Option<i32>, String) {
        self.judge_py(case, &[])
    }

    fn python_openmetrics(&self, case: &Case) -> (Option<i32>, String) {
        self.judge_py(case, &["--openmetrics"])
    }

    fn judge_py(&self, case: &Case, more: &[&str]) -> (Option<i32>, String) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/judge.py");
        let mut command = Command::new(&self.python);
        // nissa's metrics about itself are in every scrape.
        command.arg(script).args([&case.expected, &case.scrape]).args(["--ignore", "nissa_"]);
        run(command.args(more))
    }
}

fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// A scrape and what it should hold, as files the judges read and a person can look at.
struct Case {
    scrape: PathBuf,
    expected: PathBuf,
}

impl Case {
    fn write(name: &str, text: &str, expected: &Expected) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("judges");
        fs::create_dir_all(&folder).unwrap();
        let scrape = folder.join(format!("{name}.txt"));
        fs::write(&scrape, text).unwrap();
        let json = folder.join(format!("{name}.json"));
        fs::write(&json, format!("[\n{}\n]\n", expected.0.join(",\n"))).unwrap();
        Self { scrape, expected: json }
    }
}

/// The entries of the JSON list `scripts/judge.py` reads.
#[derive(Default)]
struct Expected(Vec<String>);

impl Expected {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let (name, kind, help) = (json(name), json(kind), json(help));
        self.0.push(format!(r#"{{"family":{name},"type":{kind},"help":{help}}}"#));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Debug) {
        self.sample_within(0.0, name, labels, value);
    }

    fn sample_within(
        &mut self,
        relative: f64,
        name: &str,
        labels: &[(&str, &str)],
        value: impl Debug,
    ) {
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| format!("{}:{}", json(name), json(value))).collect();
        // JSON has no word for these three.
        let value = match format!("{value:?}").as_str() {
            special @ ("NaN" | "inf" | "-inf") => json(special),
            number => number.to_owned(),
        };
        let (name, labels) = (json(name), labels.join(","));
        self.0.push(format!(
            r#"{{"name":{name},"labels":{{{labels}}},"value":{value},"relative":{relative}}}"#
        ));
    }
}

impl Expected {
    fn exemplar(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        value: impl Debug,
        of: &[(&str, &str)],
    ) {
        let object = |labels: &[(&str, &str)]| {
            let pair = |(name, value): &(&str, &str)| format!("{}:{}", json(name), json(value));
            labels.iter().map(pair).collect::<Vec<_>>().join(",")
        };
        let (name, labels, of) = (json(name), object(labels), object(of));
        self.0.push(format!(
            r#"{{"exemplar":{name},"labels":{{{labels}}},"value":{value:?},"of":{{{of}}}}}"#
        ));
    }
}

fn json(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control < ' ' => quoted.push_str(&format!("\\u{:04x}", control as u32)),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
