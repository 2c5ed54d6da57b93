#!/usr/bin/python3
"""A role of 45 tasks that holds a host to what it has to be (tests/bench/hardening, built as public ones are: loops, templates, looks and assertions),
second run: the whole command `triphase run` against `ansible-playbook` with its default settings, over the same inventory, and beside them that with
mitogen as it comes. PAIRS rounds, interleaved."""
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import TOP, Table, first_run, interleaved, peers, project, triphase  # noqa: E402

TARGETS = {'warm': 0.70, 'mitogen': 0.30}
FILES = {
    'triphase.yml': 'project: bench\ntargets:\n  hardened:\n    recipe: hardened\n',
    'phases/hardened.yml': 'phases:\n  - name: install\n    playbook: harden.yml\n',
}


def main():
    with project(FILES) as folder:
        shutil.copytree(os.path.join(TOP, 'tests', 'bench', 'hardening'), folder, dirs_exist_ok=True)
        triphase(folder, 'create', 'hardened')
        first_run.plain_inventory(folder, 'hardened', 'hardened')
        words = 'ansible-playbook -i plain.yml -e @vars.yml harden.yml'
        ways = {mode: lambda mode=mode: peers.accelerated(folder, 'hardened', mode) for mode in TARGETS}
        ways['alone'] = lambda: peers.shell(folder, words)
        ways['alone, mitogen'] = lambda: peers.by_mitogen(folder, words)
        measured = interleaved(ways)
        table = Table('A hardening role of 45 tasks, second run: whole commands against ansible-playbook')
        table.row('ansible-playbook', [end[0] for end in measured['alone']], unit=' s')
        for name in ways:
            if name != 'alone':
                table.row('%s, wall (ratio)' % name, [a[0] / b[0] for a, b in zip(measured[name], measured['alone'])], TARGETS.get(name))
                table.row('%s, CPU (ratio)' % name, [a[1] / b[1] for a, b in zip(measured[name], measured['alone'])])
    return 1 if table.failed else 0


if __name__ == '__main__':
    sys.exit(main())
