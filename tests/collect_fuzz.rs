//! What a kernel might write, changed at random (see `fuzz`): every file the collectors read of the
//! trees under `tests/data`, among them the files of a real machine.
//!
//! Asked of every input: no panic, no collector that hangs, and no figure but sensible numbers.

#![cfg(all(feature = "host", target_os = "linux"))]

mod fuzz;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fuzz::{Random, fuzz};
use nissa::Registry;
use nissa::collect::{Collectors, Host, Runner};

/// What parsers look for, and numbers at their edges.
const WORDS: &[&[u8]] = &[
    b" ",
    b"\n",
    b"\t",
    b"\0",
    b"\xff",
    b":",
    b"-",
    b" - ",
    b",",
    b".",
    b"/",
    b"..",
    b"\\040",
    b"\\777",
    b"=",
    b"(",
    b") ",
    b"0",
    b"-1",
    b"18446744073709551615",
    b"18446744073709551616",
    b"9223372036854771712",
    b"99999999999999999999999999",
    b"0.5",
    b"1e9",
    b"nan",
    b"inf",
    b"max",
    b" kB",
    b"cpu",
    b"cpu9 ",
    b"some ",
    b"total=",
    b"cgroup2",
    b"memory",
    b"MemTotal: 0 kB\n",
    b"0::/\n",
    b"NSpid:\t1\t2\n",
    b"0x1002",
];

/// A copy of trees of `tests/data`, whose files are changed in place: collectors hold them open.
struct Tree {
    root: PathBuf,
    files: Vec<Changing>,
}

struct Changing {
    file: File,
    name: String,
    original: Vec<u8>,
}

/// Contents by the name of the file: what one tree holds is a seed for the file of another.
type Seeds = BTreeMap<String, Vec<Vec<u8>>>;

impl Tree {
    fn copy(from: &Path, name: &str) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let root = target.join(format!("collect-fuzz-{}-{name}", std::process::id()));
        let mut tree = Self { root: root.clone(), files: Vec::new() };
        tree.take(from, &root);
        assert!(!tree.files.is_empty(), "{} is empty", from.display());
        tree
    }

    fn take(&mut self, from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        // In order, so that a seed makes the same inputs everywhere.
        let mut entries: Vec<_> = fs::read_dir(from).unwrap().map(Result::unwrap).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (path, to) = (entry.path(), to.join(entry.file_name()));
            if path.is_dir() {
                self.take(&path, &to);
                continue;
            }
            let original = fs::read(&path).unwrap();
            fs::write(&to, &original).unwrap();
            let file = File::options().write(true).open(&to).unwrap();
            let name = entry.file_name().into_string().unwrap();
            self.files.push(Changing { file, name, original });
        }
    }

    fn change(&self, seeds: &Seeds, random: &mut Random) {
        for Changing { file, name, original } in &self.files {
            // What says where the others are is mostly left alone, or those are never found.
            let finds = ["cgroup", "mountinfo", "vendor"].contains(&name.as_str());
            let kept = random.below(if finds { 4 } else { 2 }) > 0;
            let seeds: Vec<&[u8]> = seeds[name].iter().map(Vec::as_slice).collect();
            let bytes = if kept { original.clone() } else { random.input(&seeds, WORDS) };
            file.write_all_at(&bytes, 0).unwrap();
            file.set_len(bytes.len() as u64).unwrap();
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn copies(names: &[&str]) -> (Vec<Tree>, Seeds) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let copy = |name: &&str| Tree::copy(&data.join(name), &name.replace('/', "-"));
    let trees: Vec<Tree> = names.iter().map(copy).collect();
    let mut seeds = Seeds::new();
    for changing in trees.iter().flat_map(|tree| &tree.files) {
        seeds.entry(changing.name.clone()).or_default().push(changing.original.clone());
    }
    (trees, seeds)
}

/// Collects from a tree that changes meanwhile, and looks at what is shown.
fn read(
    collectors: impl Into<Collectors>,
    tree: &Tree,
    seeds: &Seeds,
    random: &mut Random,
) -> usize {
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    tree.change(seeds, random);
    runner.add(collectors);
    let mut shown = 0;
    for _ in 0..2 {
        runner.collect();
        for error in runner.errors() {
            assert_ne!(error.source, "panic", "{}: {}", error.collector, error.error);
        }
        let snapshot = registry.snapshot();
        for family in snapshot.families() {
            for series in family.series() {
                let value = series.value().as_f64().unwrap();
                let may_be_less = family.name().ends_with("_celsius") && value.is_finite();
                assert!(value >= 0.0 || may_be_less, "{} is {value}", family.name());
                assert!(value.is_finite(), "{} is {value}", family.name());
                shown += 1;
            }
        }
        tree.change(seeds, random);
    }
    shown
}

#[test]
fn fuzz_files_of_machines() {
    let names = ["cgroup/v1", "cgroup/v2", "cgroup/v2_bare", "cgroup/hybrid", "cgroup/odd"];
    let (trees, seeds) = copies(&[&names[..], &["proc/odd", "proc/recorded"]].concat());
    let mut shown = 0;
    fuzz("files of machines", |random| {
        let tree = &trees[random.below(trees.len())];
        let host = Host::default()
            .root(&tree.root)
            .per_core(random.below(2) == 0)
            .threads(true)
            .process_tree(true)
            .cpu_frequency(true)
            .network_filesystems(random.below(2) == 0)
            .filesystems(["/", "/sys/fs/cgroup", "relative"]);
        shown += read(host, tree, &seeds, random);
    });
    assert!(shown > 1_000, "{shown} values");
}

#[cfg(feature = "gpu")]
#[test]
fn fuzz_files_of_amd_gpus() {
    use std::time::Duration;

    let (trees, seeds) = copies(&["amdgpu"]);
    let mut shown = 0;
    fuzz("files of AMD GPUs", |random| {
        let gpu = nissa::collect::Gpu::default()
            .lib_path("/no/such/library.so")
            .drm_path(&trees[0].root)
            .wait(Duration::from_secs(60))
            .slow_interval(Duration::ZERO);
        shown += read(gpu, &trees[0], &seeds, random);
    });
    assert!(shown > 100, "{shown} values");
}
