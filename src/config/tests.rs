//! Keys, setters, sections and documentation name the same settings.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::key::{self, Key};
use super::*;

const DOCUMENT: &str = include_str!("../../docs/CONFIG.md");

/// The types with setters, and where their keys are.
const BUILDERS: &[(&str, &str)] = &[
    ("Builder", ""),
    ("RegistryBuilder", "registry."),
    ("Server", "server."),
    ("Tls", "server.tls."),
    ("Host", "host."),
    ("Gpu", "gpu."),
    ("History", "history."),
    ("Alertmanager", "alertmanager."),
    ("Webhook", "webhook."),
];

/// Setters that take what no file can hold.
const CODE: &[&str] =
    &["add_rule", "clock", "collect", "configure", "health", "on_alert", "registry", "stage"];

/// Setters, and the keys that stand for them where those are not of one name.
const RENAMED: &[(&str, &[&str])] = &[
    ("global_label", &["registry.global_labels"]),
    ("drop_label", &["registry.drop_labels"]),
    ("files", &["server.tls.certificate", "server.tls.key"]),
    ("alert", &["alerts.rules"]),
    ("alertmanager", &["alertmanager.url"]),
    ("webhook", &["webhook.url"]),
    ("detector_state", &["alerts.detector_state"]),
    ("dashboard", &["dashboard.enabled"]),
    ("history", &["history.enabled"]),
    ("server", &["server.listen"]),
    ("serve", &["server.listen"]),
    // Tables of their own.
    ("tls", &[]),
];

/// Keys that set something else than a builder.
const OTHERS: &[&str] = &["registry.thread_memory", "health.", "host.enabled", "gpu.enabled"];

fn is_absent(path: &str) -> bool {
    key::absent().any(|(start, _)| path.starts_with(start))
}

fn names(below: &str) -> BTreeSet<String> {
    let names = key::all().filter_map(|key| key.path.strip_prefix(below));
    names.filter(|name| !name.contains('.')).map(str::to_owned).collect()
}

#[test]
fn every_setter_has_a_key_and_every_key_a_setter() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let mut left: BTreeSet<&str> = key::all().map(|key| key.path).collect();
    for (of, below) in BUILDERS.iter().filter(|(_, below)| !is_absent(below)) {
        let setters = setters(&sources, of);
        assert!(
            setters.len() >= 3,
            "only {setters:?} of {of} were seen: the reader has gone blind"
        );
        for setter in setters.iter().filter(|setter| !CODE.contains(&setter.as_str())) {
            let renamed = RENAMED.iter().find(|(name, _)| name == setter);
            let same = [format!("{below}{setter}")];
            let paths = renamed.map_or(same.to_vec(), |(_, paths)| {
                paths.iter().map(|path| (*path).to_owned()).collect()
            });
            for path in paths.iter().filter(|path| !is_absent(path)) {
                assert!(
                    key::find(path).is_some(),
                    "{of}::{setter} has no key {path}: add it to its section, to KEYS and to \
                     docs/CONFIG.md, or to CODE in this test if no file can hold it"
                );
                left.remove(path.as_str());
            }
        }
    }
    left.retain(|path| OTHERS.iter().all(|other| !path.starts_with(other)));
    assert!(left.is_empty(), "nothing sets {left:?}");
}

/// The public methods that take `self` by value and give it back, and what begins a `Tls`.
fn setters(sources: &str, of: &str) -> BTreeSet<String> {
    let head = format!("\nimpl {of} {{\n");
    let blocks = sources.split(&head).skip(1);
    let blocks = blocks.map(|rest| rest.split("\n}\n").next().unwrap_or_default());
    // Those of sinks over HTTP are written once.
    let shared = sources.contains(&format!("sends_over_http!({of});"));
    let shared = shared.then(|| sources.split("impl $sink {\n").nth(1)).flatten();
    let shared = shared.and_then(|rest| rest.split("\n        }\n").next());
    let blocks = blocks.chain(shared);
    let methods = blocks.flat_map(|block| block.split("    pub fn ").skip(1));
    let setters = methods.filter(|method| {
        let head = method.split('{').next().unwrap_or_default();
        head.contains("-> Self") && (head.contains("self") || head.starts_with("files"))
    });
    let name = |method: &str| method.split(['(', '<']).next().unwrap_or_default().to_owned();
    setters.map(name).collect()
}

