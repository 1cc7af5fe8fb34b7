//! The floors of the crate: a module imports only from floors below its own, so that any of them
//! can be read, tested or replaced without what stands on it. This test reads the imports of all
//! of `src/`; test modules are left out, they may look anywhere.
//!
//! It also holds what the modules claim for themselves: one names the atomics and locks, one reads
//! time, one has `unsafe` code.

#[path = "layering/source.rs"]
mod source;

use source::Source;

/// The floors, lowest first. A new module needs a place here.
const FLOORS: &[(&str, &[&str])] = &[
    (
        "what stands alone: primitives, time, the error, the log, JSON",
        &["sync", "clock", "error", "json", "logging"],
    ),
    (
        "how numbers are cut into buckets, and what is counted when something is refused",
        &["anomaly", "buckets", "notice"],
    ),
    ("where counts live, and what names and labels become", &["cells", "escape", "key"]),
    ("one series: its labels and its cells", &["entry"]),
    ("what a program holds to record with, and what it reads", &["instrument", "snapshot"]),
    ("all series by name", &["registry"]),
    (
        "the ways in and out, and what judges numbers alone",
        &["recorder", "site", "macros", "expose", "manual_clock", "detect", "route", "thread"],
    ),
    ("whether the program is well", &["health"]),
    ("the clockwork, which knows no stage by name", &["monitor", "client"]),
    ("the recent past of every series, for whoever looks back", &["history"]),
    ("stages, blind to one another", &["alert", "collect", "dashboard", "server", "watch"]),
    (
        "what names a stage: the builder's settings, and services that hold the endpoint",
        &["config", "service"],
    ),
    ("the front page", &["lib"]),
];

/// Names that belong to one module, and where else one may stand all the same.
const OWNERS: &[Owner] = &[
    Owner {
        words: &["sync", "::", "atomic"],
        home: "sync.rs",
        also: &[(
            "entry.rs",
            "a fence beside the pointer's own count, which is std's in every build",
        )],
    },
    Owner { words: &["parking_lot"], home: "sync.rs", also: &[] },
    Owner { words: &["Instant", "::", "now"], home: "clock.rs", also: &[] },
    Owner { words: &["SystemTime"], home: "clock.rs", also: &[] },
    Owner { words: &[".", "elapsed", "("], home: "clock.rs", also: &[] },
    Owner { words: &["unsafe"], home: "cells/", also: &[] },
];

struct Owner {
    words: &'static [&'static str],
    /// A file, or a folder with everything in it.
    home: &'static str,
    also: &'static [(&'static str, &'static str)],
}

#[test]
fn modules_import_only_from_lower_floors() {
    let sources = Source::all();
    let violations: Vec<String> = sources.iter().flat_map(upward_imports).collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
    let imports: usize = sources.iter().map(|source| source.imports().len()).sum();
    assert!(imports > 50, "only {imports} imports were seen: the reader has gone blind");
}

#[test]
fn every_module_has_a_floor_and_every_floor_its_modules() {
    let mut named: Vec<&str> = FLOORS.iter().flat_map(|(_, modules)| *modules).copied().collect();
    let mut there: Vec<String> = Source::all().iter().map(|source| source.module.clone()).collect();
    named.sort_unstable();
    there.sort_unstable();
    there.dedup();
    assert_eq!(there, named);
}

#[test]
fn atomics_time_and_unsafe_code_stay_at_home() {
    let sources = Source::all();
    let violations: Vec<String> = OWNERS
        .iter()
        .flat_map(|owner| sources.iter().flat_map(move |source| strays(source, owner)))
        .collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
    for owner in OWNERS {
        for (file, reason) in owner.also {
            let source = sources.iter().find(|source| source.path == *file);
            let used = source.is_some_and(|source| !source.find(owner.words).is_empty());
            assert!(used, "{file} needs no exception any more: {reason}");
        }
    }
}

#[test]
fn the_macros_name_nothing_but_what_is_there_for_them() {
    let sources = Source::all();
    let macros = sources.iter().find(|source| source.module == "macros").unwrap();
    let named: Vec<&str> = macros.after(&["$", "crate", "::"]).map(|(_, name)| name).collect();
    assert!(named.len() > 10);
    for name in named {
        assert!(name.starts_with("__") || name == "Level", "$crate::{name} in macros.rs");
    }
}

