#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Formats the C files with clang-format, or with --check says which are not formatted (exit status 1).
set -euo pipefail
cd "$(dirname "$0")/.."
formatter=$(command -v clang-format-14 || command -v clang-format) || {
    echo "fmt: clang-format is missing: tools/setup.sh --test installs it" >&2
    exit 2
}
mapfile -t files < <(git ls-files --cached --others --exclude-standard {src,tests,bench}/'*.'{c,h})
if [ "${1:-}" != --check ]; then
    "$formatter" -i "${files[@]}"
    exit
fi
bad=$(printf '%s\0' "${files[@]}" | xargs -0 -P "$(nproc)" -n 16 "$formatter" --dry-run 2>&1 |
    sed -n 's/^\([^: ]*\):[0-9]*:[0-9]*: warning: .*/\1: not formatted; run make fmt/p' | sort -u)
if [ -n "$bad" ]; then
    echo "$bad"
    exit 1
fi
