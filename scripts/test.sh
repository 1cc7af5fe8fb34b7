#!/usr/bin/env bash
# Everything a change must pass, as CI runs it. Runs all steps, then lists what failed.
# usage: scripts/test.sh [quick]      quick leaves out loom, fuzzing, AddressSanitizer, other systems and packaging
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1

mode=${1:-full}
target=${CARGO_TARGET_DIR:-target}
logs=$target/test-logs
# Crates in the default build, nissa included: every one is compiled by every user.
crate_budget=18
# Seconds of a clean default build; ten times what an idle machine needs, since CI's is not idle.
seconds_budget=60

export CARGO_TERM_COLOR=never
# A hundred test programs with full debug information fill a disk and the time to link them;
# nothing here is built twice by increments.
export CARGO_PROFILE_DEV_DEBUG=line-tables-only CARGO_INCREMENTAL=0
export NISSA_REQUIRE_TOOLS=1
# The property tests and the fuzzing ask the same questions each time, so that what fails is the
# change; scripts/explore.sh and fuzz.sh by themselves ask new ones.
export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-20261120}
export PATH=$PWD/target/tools/bin:$PATH

passed=0 failed=0 skipped=0
summary=() failures=()

main() {
    mkdir -p "$logs"
    step 'setup' ./scripts/setup.sh
    step 'format' cargo fmt --check
    step 'licences and duplicates' cargo deny check bans licenses sources
    step 'default build budget' default_build_budget
    step 'lint each feature' lint_each_feature
    step 'lint all targets' cargo clippy --all-features --all-targets -- -D warnings
    slow 'lint for other systems' lint_for_other_systems
    step 'tests, no features' cargo test --no-fail-fast --tests
    step 'tests, all features' cargo test --no-fail-fast --tests --all-features
    step 'doc tests, no features' cargo test --no-fail-fast --doc
    step 'doc tests, all features' cargo test --no-fail-fast --doc --all-features
    step 'docs, no features' env RUSTDOCFLAGS='-D warnings' cargo doc --no-deps
    step 'docs as docs.rs shows them' docs_with_feature_labels
    slow 'loom' loom
    slow 'fuzz' env NISSA_FUZZ_SEED=1 ./scripts/fuzz.sh 10
    slow 'AddressSanitizer' address_sanitizer
    step 'examples, no features' cargo build --release --examples
    step 'examples, full' cargo build --release --examples --features full
    step 'train_digits' train_digits
    slow 'package' package
    report
}

