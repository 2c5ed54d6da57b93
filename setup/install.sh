#!/bin/bash
# Installs what `make demo` (or, with "check", `make check`) needs: Debian packages, and virtual environments inside the
# checkout. Quick where all is there: dpkg answers for the packages, a stamp for each environment. "bench" is what
# "check" is, and the tools that are measured beside triphase.
#   setup/install.sh demo|check|bench    installs
#   setup/install.sh --plan demo|check   says what it would install, nothing where nothing is missing
set -euo pipefail
cd "$(dirname "$0")/.."

plan=0
if [ "${1:-}" = --plan ]; then
    plan=1
    shift
fi
kind=${1:-demo}
case $kind in
demo | check) peers=0 ;;
bench) kind=check peers=1 ;;
*)
    echo "setup: '$kind' is none of demo, check and bench" >&2
    exit 64
    ;;
esac

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

release=
if [ -r /etc/os-release ]; then
    release=$(. /etc/os-release && printf '%s-%s' "${ID:-}" "${VERSION_ID:-}")
fi

names() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@"; }

wanted_packages() {
    names setup/packages-demo.txt
    [ "$kind" = check ] || return 0
    names setup/packages-check.txt
    # The oldest Ansible that is supported, 2.14, is the one of Debian 12. Fuzzers are built with the release's clang.
    case $release in
    debian-12) printf '%s\n' ansible-core clang-14 libclang-rt-14-dev ;;
    *) printf '%s\n' clang-19 libclang-rt-19-dev ;;
    esac
}

missing_packages() {
    local package
    for package in $(wanted_packages); do
        # shellcheck disable=SC2016 # the format is dpkg-query's own
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
            printf '%s ' "$package"
        fi
    done
}

# Which requirements, by which Python: an environment is made anew when either changes.
stamp_of() {
    { cat "$1" && /usr/bin/python3 -c 'import sys; print(sys.version)' 2>/dev/null && pwd; } | sha256sum | cut -d' ' -f1
}

is_ready() { # FOLDER REQUIREMENTS
    [ -x "$1/bin/python3" ] && [ "$(cat "$1/.stamp" 2>/dev/null)" = "$(stamp_of "$2")" ]
}

install_packages() {
    local missing run=() had_sshd=0
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "not root, and sudo is missing; as root: apt-get install $missing"
        run=(sudo)
    fi
    [ ! -x /usr/sbin/sshd ] || had_sshd=1
    say "Debian packages: $missing"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3
        -o Dpkg::Use-Pty=0)
    "${run[@]}" "${apt[@]}" update || fail "apt-get update failed; see its message above"
    # shellcheck disable=SC2086 # a list of words
    "${run[@]}" "${apt[@]}" install -y --no-install-recommends $missing </dev/null >build/apt.log 2>&1 || {
        tail -n 20 build/apt.log >&2
        fail "apt-get install failed; its whole output is in build/apt.log"
    }
    if [ "$had_sshd" = 0 ] && [ -x /usr/sbin/sshd ] && [ -d /run/systemd/system ]; then
        "${run[@]}" systemctl disable --now ssh.service ssh.socket >/dev/null 2>&1 || true
    fi
}

# The system's own Python by its full path: a version manager's shim may come first in PATH.
install_environment() { # FOLDER REQUIREMENTS
    local folder=$1 requirements=$2
    if is_ready "$folder" "$requirements"; then
        return 0
    fi
    say "$folder from $requirements"
    rm -rf "$folder"
    /usr/bin/python3 -m venv "$folder"
    "$folder/bin/python3" -m pip --disable-pip-version-check install --quiet --no-deps --only-binary :all: \
        -r "$requirements" || fail "pip could not install $requirements; run again when the index can be reached"
    "$folder/bin/python3" -m pip --disable-pip-version-check check >/dev/null ||
        fail "$requirements is not complete: $("$folder/bin/python3" -m pip check 2>&1 | head -n 3)"
    stamp_of "$requirements" >"$folder/.stamp"
}

if [ "$plan" = 1 ]; then
    missing=$(missing_packages)
    if [ -n "$missing" ]; then
        echo "  Debian packages (apt-get, as root): $missing"
    fi
    if ! is_ready .venv requirements.txt; then
        echo "  .venv/ in this checkout: $(names requirements.txt | head -n 2 | tr '\n' ' ')and what they depend on (300 MB)"
    fi
    if [ "$kind" = check ] && ! is_ready .venv-lint requirements-dev.txt; then
        echo "  .venv-lint/ in this checkout: ansible-lint, yamllint, clang-format, hcloud"
    fi
    if [ "$kind" = check ] && ! is_ready .venv-mitogen requirements-mitogen.txt; then
        echo "  .venv-mitogen/ in this checkout: $(names requirements-mitogen.txt)"
    fi
    if [ "$peers" = 1 ] && ! is_ready .venv-bench requirements-bench.txt; then
        echo "  .venv-bench/ in this checkout: ansible-runner, pyinfra"
    fi
    if [ "$kind" = check ] && [ ! -e .venv-newest/.stamp ]; then
        echo "  .venv-newest/ in this checkout: $(names requirements-newest.txt | head -n 1), with a Python of its own where the system's is too old"
    fi
    exit 0
fi

case $release in
debian-12 | debian-13) ;;
*) say "this machine is '$release'; only Debian 12 and 13 are tried, going on" ;;
esac
command -v dpkg-query >/dev/null || fail "no dpkg here: install the packages of setup/packages-$kind.txt by other means"

mkdir -p build
# Two set-ups in one checkout wait for each other.
exec 9>build/setup.lock
if command -v flock >/dev/null; then
    flock 9
fi
install_packages
install_environment .venv requirements.txt
if [ "$kind" = check ]; then
    install_environment .venv-lint requirements-dev.txt
    install_environment .venv-mitogen requirements-mitogen.txt
    setup/newest-ansible.sh
fi
if [ "$peers" = 1 ]; then
    install_environment .venv-bench requirements-bench.txt
fi
