#!/usr/bin/env bash
# Fetches real servers for the tests into target/tools/servers/bin: Prometheus (3.x where Debian has
# it), promtool, Alertmanager, amtool and node_exporter. Packages are unpacked, not installed: apt
# keeps its state in a folder of our own, checks signatures, and leaves the system as it is.
# Newer Debian is tried first; its programs run on bookworm too. What is there already is kept.
# usage: scripts/servers.sh
set -euo pipefail
cd "$(dirname "$0")/.."

servers=$PWD/target/tools/servers
suites=(forky trixie bookworm)
programs=(prometheus promtool prometheus-alertmanager amtool prometheus-node-exporter)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
share=/usr/share/prometheus/alertmanager

main() {
    [ -e "$servers/ready" ] && return
    rm -rf "$servers" && mkdir -p "$servers/bin"
    type -P apt-get dpkg-deb >/dev/null || fail "no apt here: put ${programs[*]} into $servers/bin, and a file $servers/ready"
    local suite mirror
    mirror=$(debian_mirror)
    for suite in "${suites[@]}"; do
        if unpack "$mirror" "$suite" && link && all_run; then
            rm -rf "$servers/apt"
            echo "$suite" >"$servers/ready"
            return
        fi
        echo "servers: $suite does not serve here" >&2
        rm -rf "$servers/root" "$servers/apt"
    done
    fail "none of the suites ${suites[*]} has programs that run here"
}

# The mirror this machine takes its own packages from.
debian_mirror() {
    local mirror
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 2>/dev/null | grep -v security | head -n 1) || true
    [ -n "$mirror" ] || mirror=$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
        head -n 1 | tr -d ' ') || true
    [ -n "$mirror" ] || fail "no Debian mirror among this machine's apt sources"
    echo "$mirror"
}

unpack() {
    local mirror=$1 suite=$2 state=$servers/apt deb
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/debs"
    : >"$state/status"
    echo "deb [signed-by=$keys] $mirror $suite main" >"$state/sources.list"
    local apt=(apt-get -qq -o "Dir::Etc::sourcelist=$state/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State=$state" -o "Dir::State::lists=$state/lists" -o "Dir::State::status=$state/status"
        -o "Dir::Cache=$state/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3)
    local packages=(prometheus prometheus-alertmanager prometheus-node-exporter)
    # Older Debian has promtool inside the server's package.
    [ "$suite" = bookworm ] || packages+=(promtool)
    "${apt[@]}" update && (cd "$state/debs" && "${apt[@]}" download "${packages[@]}") || return 1
    mkdir -p "$servers/root"
    for deb in "$state"/debs/*.deb; do dpkg-deb -x "$deb" "$servers/root" || return 1; done
}

link() {
    local program
    for program in "${programs[@]}"; do
        ln -sf "../root/usr/bin/$program" "$servers/bin/$program"
    done
    [ -e "$share/default.tmpl" ] || alertmanager_finds_its_template
}

# Debian compiles the absolute path of its templates in. A path of equal length, relative to the
# unpacked tree, needs nothing outside of it; whoever starts the program gives it absolute paths.
alertmanager_finds_its_template() {
    local program=$servers/root/usr/bin/prometheus-alertmanager
    LC_ALL=C sed -i "s#$share#usr//${share#/usr/}#g" "$program"
    rm -f "$servers/bin/prometheus-alertmanager"
    printf '#!/bin/sh\ncd "%s" && exec ./usr/bin/prometheus-alertmanager "$@"\n' "$servers/root" \
        >"$servers/bin/prometheus-alertmanager"
    chmod +x "$servers/bin/prometheus-alertmanager"
}

# They may need a newer libc than this machine has.
all_run() {
    local program
    for program in "${programs[@]}"; do
        "$servers/bin/$program" --version >/dev/null 2>&1 || { echo "servers: $program does not start" >&2; return 1; }
    done
}

fail() { echo "servers: $1" >&2; exit 2; }

main