/// A rule's members are no keys, but have setters too.
#[test]
fn every_setter_of_a_rule_can_be_written() {
    if is_absent("alerts") {
        return;
    }
    let text = "[alerts]\nrules = [{ no_such_member = 1 }]";
    let error = toml::from_str::<Config>(text).unwrap_err().message().to_owned();
    let members: BTreeSet<String> =
        error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let mut wanted = setters(&sources, "Rule");
    assert!(wanted.len() > 15, "{wanted:?}");
    // Closures; and what the constructors take is a member.
    wanted.retain(|name| !["detector", "on_alert"].contains(&name.as_str()));
    wanted.extend(["metric".to_owned(), "group".to_owned()]);
    assert_eq!(members, wanted, "{error}");
    // Serde names no members of what may be a string too, so each is tried.
    for setter in setters(&sources, "Member") {
        let value = match setter.as_str() {
            "label" => "{ host = 'a' }",
            "rate" => "true",
            _ => "0.5",
        };
        let text = format!(
            "[alerts]\nrules = [{{ named = 'x', group = [{{ metric = 'a', {setter} = {value} }}] }}]"
        );
        assert!(toml::from_str::<Config>(&text).is_ok(), "{setter} of a group's member");
    }
}

fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
        text.push('\n');
    }
    text
}

#[test]
fn every_key_has_a_field_and_every_field_a_key() {
    let mut tables: BTreeSet<&str> = BTreeSet::from([""]);
    tables.extend(key::all().filter_map(|key| Some(key.path.rsplit_once('.')?.0)));
    for table in tables {
        let text = format!("{}\nno_such_key = 1", header(table));
        let error = toml::from_str::<Config>(&text).unwrap_err().message().to_owned();
        let fields: BTreeSet<String> = error
            .split('`')
            .skip(3)
            .step_by(2)
            .map(str::to_owned)
            .filter(|field| !key::is_table(&format!("{}{field}", prefix(table))))
            .filter(|field| key::absent().all(|(start, _)| start != prefix(table) + field))
            .collect();
        assert_eq!(fields, names(&prefix(table)), "{table}: {error}");
    }
}

fn prefix(table: &str) -> String {
    if table.is_empty() { String::new() } else { format!("{table}.") }
}

fn header(table: &str) -> String {
    if table.is_empty() { String::new() } else { format!("[{table}]") }
}

#[test]
fn the_document_lists_the_keys() {
    let row = |key: &Key| {
        let secret = if key.secret { "; never shown" } else { "" };
        format!("| `{}` | {}{secret} | {} |", key.path, key.allowed, key.default)
    };
    let expected: Vec<String> = key::all().map(row).collect();
    let listed: Vec<&str> = DOCUMENT.lines().filter(|line| line.starts_with("| `")).collect();
    let here = |line: &&str| !is_absent(line.split('`').nth(1).unwrap_or_default());
    let listed: Vec<&str> = listed.into_iter().filter(here).collect();
    assert_eq!(listed, expected, "the rows should be:\n{}\n", expected.join("\n"));
}

#[test]
fn the_example_holds_every_key_and_is_accepted() {
    let example = DOCUMENT.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut table: toml::Table = toml::from_str(example.unwrap()).unwrap();
    for (start, _) in key::absent() {
        remove(&mut table, start);
    }
    for key in key::all() {
        let whole = toml::Value::Table(table.clone());
        let value = key.path.split('.').try_fold(&whole, |value, name| value.get(name));
        assert!(value.is_some(), "{} is not in the example", key.path);
    }
    let config = Merged::default().table(table, "").unwrap().config().unwrap();
    assert!(config.builder().is_ok());
}

fn remove(table: &mut toml::Table, path: &str) {
    match path.split_once('.') {
        None => drop(table.remove(path)),
        Some((name, rest)) => {
            if let Some(toml::Value::Table(below)) = table.get_mut(name) {
                remove(below, rest);
            }
        }
    }
}
