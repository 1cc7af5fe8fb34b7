//! The macros in a crate that depends on nissa by another name, and has no dependency `metrics`.
//! `tests/renamed/` is that crate. It is built with the versions this one has locked, and without
//! the network.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const EXPECTED: &str = "\
# HELP calls Calls.
# TYPE calls counter
calls 1
calls{k=\"literal\"} 2
calls{k=\"runtime\"} 3
calls{k=\"slice\"} 6
calls{service=\"http\"} 4
# HELP level Level.
# TYPE level gauge
level 7
level{k=\"runtime\"} 8
# TYPE runtime_total counter
runtime_total 5
# HELP seconds Seconds.
# TYPE seconds histogram
seconds_sum 9
seconds_count 1
";

#[test]
fn macros_follow_a_renamed_dependency() {
    let output = cargo(&["run", "--quiet", "--bin", "renamed"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), EXPECTED, "{}", said(&output));
}

#[test]
fn misuse_does_not_compile_and_says_why() {
    let cases = [
        ("unit_alone", "`unit:` needs a `description:` beside it"),
        ("value_of_no_text", "AsRef<str>` is not satisfied"),
    ];
    for (program, reason) in cases {
        let output = cargo(&["check", "--quiet", "--features", "misuse", "--bin", program]);
        let said = said(&output);
        assert!(!output.status.success(), "{program} compiles");
        assert!(said.contains(reason), "{program}: no {reason:?} in\n{said}");
        assert!(said.contains(&format!("{program}.rs")), "{program} is not pointed at:\n{said}");
        assert!(said.contains("due to 1 previous error"), "more than that is wrong:\n{said}");
    }
}

fn cargo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Flags are for the test itself: a sanitizer, say, would need an explicit target here too.
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(variable);
    }
    command
        .args(arguments)
        .arg("--offline")
        .current_dir(crate_folder())
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("renamed"))
        .env("CARGO_TERM_COLOR", "never")
        .output()
        .unwrap()
}

/// The crate, with the main crate's versions: all of them are on this machine.
fn crate_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join("tests/renamed");
        // Without one, cargo picks versions itself, from what it finds.
        let _ = fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"));
        folder
    })
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}
