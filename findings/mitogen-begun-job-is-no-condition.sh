#!/bin/bash
# ansible-core 2.19.14 with mitogen 0.3.54, one of the pairs that mitogen supports: `when: job.started` behind a task with `async` and `poll: 0`. Stock Ansible says `started: true` there
# since 2.19 and takes it. Under mitogen the same job says `started: 1`, and the `when` ends the play: a condition has to be a boolean since 2.19. A job that mitogen began cannot be asked
# whether it was begun.
# Guess before: mitogen hands on what Ansible's own wrapper of async tasks says, or 1 is as good as true, as it was up to 2.18.
# Seen on 2026-12-01: stock "started True, bool", the condition holds; mitogen "started 1, int", "Conditional result (True) was derived from value of type 'int'".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HOME=$folder
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile ansible-core==2.19.14 mitogen==0.3.54
# shellcheck disable=SC2016 # Ansible's template
echo 'box ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"' >"$folder/hosts"
cat >"$folder/play.yml" <<'END'
- hosts: box
  gather_facts: false
  tasks:
    - {ansible.builtin.command: "true", async: 20, poll: 0, register: job}
    - {ansible.builtin.debug: {msg: "started {{ job.started }}, {{ job.started | type_debug }}"}}
    - {ansible.builtin.debug: {msg: the condition holds}, when: job.started}
END
run() { # NAME=VALUE...: what the play says
    env "$@" ANSIBLE_NOCOLOR=1 "$folder/venv/bin/ansible-playbook" -i "$folder/hosts" "$folder/play.yml" 2>&1 || true
}

stock=$(run NONE=1)
strategies=$(echo "$folder"/venv/lib/python3.*/site-packages/ansible_mitogen/plugins/strategy)
mitogen=$(run ANSIBLE_STRATEGY=mitogen_linear ANSIBLE_STRATEGY_PLUGINS="$strategies")
for said in "$stock" "$mitogen"; do
    grep -oE '"msg": "(started|the condition)[^"]*"|Conditional result[^.]*' <<<"$said" | sort -u
done
grep -q '"msg": "started True, bool"' <<<"$stock"
grep -q '"msg": "the condition holds"' <<<"$stock"
grep -q '"msg": "started 1, int"' <<<"$mitogen"
grep -q "Conditional result (True) was derived from value of type 'int'" <<<"$mitogen"
! grep -q '"msg": "the condition holds"' <<<"$mitogen"
