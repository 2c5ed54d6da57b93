#!/bin/bash
# `make demo`: a host made and converged on this machine, and the report of where the time went.
set -euo pipefail
cd "$(dirname "$0")/.."

cat <<END
triphase demo, on this machine. It installs and changes:
END
setup/install.sh --plan demo
cat <<END
  build/: the program
  /var/cache/triphase: a Debian root tree for sandbox hosts (300 MB, made once)
  one sandbox host 'vault': an nspawn container with a network namespace, a veth pair, an nftables table of its own
  and IPv4 forwarding while it lives; its state in .triphase/. 'build/triphase destroy vault' takes all of it away.
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
    run=(sudo) # the sandbox needs root
fi
"${run[@]}" build/triphase create vault
"${run[@]}" build/triphase report
