#!/usr/bin/python3
"""How long a sandbox takes: made to verified ready, and destroyed to verified absent (the stages' own rows; the root tree is cached)."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import PAIRS, Table, last_run, project, triphase  # noqa: E402

FILES = {
    'triphase.yml': 'project: bench\ntargets:\n  host:\n    recipe: nothing\n',
    'phases/nothing.yml': 'phases:\n  - name: nothing\n    playbook: nothing.yml\n',
    'nothing.yml': '- name: Nothing\n  hosts: recipe_nothing\n  gather_facts: false\n  tasks: []\n',
}


def step_seconds(folder, name):
    return [s['duration_ms'] / 1000 for s in last_run(folder)['steps'] if s['name'] == name][0]


def main():
    table = Table('A sandbox, seconds (the median counts)')
    made, removed = [], []
    with project(FILES) as folder:
        for i in range(PAIRS + 1):
            triphase(folder, 'create', 'host')
            ready = step_seconds(folder, 'provision')
            triphase(folder, 'destroy', 'host', '--yes')
            if i:  # the first one may have built the root tree
                made.append(ready)
                removed.append(step_seconds(folder, 'destroy'))
        table.row('create to verified ready', made, 1.0, ' s', 'median')
        table.row('destroy to verified absent', removed, 2.0, ' s', 'median')
    return 1 if table.failed else 0


if __name__ == '__main__':
    sys.exit(main())
