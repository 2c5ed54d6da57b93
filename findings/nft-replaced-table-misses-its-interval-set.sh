#!/bin/bash
# Linux 6.18 with nftables 1.0.6: a table that is replaced by `nft -f` in one transaction ("delete table" and the table anew in one file) lets a packet fall through now and then, where an
# accept by a named set of networks stands before a drop: for an instant after the new rules count, the new set matches nothing. The same rules with the network written into the rule lose none.
# Guess before: `nft -f` is atomic, so that each packet meets the old rules or the new ones, sets and all.
# Seen on 2026-11-30, packets sent without a pause, 1000 replacements of each: with the set 100 packets lost, without it 0. Needs root and two processors; changes nothing of the host.
set -euo pipefail
[ "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 exec unshare --net -- "$0"
folder=$(mktemp -d)
sender=
trap '[ -z "$sender" ] || kill "$sender" 2>/dev/null || true; rm -rf "$folder"' EXIT
ip link set lo up
# What came through is counted behind it.
nft -f - <<'END'
table ip behind {
    counter through { }
    chain input {
        type filter hook prerouting priority 0; policy accept;
        udp dport 9 counter name through
    }
}
END
rules() { # SET MATCH
    cat <<END
table ip firewall
delete table ip firewall
table ip firewall {
    $1
    chain input {
        type filter hook prerouting priority -10; policy accept;
        udp dport != 9 accept
        ip saddr $2 accept
        drop
    }
}
END
}
lost() { # FILE: how many packets got lost while it was loaded a thousand times
    nft -f "$1"
    nft reset counter ip behind through >/dev/null
    python3 - >"$folder/sent" <<'END' &
import signal, socket, sys
ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
one, sent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0
while not ended:
    one.sendto(b'x', ('127.0.0.1', 9))
    sent += 1
print(sent)
END
    sender=$!
    for _ in $(seq 1000); do nft -f "$1"; done
    kill "$sender"
    wait "$sender"
    sender=
    echo $(($(cat "$folder/sent") - $(nft list counter ip behind through | grep -oE 'packets [0-9]+' | cut -d' ' -f2)))
}
rules 'set networks { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 127.0.0.0/8 }; }' '@networks' >"$folder/with-set"
rules '' 127.0.0.0/8 >"$folder/without"
with=$(lost "$folder/with-set")
without=$(lost "$folder/without")
echo "a thousand replacements: $with packets lost with the set, $without without it"
[ "$with" -gt 0 ] && [ "$without" = 0 ]
