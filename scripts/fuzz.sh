#!/usr/bin/env bash
# Feeds what reads strangers' bytes inputs that nobody thought of, for so many seconds each target
# (60): the endpoint, the collectors' parsers, the files of alerts and of the history.
# Others each time, unless NISSA_FUZZ_SEED says which.
# usage: scripts/fuzz.sh [seconds] [target]
# targets: accept_headers query_strings bytes_of_a_connection fuzz_files_of_machines
#          fuzz_files_of_amd_gpus fuzz_state_files fuzz_records_of_the_history
set -euo pipefail
cd "$(dirname "$0")/.."

export NISSA_FUZZ_SECONDS=${1:-60} NISSA_FUZZ_SEED=${NISSA_FUZZ_SEED:-$RANDOM$RANDOM}
echo "NISSA_FUZZ_SEED=$NISSA_FUZZ_SEED"
cargo test --release --features full --test http_fuzz -- --nocapture --test-threads=1 ${2:+"$2"}
# Not optimised: sums that overflow panic here, and the tests have built it already.
cargo test --all-features --lib --test collect_fuzz -- --nocapture --test-threads=1 "${2:-fuzz_}"
