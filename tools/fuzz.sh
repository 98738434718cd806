#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the libFuzzer programs and runs each for a while. What it finds is kept beside the corpus for a look:
#   tools/fuzz.sh [SECONDS] [NAME...]     e.g. tools/fuzz.sh 600 json
# New inputs that reach new code go to build-fuzz/new/NAME; copy the telling ones into tests/fuzz/corpus/NAME.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true
command -v clang >/dev/null || {
    echo "fuzz: clang is missing: tools/setup.sh --test installs it" >&2
    exit 2
}
[ -f build-fuzz/build.ninja ] || CC=clang meson setup build-fuzz -Db_sanitize=address,undefined -Db_lundef=false \
    -Dfuzz=true -Dtests=false -Doptimization=1
ninja -C build-fuzz
failed=0
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    name=${name#fuzz_}
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then
        continue
    fi
    mkdir -p "build-fuzz/new/$name" "build-fuzz/crashes"
    echo "== $name: $seconds s"
    options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
        -artifact_prefix="build-fuzz/crashes/$name-")
    [ -f "tests/fuzz/$name.dict" ] && options+=(-dict="tests/fuzz/$name.dict")
    if ! "build-fuzz/tests/fuzz/fuzz_$name" "${options[@]}" "build-fuzz/new/$name" "tests/fuzz/corpus/$name"; then
        echo "fuzz: $name broke; the input is in build-fuzz/crashes" >&2
        failed=1
    fi
done
exit $failed
