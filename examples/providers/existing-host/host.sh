#!/bin/sh
# SPDX-License-Identifier: MIT
# make, verify and remove for a host that is there already: it is borrowed and given back (triphase-provider(7)). A marker on it says
# who has it, so that two projects never take the same one; everything else on it stays as it is.
#   vars: {address: 192.0.2.7, user: admin}    and where they differ: ssh_port (22), host_keys (a list of public keys; else those that
#   your own known_hosts has for the address). The login is by the target's `key`, else by what your ssh uses.
# Needs ssh and python3.
set -eu

marker=\$HOME/.borrowed # a word for the host's shell
request=$(cat)

# What the request says at each of the paths ("vars.address"), one to a line, and an empty line where it says nothing; of a list its parts.
asked() {
    printf '%s' "$request" | python3 -c '
import json, sys
request = json.load(sys.stdin)
for path in sys.argv[1:]:
    value = request
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    for line in value if isinstance(value, list) else ["" if value is None else value]:
        print(line)' "$@"
}

# Both end the program: after 75 it is called again while the bound lasts, after any other code it is not.
later() { echo "$*" >&2 && exit 75; }
never() { echo "$*" >&2 && exit 1; }

# Which public keys the host may have: "TYPE BASE64", one to a line.
public_keys() {
    given=$(asked vars.host_keys)
    if [ "$given" ]; then
        printf '%s\n' "$given"
    else
        [ "$port" = 22 ] && known_as=$address || known_as="[$address]:$port"
        ssh-keygen -F "$known_as" | awk '!/^[#@]/ {print $2, $3}'
    fi
}

# One command on the host, which has to have one of those keys. It fails where nobody is let in.
on_host() {
    timeout 20 ssh ${key:+-i "$key"} -p "$port" -l "$user" -o BatchMode=yes -o ConnectTimeout=10 -o ControlPath=none \
        -o StrictHostKeyChecking=yes -o HostKeyAlias="$name" -o UserKnownHostsFile="\"$known\"" -o GlobalKnownHostsFile=/dev/null \
        -- "$address" "$1" </dev/null
}

# What is always there comes last: the shell drops empty lines at the end.
{ read -r key && read -r address && read -r user && read -r port && read -r name && read -r folder && read -r call; } <<END
$(asked host.key vars.address vars.user vars.ssh_port name folder call)
END
port=${port:-22} known=$folder/borrowed_known_hosts
[ "${address:+$user}" ] || never "vars of the target have to say address and user"

case $call in
make)
    public_keys | sed "s/^/$name /" >"$known"
    [ -s "$known" ] || never "no host key of $address is known: log in once by ssh and compare it, or give vars.host_keys"
    on_host true || later "$user@$address lets nobody in"
    # Whatever happens from here on, there may be something to give back.
    touch "$folder/borrowed"
    holder=$(on_host "(set -C; echo $name >$marker) 2>/dev/null; cat $marker") || later "$user@$address went away"
    [ "$holder" = "$name" ] || never "$address is borrowed by another: .borrowed of $user there says $holder"
    cut -d ' ' -f 2- "$known" | python3 -c '
import json, sys
address, port, user = sys.argv[1:]
print(json.dumps({"address": address, "port": int(port), "user": user, "host_keys": sys.stdin.read().splitlines()}))' \
        "$address" "$port" "$user"
    ;;
verify)
    holder=$(on_host "cat $marker 2>/dev/null || true") || later "$user@$address lets nobody in"
    [ "$holder" = "$name" ] && echo '{"state": "present"}' || echo '{"state": "absent"}'
    ;;
remove)
    if [ -e "$folder/borrowed" ]; then
        # Another's marker stays.
        holder=$(on_host "! grep -qsx $name $marker || rm $marker; cat $marker 2>/dev/null || true") || later "$user@$address lets nobody in"
        [ "$holder" != "$name" ] || never ".borrowed of $user is still on $address"
    fi
    echo '{"state": "absent"}'
    ;;
*)
    never "a call that is not known here: $call"
    ;;
esac
