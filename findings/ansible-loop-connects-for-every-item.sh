#!/bin/bash
# ansible-core 2.19.14: a host that is found UNREACHABLE at the first item of a `loop` is tried again for every other item, and only then taken out of the play. Each try waits for its own
# connection time-out, so a loop over 200 packages or users on a host that vanished holds the whole batch for 200 time-outs (33 minutes with the default of 10 s), and a host that locks out
# addresses after some failed logins sees as many of them.
# Guess before: the first item makes the host unreachable, which ends the loop as it ends the play for it.
# Seen on 2026-11-29: 7 items, 7 times ssh; without a loop 1; exit 4 and unreachable=1 both times, so the recap does not tell.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile ansible-core==2.19.14
printf '#!/bin/sh\necho tried >>%s/tries\nexit 1\n' "$folder" >"$folder/proxy"
chmod +x "$folder/proxy"
echo "gone ansible_host=192.0.2.1 ansible_ssh_common_args='-F none -o ProxyCommand=$folder/proxy'" >"$folder/hosts"
cat >"$folder/play.yml" <<'END'
- hosts: gone
  gather_facts: false
  tasks:
    - ansible.builtin.ping:
      loop: "{{ range(items | int) | list }}"
END

tries() { # ITEMS: how often ssh was asked for the host
    : >"$folder/tries"
    code=0
    said=$(HOME=$folder ANSIBLE_NOCOLOR=1 "$folder/venv/bin/ansible-playbook" -i "$folder/hosts" -e "items=$1" "$folder/play.yml" 2>&1) || code=$?
    if [ "$code" != 4 ] || ! grep -q 'unreachable=1 ' <<<"$said"; then
        echo "exit $code: $said" >&2
        return 1
    fi
    grep -c tried "$folder/tries"
}

one=$(tries 1)
seven=$(tries 7)
echo "connections tried to a host that is gone: $one for 1 item, $seven for 7"
[ "$one" = 1 ] && [ "$seven" = 7 ]
