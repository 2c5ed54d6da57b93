#!/bin/bash
# `make demo-tailnet`: a tailnet of one machine's own, a host converged over it twice (with a TUN and without one), a
# broken path, and what `diagnose` says of it. Leaves nothing behind but what it was built from.
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/demo-begin.sh

demo_begin "triphase demo of a tailnet, on this machine" "  build/: the program
  $(setup/tailnet-lab.sh --where): headscale, tailscale and tailscaled of pinned versions, built once
    from source (2 to 6 minutes, Go modules are fetched; Go itself too where there is none: 'setup/tailnet-lab.sh --remove')
  /var/cache/triphase: a Debian root tree for sandbox hosts (300 MB, made once)
  all else (control server, two operators, two hosts) lives in namespaces of its own and is gone at the end."
quietly() { # WHAT COMMAND...: what it says is shown where it fails
    local said
    printf 'setup: %s\n' "$1"
    shift
    said=$("${run[@]}" "$@" 2>&1) || {
        printf '%s\n' "$said" >&2
        exit 1
    }
}
quietly "headscale and tailscaled, built where they are not there yet" setup/tailnet-lab.sh
quietly "the tree that hosts are made from, made where it is not there yet" setup/root-tree.sh
exec "${run[@]}" setup/demo-tailnet.py
