#!/bin/bash
# ansible-core 2.19.14 and 2.18.6: a role's argument spec says `type: bool`, the caller says `-e flag=true`. The validation converts a copy, finds it good and throws it away: the role still
# gets the text. In 2.18 `when: flag` takes the text for true; 2.19 fails the task, after the validation said ok. So a flag of a role needs `| bool` though its spec has a type.
# Guess before: a value that passed `type: bool` is a bool in the role.
# Seen on 2026-11-29: both versions: validation ok, type_debug says str; 2.18: the task runs; 2.19: "Conditional result (True) was derived from value of type 'str'".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/roles/one/meta" "$folder/roles/one/tasks"
cat >"$folder/roles/one/meta/argument_specs.yml" <<'END'
argument_specs:
  main:
    options:
      flag: {type: bool, default: false}
END
cat >"$folder/roles/one/tasks/main.yml" <<'END'
- ansible.builtin.debug: {msg: "type {{ flag | type_debug }}"}
- ansible.builtin.debug: {msg: "the task ran"}
  when: flag
END
printf -- '- hosts: localhost\n  connection: local\n  gather_facts: false\n  roles: [one]\n' >"$folder/play.yml"

run() { # VERSION: what ansible-playbook of it says
    python3 -m venv "$folder/$1"
    "$folder/$1/bin/pip" install --quiet "ansible-core==$1"
    (cd "$folder" && ANSIBLE_LOCALHOST_WARNING=False "$folder/$1/bin/ansible-playbook" play.yml -e flag=true 2>&1) || true
}

for version in 2.18.6 2.19.14; do
    said=$(run "$version")
    echo "$version: $(grep -oE 'type (str|bool)|"msg": "the task ran"|derived from value of type .str.' <<<"$said" | sort -u | paste -sd, -)"
    grep -A1 'Validating arguments' <<<"$said" | grep -q '^ok:'
    grep -q 'type \(str\|AnsibleUnicode\|_AnsibleTaggedStr\)' <<<"$said"
    if [ "$version" = 2.18.6 ]; then
        grep -q 'the task ran' <<<"$said"
    else
        grep -q "derived from value of type 'str'" <<<"$said"
    fi
done