/// A reader that finds nothing would let everything pass.
#[test]
fn made_up_upward_imports_are_caught() {
    let caught = [
        ("cells/page.rs", "use crate::registry::Registry;", 1),
        ("key.rs", "use crate::cells::{self, CellId};", 1),
        ("entry.rs", "use crate::{key, cells::Row, snapshot::{Value, Series}};", 1),
        ("entry.rs", "fn f() -> crate::Registry { todo!() }", 1),
        ("entry.rs", "use super::registry;", 1),
        ("cells/deep/page.rs", "use super::super::super::registry;", 1),
        ("cells/deep/mod.rs", "use super::super::registry;", 1),
        ("cells/page.rs", "mod a { use super::super::super::{sync, site}; }", 1),
        ("registry/mod.rs", "pub use crate::expose::text; use crate::site::Site;", 2),
        ("clock.rs", "#[cfg(any(test, feature = \"x\"))]\nuse crate::registry;", 1),
        (
            "cells/page.rs",
            "/* ' */ const C: char = '\"'; use crate::entry; const S: &str = \"\";",
            1,
        ),
    ];
    let allowed = [
        ("entry.rs", "use crate::cells::Row; use crate::sync;", 0),
        ("cells/page.rs", "use super::arena::Arena; use crate::cells::gate;", 0),
        ("cells/deep/page.rs", "use super::super::arena::Arena;", 0),
        ("entry.rs", "/// [`x`](crate::Registry)\n/* crate::site */ //! crate::x", 0),
        (
            "entry.rs",
            "const S: &str = r#\"\" crate::site\"#; const T: &str = \"\\\" crate::site\";",
            0,
        ),
        ("key.rs", "#[cfg(test)]\nmod tests { use crate::Registry; }", 0),
        ("key.rs", "#[cfg(all(test, not(x)))] mod tests { fn f() {} use crate::a; }", 0),
    ];
    for (path, text, count) in caught.into_iter().chain(allowed) {
        assert_eq!(upward_imports(&Source::new(path, text)).len(), count, "{path}: {text}");
    }
}

#[test]
fn made_up_strays_are_caught() {
    let cases = [
        ("site.rs", "use std::sync::atomic::AtomicU32;", 1),
        ("key.rs", "static L: parking_lot::Mutex<u8> = parking_lot::Mutex::new(0);", 2),
        ("instrument/timer.rs", "fn f() { Instant::now().elapsed(); }", 2),
        ("entry.rs", "let x = unsafe { *p }; // SAFETY: 'tis", 1),
        ("cells/block.rs", "unsafe { *p }", 0),
        ("lib.rs", "#![deny(unsafe_code)] //! unsafe\nfn elapsed() {}", 0),
    ];
    for (path, text, count) in cases {
        let source = Source::new(path, text);
        let found: usize = OWNERS.iter().map(|owner| strays(&source, owner).len()).sum();
        assert_eq!(found, count, "{path}: {text}");
    }
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|(_, modules)| modules.contains(&module))
}

fn upward_imports(source: &Source) -> Vec<String> {
    let at = floor(&source.module).unwrap_or(0);
    let wrong = source.imports().into_iter().filter_map(|(line, target)| {
        let place = format!("src/{}:{line}", source.path);
        match floor(&target) {
            _ if target == source.module || source.module == "lib" => None,
            Some(below) if below < at => None,
            Some(_) => {
                Some(format!("{place}: {} imports {target}, which is not below it", source.module))
            }
            None => Some(format!("{place}: {target} comes from the front page, or has no floor")),
        }
    });
    wrong.collect()
}

fn strays(source: &Source, owner: &Owner) -> Vec<String> {
    let at_home = source.path.starts_with(owner.home);
    if at_home || owner.also.iter().any(|(file, _)| *file == source.path) {
        return Vec::new();
    }
    let words = owner.words.concat();
    let place = |at: usize| format!("src/{}:{}", source.path, source.tokens[at].0);
    let stray = |at| format!("{}: {words} belongs into {}", place(at), owner.home);
    source.find(owner.words).into_iter().map(stray).collect()
}
