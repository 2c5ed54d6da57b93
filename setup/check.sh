#!/bin/bash
# `make check`: the set-up, the build with fatal warnings, layers, linters, tests; ends with "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."

setup/install.sh check
. setup/tally.sh
make=${MAKE:-make}
unset MAKEFLAGS MAKELEVEL
mkdir -p build/check
TALLY=$PWD/build/check/tally
export TALLY
: >"$TALLY"

part() { # TITLE COMMAND...: a part that keeps its own tally; one that fails without a word of it counts as a failure
    local before after began=$SECONDS
    printf '\n== %s\n' "$1"
    shift
    before=$(grep -c '^fail' "$TALLY" || true)
    if ! "$@"; then
        after=$(grep -c '^fail' "$TALLY" || true)
        [ "$after" -gt "$before" ] || tally fail "$* ended without a result"
    fi
    printf -- '-- %d s\n' $((SECONDS - began))
}

# Hosts are made by root. Nothing of sudo's own reaches the tests: the program looks at it.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        mkdir -p build/check/system
        sudo env -u SUDO_USER -u SUDO_UID -u SUDO_GID -u SUDO_COMMAND HOME=/root "PATH=$PATH" "TALLY=$TALLY" "$@"
    fi
}

nothing_left() {
    # A warden may still be at it for a moment.
    for _ in $(seq 40); do
        left=$(as_root setup/leftovers.sh | comm -13 build/check/left-before -)
        [ -n "$left" ] || return 0
        sleep 0.5
    done
    echo "$left"
    return 1
}

# What mostly reckons runs beside tests that wait more than they work, and gets what they leave of the processors. It has
# a tally and a log of its own, which are shown once it is over.
aside() { # NAME COMMAND...
    local name=$1
    shift
    : >"build/check/tally-$name"
    (
        renice -n 15 "$BASHPID" >/dev/null
        TALLY=$PWD/build/check/tally-$name "$@"
    ) >"build/check/$name.log" 2>&1 </dev/null &
    beside[$name]=$!
}
declare -A beside

ended() { # NAME
    wait "${beside[$1]}" || true
    cat "build/check/$1.log"
    [ -s "build/check/tally-$1" ] || tally fail "$1 ended without a result"
    cat "build/check/tally-$1" >>"$TALLY"
}

first_hour() { part "a newcomer's first hour" as_root tests/firsthour/firsthour.sh debian-12 debian-13; }

linters() {
    part layers setup/check-layers.sh
    part docs setup/check-docs.sh
    part lint setup/lint.sh
    if [ "$built" = 1 ]; then
        check "what CONTRIBUTING shows of adding a thing builds and works" setup/check-examples.py build/triphase
        part fuzzers "$make" --no-print-directory CHECK_JOBS="${CHECK_JOBS:-2}" fuzz
    fi
}

printf '\n== build\n'
check "builds without a warning" "$make" --no-print-directory -j"$(nproc)" WERROR=1 all tests
built=1
grep -q '^fail' "$TALLY" && built=0
# The init of each host that the tests make takes some ten of these, and Debian lets root have 128.
inotify=/proc/sys/fs/inotify/max_user_instances
instances=$(cat $inotify)
if [ "$instances" -lt 1024 ]; then
    as_root sh -c "echo 1024 >$inotify" || true
    trap 'as_root sh -c "echo $instances >$inotify" || true' EXIT
fi

if [ "$built" = 1 ]; then
    as_root setup/leftovers.sh >build/check/left-before
    # Packages are fetched for it while others have the processors.
    {
        check "the tree that sandboxes are made from is there" as_root setup/root-tree.sh
        check "the tree of the tests' cloud hosts is there" as_root setup/cloud-tree.sh
        check "the tree of the tests' agent nodes is there" as_root setup/node-tree.sh
    } &
    tree=$!
    # The first time on a machine it takes minutes of both processors.
    check "the tailnet's programs are there" as_root setup/tailnet-lab.sh &
    tailnet=$!
    # The same, but only the last of the tests want it.
    check "the S3 service of the tests is there" as_root nice -n 15 setup/s3-lab.sh &
    service=$!
fi
aside linters linters

if [ "$built" = 1 ]; then
    part "unit tests" setup/run-tests.py --jobs $((${CHECK_JOBS:-2} * 2)) --timeout 60 --budget 300 build/unit
    wait "$tree"
    wait "$tailnet"
    # These wait more than they work: twice as many run at once, and what takes minutes begins first.
    jobs=${CHECK_JOBS:-2}
    part "system tests" as_root setup/run-tests.py --jobs $((jobs * 2)) --budget 2400 \
        --without tests/system/soak.txt --heavy 'hostile/a_child*' \
        --first 'hostile/*' --first 'vault*/*' --first 'node*/*' --first 'sandbox/*' --first 'outcomes/*' \
        --first 'ways/*' --last 'snapshot_s3/*' build/system
    wait "$service"
    # It builds, where faults mostly wait.
    aside first-hour first_hour
    part "faults, one of each class" as_root tests/faults/faults.py --one-of-each --jobs "${CHECK_JOBS:-2}"
    ended first-hour
    check "nothing is left on this machine" nothing_left
else
    tally fail "tests were not run: the build failed"
fi
ended linters

passed=$(grep -c '^ok' "$TALLY" || true)
failed=$(grep -c '^fail' "$TALLY" || true)
if [ "$failed" != 0 ]; then
    printf '\nFailed:\n'
    grep '^fail' "$TALLY" | cut -f2 | sed 's/^/  /'
fi
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
