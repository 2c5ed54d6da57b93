#!/bin/bash
# ansible-core 2.19.14: a task with `ignore_errors` that changed the host and then failed is counted as changed, and the play goes on, but its `notify` is dropped; no later run makes up for it
# once the change stands. The same command with `failed_when: false` notifies. So a service keeps its old configuration while the recap says ok, changed=1, ignored=1 and exit 0.
# Guess before: `notify` goes by `changed`, and an ignored failure that is counted as changed notifies.
# Seen on 2026-11-29: ignore_errors: changed=1, no handler; failed_when: false: changed=1, the handler runs; exit 0 both times.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile ansible-core==2.19.14

run() { # KEYWORD: a change that ends with exit 1, let pass by that keyword
    cat >"$folder/play.yml" <<END
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.shell: "echo new >$folder/configuration; exit 1"
      $1
      notify: Reload
  handlers:
    - name: Reload
      ansible.builtin.debug: {msg: "handler ran"}
END
    HOME=$folder ANSIBLE_REMOTE_TEMP=$folder/remote ANSIBLE_PYTHON_INTERPRETER=$folder/venv/bin/python3 ANSIBLE_NOCOLOR=1 \
        "$folder/venv/bin/ansible-playbook" -i localhost, "$folder/play.yml" 2>&1
}

ignored=$(run 'ignore_errors: true')
passed=$(run 'failed_when: false')
for said in "$ignored" "$passed"; do
    grep -q 'changed=1 .*failed=0 ' <<<"$said"
    echo "$(grep -oE '(ok|changed|failed|ignored)=[0-9]' <<<"$said" | paste -sd' ' -), handler: $(grep -c 'handler ran' <<<"$said" || true)"
done
grep -q 'ignored=1' <<<"$ignored"
[ "$(grep -c 'handler ran' <<<"$ignored" || true)" = 0 ]
[ "$(grep -c 'handler ran' <<<"$passed")" = 1 ]
