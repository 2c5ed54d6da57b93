#!/bin/bash
# The Debian tree that sandboxes are made from, made before tests need it, as root: those that came first would wait for
# it beyond their own time.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'build/triphase -C "$folder" destroy box --yes >/dev/null 2>&1; rm -rf "$folder"' EXIT
mkdir "$folder/phases" "$folder/playbooks"
printf 'project: tree\ntargets:\n  box:\n    provider: sandbox\n    recipe: nothing\n' >"$folder/triphase.yml"
printf 'phases:\n  - name: nothing\n    playbook: playbooks/nothing.yml\n' >"$folder/phases/nothing.yml"
printf -- '- hosts: recipe_nothing\n  gather_facts: false\n  tasks: []\n' >"$folder/playbooks/nothing.yml"
made_before=$(ls /var/cache/triphase 2>/dev/null || true)
PATH=$PWD/.venv/bin:$PATH build/triphase -C "$folder" create box
# Minutes of making a tree are told while they pass.
if [ "$(ls /var/cache/triphase)" != "$made_before" ]; then
    grep -h 'making the root tree' "$folder"/.triphase/runs/*/01-provision.1.log
fi
