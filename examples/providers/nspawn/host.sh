#!/bin/sh
# SPDX-License-Identifier: MIT
# make, verify and remove for a Debian host of its own on this machine, booted by systemd-nspawn in a network namespace (triphase-provider(7)).
# Its disk is a memory overlay over a tree that stays as it is: whatever is done on the host is gone with it, and with a reboot.
#   vars: {tree: DIRECTORY, mirror: URL}    both may be left out: trees/bookworm in the project, made by mmdebstrap where it is not there
# Everything bears the name that the request gives, so that remove finds it whatever died in between. Nothing leads out of the host's
# network but to this machine. Needs root, systemd-container, iproute2, openssh-client, procps, python3; cgroup v2.
set -eu

request=$(cat)

# What the request says at each of the paths ("vars.tree"), one to a line, and an empty line where it says nothing.
asked() {
    printf '%s' "$request" | python3 -c '
import json, sys
request = json.load(sys.stdin)
for path in sys.argv[1:]:
    value = request
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    print("" if value is None else value)' "$@"
}

# Both end the program: after 75 it is called again while the bound lasts, after any other code it is not.
later() { echo "$*" >&2 && exit 75; }
never() { echo "$*" >&2 && exit 1; }

# What is always there comes last: the shell drops empty lines at the end.
{ read -r tree && read -r mirror && read -r address && read -r project && read -r name && read -r folder && read -r call; } <<END
$(asked vars.tree vars.mirror answer.address project.directory name folder call)
END
tree=${tree:-$project/trees/bookworm}
groups=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)
[ "$(id -u)" = 0 ] || never "only root can boot a host"
[ "$groups" ] || never "no cgroup v2 is mounted"

container() { pgrep -f "^systemd-nspawn .*--machine=$name "; }

# Waits, ten times a second and so many times at most, until the command succeeds.
until_true() {
    times=$1
    shift
    until "$@"; do
        times=$((times - 1))
        [ "$times" -gt 0 ] || return 1
        sleep 0.1
    done
}

make_tree() (
    mkdir -p "${tree%/*}"
    exec 9>"$tree.lock"
    flock 9
    [ ! -d "$tree" ] || exit 0
    rm -rf "$tree.new"
    # shellcheck disable=SC2086 # no word where there is no mirror
    mmdebstrap --variant=minbase --include=systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,python3,sudo,iproute2,ca-certificates \
        bookworm "$tree.new" $mirror >&2
    mv "$tree.new" "$tree"
)

# Two addresses that nobody here has, this machine's end first; the lock holds until they are taken.
make_network() {
    exec 8>/run/lock/nspawn-hosts
    flock 8
    number=$((0x$(printf '%s' "$name" | tail -c 4) % 16384))
    while :; do
        net=10.201.$((number / 64)).$((number % 64 * 4))
        [ "$(ip -4 route show root "$net/30")" ] || break
        number=$(((number + 1) % 16384))
    done
    ip netns add "$name"
    ip link add "$name" type veth peer name host0 netns "$name"
    ip address add "${net%.*}.$((${net##*.} + 1))/30" dev "$name"
    ip link set "$name" up
    exec 8>&-
    address=${net%.*}.$((${net##*.} + 2))
    ip -n "$name" link set lo up
    ip -n "$name" address add "$address/30" dev host0
    ip -n "$name" link set host0 up
    ip -n "$name" route add default via "${net%.*}.$((${net##*.} + 1))"
}

# A step ends whatever is left in its cgroup or bears its marks in the environment: the host has a cgroup and an environment of its own.
boot() {
    mkdir -p "$groups/$name"
    sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' sh "$groups/$name" \
        env -i PATH="$PATH" LANG=C.UTF-8 SYSTEMD_NSPAWN_LOCK=0 setsid systemd-nspawn --quiet --register=no --keep-unit "--machine=$name" \
        "--directory=$tree" --volatile=overlay "--network-namespace-path=/run/netns/$name" --capability=CAP_NET_ADMIN \
        --resolv-conf=delete --timezone=off --link-journal=no "--bind-ro=$folder/ssh_host_key:/etc/ssh/own_host_key" \
        "--bind-ro=$folder/key.pub:/etc/ssh/own_login_keys" "--bind-ro=$folder/sshd.conf:/etc/ssh/sshd_config.d/own.conf" \
        "--bind-ro=$folder/hostname:/etc/hostname" --boot </dev/null >"$folder/console.log" 2>&1 &
}

sshd_answers() { ssh-keyscan -T 1 -t ed25519 "$address" 2>/dev/null | grep -qF "$(cut -d ' ' -f 1,2 "$folder/ssh_host_key.pub")"; }
is_empty() { grep -qx 'populated 0' "$groups/$name/cgroup.events"; }
no_container() { ! container >/dev/null; }
no_groups() {
    for root in "$groups" /sys/fs/cgroup/*; do
        [ ! -d "$root/$name" ] || find "$root/$name" -depth -type d -exec rmdir {} + 2>/dev/null || return 1
    done
}
no_network() {
    [ ! -e "/run/netns/$name" ] || ip netns delete "$name" || return 1
    # It goes with its other end, but a moment later.
    ! ip link show dev "$name" >/dev/null 2>&1
}

case $call in
make)
    [ -d "$tree" ] || make_tree
    for key in key ssh_host_key; do
        [ -e "$folder/$key" ] || ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$folder/$key"
    done
    echo "$name" >"$folder/hostname"
    printf 'HostKey /etc/ssh/own_host_key\nAuthorizedKeysFile /etc/ssh/own_login_keys\n' >"$folder/sshd.conf"
    make_network
    boot
    until_true 50 container >/dev/null || never "systemd-nspawn did not start: $(tail -n 1 "$folder/console.log")"
    printf '{"address": "%s", "user": "root", "key": "key", "host_keys": ["%s"], "python": "/usr/bin/python3"}\n' \
        "$address" "$(cut -d ' ' -f 1,2 "$folder/ssh_host_key.pub")"
    ;;
verify)
    if container >/dev/null; then
        until_true 15 sshd_answers || later "its sshd does not answer yet"
        echo '{"state": "present"}'
    else
        echo '{"state": "absent"}'
    fi
    ;;
remove)
    # In order first: TERM makes the host shut down.
    for pid in $(container); do kill "$pid" || true; done
    if [ -d "$groups/$name" ] && ! until_true 150 is_empty; then
        echo 1 >"$groups/$name/cgroup.kill"
        until_true 50 is_empty || true
    fi
    if until_true 50 no_container && until_true 50 no_groups && until_true 50 no_network; then
        rm -rf "/run/systemd/nspawn/propagate/$name"
        echo '{"state": "absent"}'
    else
        echo '{"state": "present"}'
    fi
    ;;
*)
    never "a call that is not known here: $call"
    ;;
esac
