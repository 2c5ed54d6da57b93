#!/bin/bash
# mitogen 0.3.54 with ansible-core 2.19.14: `ansible.builtin.git` with `umask` sets it for its process and never back. Stock Ansible ends that process with the task; mitogen_linear goes on in
# the same interpreter on the host, so every later task, of later plays too, makes its files with that mask: a web root, a unit or a public key that others must read is then closed to them,
# with all tasks ok and no line of the record that differs. A mode said in the task still holds.
# Guess before: the option is the clone's alone, under mitogen as without it.
# Seen on 2026-11-29: started with 022; file after the clone, next task and next play: stock 644 644, mitogen 600 600.
set -euo pipefail
umask 022
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile ansible-core==2.19.14 mitogen==0.3.54
strategies=$(find "$folder/venv" -path '*ansible_mitogen/plugins/strategy' -type d)
export HOME=$folder ANSIBLE_REMOTE_TEMP=$folder/remote
git init --quiet "$folder/origin"
git -C "$folder/origin" -c user.name=one -c user.email=one@example.org commit --quiet --allow-empty --message one
# shellcheck disable=SC2016 # Ansible's template
echo 'box ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"' >"$folder/hosts"
cat >"$folder/play.yml" <<'END'
- hosts: box
  gather_facts: false
  tasks:
    - ansible.builtin.git: {repo: "{{ top }}/origin", dest: "{{ top }}/clone", version: HEAD, umask: "0077"}
    - ansible.builtin.copy: {content: "x", dest: "{{ top }}/task"}
- hosts: box
  gather_facts: false
  tasks:
    - ansible.builtin.copy: {content: "x", dest: "{{ top }}/play"}
END

modes() { # STRATEGY: of the files made after the clone
    rm -rf "$folder/clone" "$folder/task" "$folder/play"
    if ! ANSIBLE_STRATEGY=$1 ANSIBLE_STRATEGY_PLUGINS=$strategies "$folder/venv/bin/ansible-playbook" -i "$folder/hosts" -e "top=$folder" "$folder/play.yml" >"$folder/said" 2>&1; then
        cat "$folder/said" >&2
        return 1
    fi
    stat --format %a "$folder/task" "$folder/play" | paste -sd' ' -
}

stock=$(modes linear)
mitogen=$(modes mitogen_linear)
echo "after a clone with umask 077, next task and next play: stock $stock, mitogen $mitogen"
[ "$stock" = "644 644" ]
[ "$mitogen" = "600 600" ]
