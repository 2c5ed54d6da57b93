#!/bin/bash
# `make demo-tailnet`: a tailnet of one machine's own, a host converged over it twice (with a TUN and without one), a
# broken path, and what `diagnose` says of it. Leaves nothing behind but what it was built from.
set -euo pipefail
cd "$(dirname "$0")/.."

cat <<END
triphase demo of a tailnet, on this machine. It installs and changes:
END
setup/install.sh --plan demo
cat <<END
  build/: the program
  $(setup/tailnet-lab.sh --where): headscale, tailscale and tailscaled of pinned versions, built once
    from source (2 to 6 minutes, Go modules are fetched; Go itself too where there is none: 'setup/tailnet-lab.sh --remove')
  /var/cache/triphase: a Debian root tree for sandbox hosts (300 MB, made once)
  all else (control server, two operators, two hosts) lives in namespaces of its own and is gone at the end.
END
if [ "${YES:-}" = 1 ]; then
    echo "YES=1: going on."
elif [ -t 0 ]; then
    read -r -p "Go on? [y/N] " answer
    case $answer in
    y | Y | yes) ;;
    *)
        echo "Nothing was changed."
        exit 1
        ;;
    esac
else
    echo "No terminal to ask on: going on."
fi

setup/install.sh demo
"${MAKE:-make}" --no-print-directory -j"$(nproc)"

run=()
if [ "$(id -u)" != 0 ]; then
    run=(sudo) # namespaces and sandboxes need root
fi
"${run[@]}" setup/tailnet-lab.sh >/dev/null
"${run[@]}" setup/root-tree.sh
exec "${run[@]}" setup/demo-tailnet.py
