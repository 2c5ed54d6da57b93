#!/bin/bash
# ansible-lint 26.10.1 (ansible-core 2.19.14, ruamel.yaml 0.19.1): `--fix` gives the name of a role's handler a capital, but leaves each `notify` of it as it was, in the tasks of the same role
# and of another, though it reads both in the same run. It then reports 0 failures and the production profile (exit 8: it changed files). The playbook, which ran before, ends with a fatal
# error at the first change that notifies; a run without changes, and --syntax-check, still pass, so it may show weeks later.
# Guess before: whoever notifies the handler is renamed with it, or the name is left alone.
# Seen on 2026-11-29: before: the handler ran, exit 0; after --fix: handler "Restart web", both notify "restart web", "Passed: 0 failure(s)", syntax check 0, the play exits 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile ansible-lint==26.10.1 ansible-core==2.19.14 ruamel.yaml==0.19.1
export HOME=$folder PATH=$folder/venv/bin:$PATH ANSIBLE_LOCALHOST_WARNING=False ANSIBLE_NOCOLOR=1
mkdir -p "$folder/project/roles/web/handlers" "$folder/project/roles/web/tasks" "$folder/project/roles/tls/tasks"
cd "$folder/project"
cat >site.yml <<'END'
---
- name: Site
  hosts: localhost
  gather_facts: false
  roles:
    - web
    - tls
END
cat >roles/web/handlers/main.yml <<'END'
---
- name: restart web
  ansible.builtin.debug:
    msg: "handler ran"
END
cat >roles/web/tasks/main.yml <<'END'
---
- name: Configuration
  ansible.builtin.debug:
    msg: "changed"
  changed_when: true
  notify: restart web
END
sed 's/Configuration/Certificate/' roles/web/tasks/main.yml >roles/tls/tasks/main.yml

ansible-playbook -i localhost, site.yml >before 2>&1
grep -q 'handler ran' before
fixed=0
ansible-lint --nocolor --offline --fix site.yml >lint 2>&1 || fixed=$?
[ "$fixed" = 8 ]
grep -q 'Passed: 0 failure(s)' lint
ansible-playbook -i localhost, --syntax-check site.yml >syntax 2>&1
code=0
ansible-playbook -i localhost, site.yml >after 2>&1 || code=$?
echo "$(grep -h 'name: [rR]estart' roles/web/handlers/main.yml); its own role: $(grep -h notify roles/web/tasks/main.yml); other role: $(grep -h notify roles/tls/tasks/main.yml); exit $code"
grep -qx -- '- name: Restart web' roles/web/handlers/main.yml
grep -qx '  notify: restart web' roles/web/tasks/main.yml
grep -qx '  notify: restart web' roles/tls/tasks/main.yml
grep -q "requested handler 'restart web' was not found" after
[ "$code" != 0 ]
