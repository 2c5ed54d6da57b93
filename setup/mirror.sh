# shellcheck shell=bash
# Sourced. Where this machine has its Debian packages from.

debian_mirror() { # the first such URL of the machine's apt sources; nothing where there is none
    { cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true; } |
        awk '!/^#/ && match($0, /https?:\/\/[^ ]*\/debian\/?( |$)/) && !found { found = 1; url = substr($0, RSTART, RLENGTH); sub(/ $/, "", url); print url }'
}
