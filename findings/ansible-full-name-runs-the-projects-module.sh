#!/bin/bash
# ansible-core 2.18.12 (the same on 2.14 to 2.17; 2.19.14 as control): a project has a `library/stat.py`. In a play that uses it by its short name, `ansible.builtin.stat` runs the project's
# module from there on, full name or not; where the full name comes first, the short one runs Ansible's and the project's module never runs, with every task ok. What is sent to the host is
# kept for the process under a name that both have: the first one wins.
# Guess before: a full name is always Ansible's module, and the short one always the project's.
# Seen on 2026-11-30: ran by short and by full name, short first; full first: 2.18.12 "project project", "ansible ansible"; 2.19.14 "project ansible" both times.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HOME=$folder
mkdir "$folder/library"
cat >"$folder/library/stat.py" <<'END'
from ansible.module_utils.basic import AnsibleModule
AnsibleModule(argument_spec={'path': {}}).exit_json(changed=False, project=True)
END
# shellcheck disable=SC2016 # Ansible's template
echo 'box ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"' >"$folder/hosts"
short='    - {stat: {path: /}, register: short}'
full='    - {ansible.builtin.stat: {path: /}, register: full}'
tell='    - {ansible.builtin.debug: {msg: "ran: {{ short.project | default(false) | ternary(\"project\", \"ansible\") }} {{ full.project | default(false) | ternary(\"project\", \"ansible\") }}"}}'
printf -- '- hosts: box\n  gather_facts: false\n  tasks:\n%s\n%s\n%s\n' "$short" "$full" "$tell" >"$folder/short-first.yml"
printf -- '- hosts: box\n  gather_facts: false\n  tasks:\n%s\n%s\n%s\n' "$full" "$short" "$tell" >"$folder/full-first.yml"

ran() { # VERSION PLAY: what ran by short and by full name
    "$folder/$1/bin/ansible-playbook" -i "$folder/hosts" "$folder/$2.yml" >"$folder/said" 2>&1 || {
        cat "$folder/said" >&2
        return 1
    }
    sed -n 's/.*"msg": "ran: \(.*\)".*/\1/p' "$folder/said"
}

for version in 2.18.12 2.19.14; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --no-compile "ansible-core==$version"
    echo "$version, short and full name ran: $(ran $version short-first), $(ran $version full-first)"
done
[ "$(ran 2.18.12 short-first)" = "project project" ]
[ "$(ran 2.18.12 full-first)" = "ansible ansible" ]
[ "$(ran 2.19.14 short-first)" = "project ansible" ]
[ "$(ran 2.19.14 full-first)" = "project ansible" ]
