#!/usr/bin/env bash
# Feeds the endpoint inputs that nobody thought of, for so many seconds each target (60).
# usage: scripts/fuzz.sh [seconds] [target]     targets: accept_headers query_strings bytes_of_a_connection
set -euo pipefail
cd "$(dirname "$0")/.."

export NISSA_FUZZ_SECONDS=${1:-60}
cargo test --release --features full --test http_fuzz -- --nocapture --test-threads=1 ${2:+"$2"}
