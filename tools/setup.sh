#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing to build Vitrine on Debian 12 (or a system that has these packages), then the npm packages.
#
#   tools/setup.sh            to build
#   tools/setup.sh --test     to build and test
#   tools/setup.sh --bench    to build and measure
#   -y                        do not ask (also when CI is set, or when there is no terminal and we are root)
#
# Asks before it uses sudo. Does nothing, and quickly, when nothing is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

build=(gcc libc6-dev make git ca-certificates pkg-config meson ninja-build python3 libssl-dev zlib1g-dev libyaml-dev
    libnghttp2-dev libargon2-dev libqrencode-dev libcmark-gfm-dev libcmark-gfm-extensions-dev libzstd-dev libminizip-dev
    libexpat1-dev libcurl4-openssl-dev libseccomp-dev)
test=(clang libclang-rt-14-dev clang-format clang-tidy llvm cppcheck ccache curl openssl sqlite3 procps python3-pytest
    python3-cryptography python3-django python3-h11 python3-h2 nghttp2-client python3-hypothesis python3-jinja2
    python3-yaml python3-openpyxl python3-aiosmtpd python3-jwt chromium chromium-driver zstd sqlite-utils pebble bind9)
bench=(nginx-light haproxy caddy wrk apache2-utils strace)

wanted=("${build[@]}")
yes=${CI:+1}
for argument in "$@"; do
    case $argument in
    --test) wanted+=("${test[@]}") ;;
    --bench) wanted+=("${bench[@]}") ;;
    -y | --yes) yes=1 ;;
    *)
        echo "usage: tools/setup.sh [--test] [--bench] [-y]" >&2
        exit 64
        ;;
    esac
done

# Any node from 18 on does, from wherever it comes; Debian's is taken only where there is none.
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    wanted+=(nodejs npm)
elif [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 18 ]; then
    echo "setup: node $(node --version) is too old: 18 or later is needed" >&2
    exit 1
fi

installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# What a package is wanted for, where another package or a hand-made installation may give it as well.
present() {
    case $1 in
    gcc | make | git | meson | clang | clang-format | clang-tidy | cppcheck | ccache | curl | openssl | sqlite3 | \
        python3 | wrk | strace)
        command -v "$1" >/dev/null
        ;;
    ninja-build) command -v ninja >/dev/null ;;
    chromium-driver) command -v chromedriver >/dev/null ;;
    nginx-light) command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] ;;
    pkg-config) command -v pkg-config >/dev/null ;;
    *) false ;;
    esac
}

install_packages() {
    local missing=() package
    for package in "${wanted[@]}"; do
        installed "$package" || present "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if ! command -v apt-get >/dev/null; then
        echo "setup: this system has no apt-get; install what stands for these Debian packages: ${missing[*]}" >&2
        exit 1
    fi
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "setup: as root, run: apt-get install --no-install-recommends ${missing[*]}" >&2
            exit 1
        fi
        root=(sudo)
    fi
    echo "setup: to be installed${root:+ with sudo}: ${missing[*]}"
    if [ -z "$yes" ] && [ -t 0 ]; then
        read -r -p "Go on? [Y/n] " answer
        case $answer in [nN]*) exit 1 ;; esac
    fi
    "${root[@]}" apt-get -q update
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"
}

# npm ci starts from nothing, so it runs only when the lockfile is newer than what is there.
install_node_modules() {
    local done=node_modules/.package-lock.json try
    if [ -f "$done" ] && [ ! package-lock.json -nt "$done" ] && [ ! package.json -nt "$done" ]; then
        return 0
    fi
    for try in 1 2 3; do
        if npm ci --no-progress --loglevel=error; then
            touch "$done"
            return 0
        fi
        echo "setup: npm ci failed (try $try of 3)" >&2
        sleep $((try * 5))
    done
    echo "setup: the npm packages cannot be fetched; check the network and the registry that npm is set to" >&2
    return 1
}

install_packages
install_node_modules