# step NAME COMMAND...: runs it, keeps its output in a log, counts the tests in it.
step() {
    local name=$1 start=$SECONDS log status=ok
    shift
    log=$logs/${name//[ ,]/-}.log
    printf '\n== %s: %s\n' "$name" "$*"
    "$@" 2>&1 | tee "$log" || status=FAILED
    count "$log" "$status"
    summary+=("$(printf '%5d s  %-6s  %s' $((SECONDS - start)) "$status" "$name")")
    [ "$status" = ok ] || failures+=("$name, see $log")
}

slow() { [ "$mode" = quick ] || step "$@"; }

# A step that fails without a failed test counts as one; a skipped test is not a passed one.
count() {
    local ran bad left_out said
    read -r ran bad left_out < <(awk '/^test result:/ { ran += $4; bad += $6; left_out += $8 }
        END { print ran + 0, bad + 0, left_out + 0 }' "$1")
    said=$(grep -cE '(^|\.\.\. )skipped: ' "$1")
    [ "$2" = ok ] || [ "$bad" -gt 0 ] || bad=1
    passed=$((passed + ran - said)) failed=$((failed + bad)) skipped=$((skipped + left_out + said))
}

report() {
    printf '\n== what ran\n'
    printf '%s\n' "${summary[@]}"
    printf '%5d s  in all\n' "$SECONDS"
    for failure in ${failures[@]+"${failures[@]}"}; do echo "FAILED: $failure"; done
    local line="$passed passed, $failed failed"
    [ "$skipped" -eq 0 ] || line+=", $skipped skipped"
    echo "$line"
    [ ${#failures[@]} -eq 0 ]
}

default_build_budget() {
    local crates start
    crates=$(cargo tree -e normal --no-default-features --prefix none | sed 's/ (\*)$//' | sort -u | wc -l) || return
    echo "$crates crates in the default build, the budget is $crate_budget"
    rm -rf "$target/clean"
    start=$EPOCHREALTIME
    CARGO_TARGET_DIR=$target/clean cargo build --lib --no-default-features || return
    local seconds
    seconds=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $start }")
    echo "a clean default build takes $seconds s, the budget is $seconds_budget"
    rm -rf "$target/clean"
    [ "$crates" -le "$crate_budget" ] && [ "${seconds%.*}" -le "$seconds_budget" ]
}

lint_each_feature() {
    local features feature status=0
    features=$(cargo metadata --no-deps --format-version 1 | python3 -c '
import json, sys
for feature in json.load(sys.stdin)["packages"][0]["features"]: print(feature)') || return
    for feature in '' $features; do
        echo "-- ${feature:-no features}"
        cargo clippy --no-default-features --features "$feature" -- -D warnings || status=1
    done
    return $status
}

# What needs no C compiler for them: the collectors above all, which read other sources there.
lint_for_other_systems() {
    local target library status=0
    for target in x86_64-pc-windows-gnu aarch64-apple-darwin; do
        library=$(rustc --print sysroot)/lib/rustlib/$target
        [ -d "$library" ] || timeout 120 rustup target add "$target" || true
        if ! [ -d "$library" ] || ! timeout 120 cargo fetch --target "$target"; then
            echo "left out: no standard library or crates for $target"
            continue
        fi
        echo "-- $target"
        cargo clippy --target "$target" --features config,detect,gpu,history,host,log,tokio-runtime -- -D warnings || status=1
    done
    return $status
}

# The labels are a feature of rustdoc's that is not stable yet; docs.rs has it on.
docs_with_feature_labels() {
    RUSTC_BOOTSTRAP=1 RUSTDOCFLAGS='--cfg docsrs -D warnings' CARGO_TARGET_DIR=$target/docs \
        cargo doc --no-deps --all-features
}

loom() {
    RUSTFLAGS='--cfg nissa_loom' LOOM_MAX_PREEMPTIONS=${LOOM_MAX_PREEMPTIONS:-2} CARGO_TARGET_DIR=$target/loom \
        cargo test --no-fail-fast --release --lib
}

# An explicit target keeps the sanitizer out of build scripts and macros.
# Over the core: `unsafe` is in src/cells alone, and no feature that pulls crates adds any.
address_sanitizer() {
    local host
    host=$(rustc -vV | sed -n 's/^host: //p')
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=$target/asan \
        ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 \
        LSAN_OPTIONS=suppressions=$PWD/scripts/lsan.supp:print_suppressions=0 \
        cargo test --no-fail-fast --target "$host" --tests --features log,test-util
}

# The README's first command, and what it promises of its last line.
train_digits() {
    local last accuracy
    cargo run --release --features full --example train_digits | tee "$logs/train_digits.out" || return
    last=$(tail -n 1 "$logs/train_digits.out")
    accuracy=$(sed -nE 's/^result accuracy=([0-9.]+) seconds=.*/\1/p' <<<"$last")
    awk "BEGIN { exit !(${accuracy:-0} >= 0.95) }" || { echo "not 'result accuracy=0.95' or more: $last"; return 1; }
}

package() {
    cargo package --no-verify --allow-dirty || return
    local files
    files=$(cargo package --list --allow-dirty) || return
    for file in README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT; do
        grep -qx "$file" <<<"$files" || { echo "$file is not in the package"; return 1; }
    done
}

main
