#!/usr/bin/env bash
# Installs what the tests need into target/tools: promtool, a Python venv with the official
# parser, real servers (scripts/servers.sh), a browser, cargo-deny. What is there already is kept, so a second
# run takes no time. As root on Debian it also installs a missing linker, Python or apt list;
# otherwise it says which command would. No service is installed or started, all is unpacked.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/target/tools
prometheus_client='0.26.*'
psutil='7.*'
cargo_deny='^0.20'
playwright='1.65.*'

main() {
    mkdir -p "$tools/bin"
    need cargo "Rust is missing: install it with rustup"
    system_packages
    timed promtool "$tools/bin/promtool" install_promtool
    timed "prometheus_client $prometheus_client" "$tools/venv/ready" install_parser
    timed "psutil $psutil" "$tools/venv/psutil" install_psutil
    timed 'prometheus, alertmanager, node_exporter' "$tools/servers/ready" ./scripts/servers.sh
    timed "chromium, playwright-core $playwright" "$tools/browser/ready" install_browser
    timed "cargo-deny $cargo_deny" "$tools/bin/cargo-deny" install_cargo_deny
}

# timed NAME FILE COMMAND: runs COMMAND, which makes FILE, unless FILE is there.
timed() {
    local name=$1 file=$2 start=$SECONDS
    shift 2
    [ -e "$file" ] && return
    "$@"
    echo "setup: $name in $((SECONDS - start)) s"
}

# The linker Rust calls, and a Python that can make a venv (Debian splits it off).
system_packages() {
    local missing=()
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
    packages ${missing[@]+"${missing[@]}"}
}

packages() {
    [ $# -eq 0 ] && return
    need apt-get "please install: $*"
    [ "$(id -u)" -eq 0 ] || fail "please run: sudo apt-get install $*"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"
}

# Newer Debian has promtool in a package of its own; bookworm has it inside the server's.
install_promtool() {
    if type -P promtool >/dev/null; then
        ln -s "$(type -P promtool)" "$tools/bin/promtool"
        return
    fi
    need apt-get "promtool is missing: put it on the PATH"
    local debs=$tools/debs
    rm -rf "$debs" && mkdir -p "$debs"
    if ! download "$debs"; then
        [ "$(id -u)" -eq 0 ] || fail "no promtool in the apt lists: run 'sudo apt-get update' or put it on the PATH"
        apt-get -qq update
        download "$debs" || fail "neither of the packages promtool and prometheus can be downloaded"
    fi
    dpkg-deb --fsys-tarfile "$debs"/*.deb | tar -x -C "$debs" ./usr/bin/promtool
    mv "$debs/usr/bin/promtool" "$tools/bin/promtool"
    rm -rf "$debs"
}

# Only root has a sandbox user to drop to, and that user cannot write here.
download() {
    (cd "$1" && for package in promtool prometheus; do
        apt-get -qq -o APT::Sandbox::User=root download "$package" 2>/dev/null && exit 0
    done; exit 1)
}

install_parser() {
    python3 -m venv --clear "$tools/venv"
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check "prometheus_client==$prometheus_client"
    touch "$tools/venv/ready"
}

# Reads the machine for tests/collect_compare.rs, independently of us.
install_psutil() {
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check "psutil==$psutil"
    touch "$tools/venv/psutil"
}

# Looks at the live page for tests/page_browser.rs. The shell is Chromium without its windows; the
# library that drives it brings no browser of its own.
install_browser() {
    local missing=()
    type -P chromium-headless-shell >/dev/null || type -P chromium >/dev/null || missing+=(chromium-headless-shell)
    type -P npm >/dev/null || missing+=(nodejs npm)
    packages ${missing[@]+"${missing[@]}"}
    npm install --silent --no-audit --no-fund --prefix "$tools/browser" "playwright-core@$playwright"
    touch "$tools/browser/ready"
}

# Unoptimised and without TLS: it reads a dependency graph once, and compiles in 1 min, not 2.
install_cargo_deny() {
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=$tools/build RUSTFLAGS='' cargo install --quiet --locked \
        --debug --no-default-features --version "$cargo_deny" --root "$tools" cargo-deny
    rm -rf "$tools/build"
}

need() { type -P "$1" >/dev/null || fail "$2"; }
fail() { echo "setup: $1" >&2; exit 2; }

main
