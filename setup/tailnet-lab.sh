#!/bin/bash
# The real tailnet of the tests: Tailscale's two programs, headscale and the official API client's checker, built once a
# machine at the versions that tests/lab/tailnet/*/go.sum pin. What is built is kept outside build/, one folder for each
# set of pins (Go: setup/go.sh).
#   setup/tailnet-lab.sh            builds what is missing, prints the folder of the programs
#   setup/tailnet-lab.sh --where    prints that folder, whether it is there or not
#   setup/tailnet-lab.sh --remove   removes what was ever built
set -euo pipefail
cd "$(dirname "$0")/.."

modules=tests/lab/tailnet
. setup/go.sh
pins=$(cat setup/tailnet-lab.sh setup/go.sh $modules/*/go.mod $modules/*/go.sum $modules/*/*.go | sha256sum | cut -c1-16)
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
