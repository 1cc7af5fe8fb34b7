//! Trees of files under `tests/data`, and what the collectors show of one.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::fs;
use std::path::{Path, PathBuf};

use nissa::Registry;
use nissa::collect::{CollectionError, Host, Runner};

/// What is shown of a tree, and what failed.
pub(crate) struct Seen {
    pub(crate) registry: Registry,
    pub(crate) runner: Runner,
}

impl Seen {
    pub(crate) fn of(host: Host) -> Self {
        let registry = Registry::new();
        let mut runner = Runner::new(&registry);
        runner.add(host.filesystems([""; 0]));
        runner.collect();
        Self { registry, runner }
    }

    pub(crate) fn container(tree: impl AsRef<Path>) -> Self {
        Self::of(Host::default().machine(false).process(false).root(tree.as_ref()))
    }

    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.registry.snapshot().value(name)
    }

    #[track_caller]
    pub(crate) fn shows(&self, expected: &[(&str, f64)]) {
        for (name, value) in expected {
            assert_eq!(self.value(name), Some(*value), "{name}");
        }
    }

    #[track_caller]
    pub(crate) fn shows_none_of(&self, names: &[&str]) {
        for name in names {
            assert_eq!(self.value(name), None, "{name}");
        }
    }

    pub(crate) fn failed(&self) -> Vec<String> {
        let source = |error: CollectionError| format!("{} {}", error.collector, error.source);
        self.runner.errors().into_iter().map(source).collect()
    }

    /// Names of everything in the output but what is said of collectors.
    pub(crate) fn names(&self) -> Vec<String> {
        let snapshot = self.registry.snapshot();
        let names = snapshot.families().map(|family| family.name().to_owned());
        names.filter(|name| !name.starts_with("nissa_")).collect()
    }
}

pub(crate) fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path)
}

/// A folder of this process's own: the tests may run twice at a time.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let name = format!("collect-{name}-{}", std::process::id());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A copy of a tree to change, removed when dropped.
pub(crate) struct Tree(pub(crate) PathBuf);

impl Tree {
    pub(crate) fn copy(name: &str, of: &str) -> Self {
        let root = scratch(name);
        let _ = fs::remove_dir_all(&root);
        copy(&data(of), &root);
        Self(root)
    }

    /// A folder in which the kernel's own `/proc` is.
    pub(crate) fn elsewhere(name: &str) -> Self {
        let root = scratch(name);
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).unwrap();
        std::os::unix::fs::symlink("/proc", root.join("proc")).unwrap();
        Self(root)
    }

    pub(crate) fn deny(&self, file: &Path) {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}
