#!/bin/bash
# `make demo`: a host made and converged on this machine, and the report of where the time went.
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/demo-begin.sh

demo_begin "triphase demo, on this machine" "  build/: the program
  /var/cache/triphase: a Debian root tree for sandbox hosts (300 MB, made once)
  one sandbox host 'vault': an nspawn container with a network namespace, a veth pair, an nftables table of its own
  and IPv4 forwarding while it lives; its state in .triphase/. 'build/triphase destroy vault' takes all of it away
  but .triphase/targets/vault/state: the vault's keys and snapshots, of which the next one is restored."
"${run[@]}" build/triphase create vault
"${run[@]}" build/triphase report
