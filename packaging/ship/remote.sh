# SPDX-License-Identifier: Apache-2.0
# What `vitrine ship` does on the other machine. It comes over ssh on standard input, as `sh -s -- VERB ARGUMENTS`, with
# the text of the unit in $unit_text; every verb but check runs as root. Answers are lines "@KEY VALUE"; all else is
# what other programs said. Each verb may be run again at any time: what is done already is left as it is.
set -u
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/sbin:/sbin
program=/usr/bin/vitrine
shipped=/usr/bin/.vitrine-shipped
before=/usr/bin/.vitrine-before
unit=/etc/systemd/system/vitrine-hub.service
dir=/var/lib/vitrine # as the unit says
patience=600         # seconds: a machine that was just made installs its own updates first

say() {
    printf '@%s %s\n' "$1" "$2"
}

fail() {
    say error "$1"
    say hint "$2"
    exit 3
}

# With what was sent taken away.
refuse() {
    rm -f "$shipped"
    fail "$1" "$2"
}

last_line() {
    printf '%s\n' "$1" | sed '/^ *$/d' | tail -n 1
}

# check: what machine this is. Changes nothing, needs nothing.
check() {
    say machine "$(uname -m)"
    system=$(sed -n 's/^PRETTY_NAME=//p' /etc/os-release 2>/dev/null | tr -d '"')
    say system "${system:-$(uname -s)}"
    command -v apt-get >/dev/null || fail "${system:-$(uname -s)} has no apt-get" \
        "ship works with Debian, Ubuntu and their kin; elsewhere run a container (packaging/docker/Dockerfile.hub)."
    [ -d /run/systemd/system ] || fail "systemd does not run there" \
        "Where something else starts services, let it start: vitrine up --dir $dir"
    if [ "$(id -u)" = 0 ]; then
        say root yes
    elif sudo -n true 2>/dev/null; then
        say root sudo
    elif ! command -v sudo >/dev/null; then
        fail "$(id -un) is not root, and there is no sudo" \
            "Ship to root@HOST, or install sudo and let it ask for no password."
    else
        fail "$(id -un) cannot become root there without a password" \
            "Ship to root@HOST, or let sudo ask for none (NOPASSWD in /etc/sudoers.d)."
    fi
}

# look DOMAIN PORT...: what is there already. Changes nothing.
look() {
    domain=$1
    shift
    if [ -f "$program" ]; then
        say sum "$(sha256sum "$program" | cut -d ' ' -f 1)"
    fi
    if systemctl is-active --quiet vitrine-hub; then
        say active yes
    fi
    if [ -f "$dir/hub.yaml" ]; then
        has=$(sed -n 's/^domain: *//p' "$dir/hub.yaml" | tr -d "\"'" | head -n 1)
        [ "$has" = "$domain" ] || fail "the hub in $dir there is for $has, not for $domain" \
            "Ship with --domain $has; for another hub name another machine."
        say hub yes
        return
    fi
    command -v ss >/dev/null || return 0
    for port in "$@"; do
        line=$(ss -Hltnp "sport = :$port" | head -n 1)
        [ -z "$line" ] && continue
        who=$(printf '%s' "$line" | sed -n 's/.*users:(("\([^"]*\)".*/\1/p')
        fail "port $port is taken there by ${who:-another program}" \
            "Stop that program and keep it from starting (systemctl disable --now ${who:-NAME}), then ship again."
    done
}

# libfoo.so.N is in the package libfooN, libfoo2.so.N in libfoo2-N; with t64 behind it where times have 64 bits.
packages_of() {
    case $1 in
    libz.so.1) echo zlib1g && return ;;
    libcrypto.so.*) set -- "libssl.so.${1##*.so.}" ;;
    esac
    name=${1%%.so.*}
    case $name in
    *[0-9]) name=$name- ;;
    esac
    echo "$name${1##*.so.}" "$name${1##*.so.}t64"
}

find_package() {
    for one in $(packages_of "$1"); do
        if apt-cache show "$one" >/dev/null 2>&1; then
            echo "$one"
            return
        fi
    done
}

