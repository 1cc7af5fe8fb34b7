//! AMD cards, read from trees of files such as the amdgpu driver's documentation describes; they are
//! not recorded from a machine.
#![cfg(all(feature = "gpu", target_os = "linux"))]

mod gpu;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gpu::Watch;
use nissa::Registry;
use nissa::collect::{Gpu, Gpus, Runner};

/// A copy of the trees that a test may change.
struct Tree(PathBuf);

impl Tree {
    fn new() -> Self {
        static COPIES: AtomicU32 = AtomicU32::new(0);
        let copy = COPIES.fetch_add(1, Ordering::Relaxed);
        let name = format!("amdgpu-{}-{copy}", std::process::id());
        let tree = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        copy_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/amdgpu"), &tree.0);
        tree
    }

    /// In place, since files are held open.
    fn write(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).unwrap();
    }
}

impl Tree {
    /// Makes a file one that opens and cannot be read, as a folder is.
    fn spoil(&self, file: &Path) {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn watch(tree: &Tree, settings: impl FnOnce(Gpu) -> Gpu) -> Watch {
    let gpu = Gpu::default()
        .lib_path("/no/such/library.so")
        .drm_path(&tree.0)
        .wait(Duration::from_secs(60))
        .patience(Duration::from_secs(120))
        .slow_interval(Duration::ZERO);
    let registry = Registry::new();
    let mut runner = Runner::new(&registry);
    runner.add(settings(gpu));
    Watch { registry, runner }
}

#[test]
fn a_card_fills_the_names_that_every_gpu_has() {
    let tree = Tree::new();
    let mut watch = watch(&tree, |gpu| gpu);
    let expected: Vec<&str> = include_str!("data/gpu/amd.txt").lines().collect();
    let page = watch.collect().page();
    assert_eq!(page, expected, "\n{}\n", page.join("\n"));
    assert_eq!(watch.runner.errors(), []);
}

#[test]
fn files_are_read_again_where_they_are() {
    let tree = Tree::new();
    let mut watch = watch(&tree, |gpu| gpu);
    watch.collect();
    tree.write("card0/device/gpu_busy_percent", "3\n");
    tree.write("card0/device/mem_info_vram_used", "17163091968\n");
    tree.write("card0/device/hwmon/hwmon4/temp1_input", "-5000\n");
    watch.collect();
    assert_eq!(watch.value("gpu_utilization_ratio{gpu=\"card0\""), Some(0.03));
    assert_eq!(watch.value("gpu_memory_free_bytes{gpu=\"card0\""), Some(0.0));
    assert_eq!(watch.value("gpu_temperature_celsius{gpu=\"card0\""), Some(-5.0));
}

#[test]
fn nonsense_is_absent_and_harms_nothing() {
    let tree = Tree::new();
    let mut watch = watch(&tree, |gpu| gpu);
    watch.collect();
    let long = "9".repeat(5_000);
    for text in
        ["", "\n", "inf", "NaN", "12 34", "0x10", "99999999999999999999", &long, "\u{1F980}"]
    {
        tree.write("card0/device/gpu_busy_percent", text);
        watch.collect();
        assert_eq!(watch.value("gpu_utilization_ratio{gpu=\"card0\""), None, "{text}");
    }
    assert_eq!(watch.value("gpu_power_watts{gpu=\"card0\""), Some(37.0));
    tree.write("card0/device/gpu_busy_percent", "100");
    watch.collect();
    assert_eq!(watch.value("gpu_utilization_ratio{gpu=\"card0\""), Some(1.0));
}

#[test]
fn a_card_that_sleeps_is_up_and_not_asked() {
    let tree = Tree::new();
    let mut watch = watch(&tree, |gpu| gpu);
    watch.collect();
    tree.write("card0/device/power/runtime_status", "suspended\n");
    watch.collect();
    assert_eq!(watch.value("gpu_up{gpu=\"card0\""), Some(1.0));
    assert_eq!(watch.value("gpu_power_watts{gpu=\"card0\""), None);
    assert_eq!(watch.value("gpu_memory_free_bytes{gpu=\"card0\""), None);
    tree.write("card0/device/power/runtime_status", "active\n");
    watch.collect();
    assert_eq!(watch.value("gpu_power_watts{gpu=\"card0\""), Some(37.0));
}

#[test]
fn only_chosen_cards_are_read() {
    let tree = Tree::new();
    let mut watch = watch(&tree, |gpu| gpu.devices(Gpus::listed(["0000:83:00.0"])));
    watch.collect();
    assert_eq!(watch.value("gpu_up{gpu=\"card0\""), None);
    assert_eq!(watch.value("gpu_up{gpu=\"card1\""), Some(1.0));
}

#[test]
fn cards_of_others_and_outputs_are_no_amd_gpus() {
    let tree = Tree::new();
    tree.write("card1/device/vendor", "0x10de\n");
    let mut watch = watch(&tree, |gpu| gpu);
    watch.collect();
    let ups = watch.page().into_iter().filter(|line| line.starts_with("gpu_up")).count();
    assert_eq!(ups, 1);
}

#[test]
fn a_file_that_fails_is_absent_and_counted_and_harms_no_other() {
    let tree = Tree::new();
    tree.spoil(&tree.0.join("card0/device/gpu_busy_percent"));
    let mut watch = watch(&tree, |gpu| gpu);
    watch.collect().collect();
    assert_eq!(watch.value("gpu_utilization_ratio{gpu=\"card0\""), None);
    assert_eq!(watch.value("gpu_power_watts{gpu=\"card0\""), Some(37.0));
    assert_eq!(watch.errors("gpu_busy_percent"), Some(2.0));
    assert_eq!(watch.value("gpu_up{gpu=\"card0\""), Some(1.0));
}

#[test]
fn a_card_that_answers_nothing_is_down() {
    let tree = Tree::new();
    let device = tree.0.join("card1/device");
    for folder in [device.clone(), device.join("hwmon/hwmon7")] {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let kept = ["vendor", "uevent", "product_name", "name", "temp2_label", "temp3_label"];
            let name = entry.file_name().into_string().unwrap();
            if entry.path().is_file() && !kept.contains(&&*name) {
                tree.spoil(&entry.path());
            }
        }
    }
    let mut watch = watch(&tree, |gpu| gpu);
    watch.collect();
    assert_eq!(watch.value("gpu_up{gpu=\"card1\""), Some(0.0));
    assert_eq!(watch.value("gpu_up{gpu=\"card0\""), Some(1.0));
    assert_eq!(watch.value("gpu_lost_total{gpu=\"card1\""), Some(0.0), "it was never there");
}
