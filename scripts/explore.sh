#!/usr/bin/env bash
# Asks the property tests new questions. scripts/test.sh asks the same ones each time, so that what
# fails there is the change; here each round draws its own, and a failure prints the seed to ask again.
# usage: scripts/explore.sh [rounds] [test name]     rounds: 10
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1

rounds=${1:-10}
programs=(--lib)
for file in $(grep -l 'proptest!' tests/*.rs tests/*/*.rs); do
    program=${file#tests/} program=${program%%/*}
    programs+=(--test "${program%.rs}")
done

for ((round = 1; round <= rounds; round++)); do
    export PROPTEST_RNG_SEED=$((RANDOM << 30 | RANDOM << 15 | RANDOM))
    echo "== round $round of $rounds: PROPTEST_RNG_SEED=$PROPTEST_RNG_SEED"
    cargo test --quiet --no-fail-fast --all-features "${programs[@]}" ${2:+"$2"} || exit 1
done