# libraries SHA256: the program came over whole, and what it is linked to is there, or is installed now.
libraries() {
    new=$program
    [ -f "$shipped" ] && new=$shipped
    [ "$(sha256sum "$new" | cut -d ' ' -f 1)" = "$1" ] || refuse "the program did not come over whole" "Ship again."
    linked=$(ldd "$new" 2>&1)
    case $linked in
    *"not a dynamic executable"*)
        refuse "the program is for another kind of machine than $(uname -m)" \
            "Build it there, or name one: --program FILE"
        ;;
    *"' not found"*)
        wanted=$(printf '%s\n' "$linked" | sed -n "s/.*version .\(.*\)' not found.*/\1/p" | head -n 1)
        refuse "the program wants a newer system: $wanted" \
            "Build it on a machine like that one and name it: --program FILE"
        ;;
    esac
    names=$(printf '%s\n' "$linked" | sed -n 's/^[[:space:]]*\([^ ]*\) => not found.*/\1/p' | sort -u)
    # loaded when certificates are obtained
    ldconfig -p | grep -q 'libcurl\.so\.4' || names="$names libcurl.so.4"
    packages=
    updated=
    for name in $names; do
        found=$(find_package "$name")
        if [ -z "$found" ] && [ -z "$updated" ]; then
            said=$(apt-get update -o DPkg::Lock::Timeout="$patience" 2>&1) ||
                refuse "apt-get update fails there: $(last_line "$said")" "Repair its package sources, then ship again."
            updated=yes
            found=$(find_package "$name")
        fi
        if [ -z "$found" ]; then
            refuse "no package there has $name" \
                "Build the program on a machine like that one and name it: --program FILE"
        fi
        case " $packages " in
        *" $found "*) ;;
        *) packages="$packages $found" ;;
        esac
    done
    [ -z "$packages" ] && return
    # shellcheck disable=SC2086
    said=$(DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages \
        -o DPkg::Lock::Timeout="$patience" 2>&1) ||
        refuse "apt-get install$packages fails there: $(last_line "$said")" "Run it there by hand, then ship again."
    say packages "${packages# }"
}

# Requests are not lost by it; where the new program does not take over, the old one goes on and its file comes back.
upgrade() {
    said=$("$program" edge upgrade --no-wait --state "$dir/edge" 2>&1) && say upgraded yes && return
    mv -f "$before" "$program"
    fail "the new program did not take over: $(last_line "$said")" \
        "The old one goes on, and is the installed one again. journalctl -u vitrine-hub tells more."
}

# settle DOMAIN [MAIL]: a hub where there is none, the program and the unit in their places, and all of it running.
settle() {
    domain=$1
    new=$program
    [ -f "$shipped" ] && new=$shipped
    if [ ! -f "$dir/hub.yaml" ]; then
        if [ -n "${2:-}" ]; then
            said=$("$new" hub init --dir "$dir" --domain "$domain" --acme "$2" 2>&1)
        else
            said=$("$new" hub init --dir "$dir" --domain "$domain" 2>&1)
        fi || fail "vitrine hub init: $(last_line "$said")" "Repair that, then ship again."
        say made yes
    fi
    said=$("$new" hub check --dir "$dir" 2>&1) || fail "$(printf '%s' "$said" | tr '\n' ' ')" \
        "Change $dir/hub.yaml there, then ship again."
    active=no
    systemctl is-active --quiet vitrine-hub && active=yes
    replaced=no
    if [ "$new" = "$shipped" ]; then
        [ -f "$program" ] && ln -f "$program" "$before"
        mv -f "$shipped" "$program" || fail "$program cannot be replaced" "Is the disk full, or /usr read-only?"
        replaced=yes
    fi
    if [ "$(cat "$unit" 2>/dev/null)" != "$unit_text" ]; then
        printf '%s\n' "$unit_text" >"$unit.new" && mv -f "$unit.new" "$unit" ||
            fail "$unit cannot be written" "Is the disk full, or /etc read-only?"
        systemctl daemon-reload
        say unit yes
    fi
    systemctl enable --quiet vitrine-hub || fail "systemctl enable vitrine-hub fails" "Run it there by hand."
    if [ "$active" = no ]; then
        if ! systemctl start vitrine-hub; then
            said=$(journalctl -u vitrine-hub -n 20 -o cat 2>&1)
            fail "the hub does not start: $(last_line "$said")" "journalctl -u vitrine-hub tells more."
        fi
        say started yes
        say link "$("$program" hub admin-link --dir "$dir")"
    elif [ "$replaced" = yes ] || [ -f "$before" ]; then # the second: a run broke off between the two
        upgrade
    fi
    rm -f "$before"
    say address "$(sed -n 's/^origin: *//p' "$dir/hub.yaml" | tr -d "\"'" | head -n 1)"
}

"$@" </dev/null
exit $?
