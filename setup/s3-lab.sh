#!/bin/bash
# The S3 service of the tests: versitygw, which checks signature, body, clock and region, built once a machine at the version that
# tests/lab/s3/versitygw/go.sum pins. What is built is kept beside the tailnet's programs (setup/tailnet-lab.sh), one folder for each
# set of pins (Go: setup/go.sh). Without Go nothing is built,
# which is said: the tests that need it are skipped by name.
#   setup/s3-lab.sh            builds what is missing, prints the folder of the program
#   setup/s3-lab.sh --where    prints that folder, whether it is there or not
# `make tailnet-lab-remove` removes it with the rest.
set -euo pipefail
cd "$(dirname "$0")/.."

module=tests/lab/s3/versitygw
without_go=': tests of the S3 store against a real service are SKIPPED'
. setup/go.sh
pins=$(cat setup/s3-lab.sh setup/go.sh $module/go.mod $module/go.sum $module/*.go | sha256sum | cut -c1-16)
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
