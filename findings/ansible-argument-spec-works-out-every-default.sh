#!/bin/bash
# ansible-core 2.19.14: a role's default may refer to what a task of the role registers, since defaults are worked out where they are used. With an argument spec that names the
# variable, the validation before the first task works it out, and the role fails on an undefined variable, also where nothing would ever have used it.
# Guess before: the validation looks at what the caller gave, and leaves the role's own defaults alone.
# Seen on 2026-11-30: with the spec it fails before the first task ("'seen' is undefined"); without the spec, or with the variable left out of it, the same role is ok.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile ansible-core==2.19.14
mkdir -p "$folder/roles/one/"{tasks,defaults,meta}
echo 'one_url: "https://localhost/{{ seen.stdout }}"' >"$folder/roles/one/defaults/main.yml"
cat >"$folder/roles/one/tasks/main.yml" <<'END'
- ansible.builtin.command: echo release
  register: seen
- ansible.builtin.debug:
    msg: "{{ one_url }}"
END
printf -- '- hosts: localhost\n  gather_facts: false\n  roles: [one]\n' >"$folder/play.yml"

play() { # outcome of the play: ok, or undefined where it ended on that
    local said
    if said=$(cd "$folder" && HOME=$folder ANSIBLE_NOCOLOR=1 venv/bin/ansible-playbook -i localhost, -c local -e "ansible_python_interpreter=$folder/venv/bin/python3" play.yml 2>&1); then
        echo ok
    elif grep -q "'seen' is undefined" <<<"$said" && ! grep -q 'TASK \[one : ansible.builtin.command\]' <<<"$said"; then
        echo "undefined before the first task"
    else
        echo "$said" >&2
        return 1
    fi
}

without=$(play)
printf 'argument_specs: {main: {options: {one_url: {type: str}}}}\n' >"$folder/roles/one/meta/argument_specs.yml"
with=$(play)
echo "the same role without an argument spec: $without; with one: $with"
[ "$without" = ok ] && [ "$with" = "undefined before the first task" ]
