#!/bin/bash
# The rooms of orchestrator/LAYERS (setup/rooms.py has the rules), and what only tests use.
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/tally.sh

check "rooms: each has a line, lowest first" setup/rooms.py order
check "rooms: each uses those that LAYERS names" setup/rooms.py uses
check "rooms: entered by their doors alone" setup/rooms.py doors
check "rooms: no circle within one" setup/rooms.py circles
check "rooms: each library in one file" setup/rooms.py libraries
check "rooms: providers, transports and formats are told by their row" setup/rooms.py names
check "rooms: scope names and marks have one maker" setup/rooms.py marks
check "names: free, clear and their like keep what their ending says" setup/rooms.py endings
check "libraries: Criterion by tests alone" bash -c '! grep -rnE "include[[:space:]]*<criterion" orchestrator'
tally_end
