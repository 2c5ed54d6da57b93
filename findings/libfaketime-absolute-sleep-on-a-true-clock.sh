#!/bin/bash
# libfaketime 0.9.10 (Debian 12's 0.9.10-2.1) with FAKETIME_DONT_FAKE_MONOTONIC=1: a sleep to an absolute moment of the monotonic clock, clock_nanosleep with TIMER_ABSTIME, fails with EINVAL although that
# clock is the true one. Python of 3.11 on sleeps like that, so time.sleep() raises under it, whatever its argument; coreutils' sleep and threading's wait, which are relative, go well.
# Guess before: with the monotonic clock left alone a sleep on it is as it is without the library; the option is what its manual offers against programs that hang with a moved clock.
# Seen on 2026-11-30: "OSError: [Errno 22] Invalid argument" with a clock of a day ahead and a day back; without the option the same sleep returns in time.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download libfaketime=0.9.10-2.1
dpkg -x libfaketime_*.deb .
library=$(find "$folder" -name libfaketime.so.1)
python3 -c 'import sys; assert sys.version_info >= (3, 11)'
under() { # FAKETIME COMMAND...: with the monotonic clock left alone
    local at=$1
    shift
    env FAKETIME="$at" FAKETIME_DONT_FAKE_MONOTONIC=1 LD_PRELOAD="$library" "$@"
}
nap='import time; time.sleep(0.01)'
for at in +1d -1d; do
    code=0
    under "$at" python3 -c "$nap" 2>said || code=$?
    echo "$at: exit $code, $(tail -n 1 said)"
    [ "$code" = 1 ] && grep -q 'Errno 22' said
    under "$at" sleep 0.01
    [ "$(under "$at" python3 -c 'import threading; print(threading.Event().wait(0.01))')" = False ]
done
FAKETIME=+1d LD_PRELOAD=$library python3 -c "$nap"
echo "relative sleeps, and the absolute one with the monotonic clock faked too, go well"
