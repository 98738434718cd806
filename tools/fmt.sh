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
bad=0
for file in "${files[@]}"; do
    if ! "$formatter" "$file" | cmp -s - "$file"; then
        echo "$file: not formatted; run make fmt"
        bad=1
    fi
done
exit $bad
