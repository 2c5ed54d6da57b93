#!/usr/bin/python3
"""The three vault phases against a plain shell loop of three ansible-playbook calls with Ansible's default settings, over hosts of the same make: the first run,
from a bare host to a vault (measure/first_run.py, FIRST=5 rounds), and a second run with nothing to change (PAIRS)."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import PAIRS, TOP, Table, first_run, interleaved, peers, project, triphase  # noqa: E402

TARGETS = {'warm': 0.60, 'mitogen': 0.30}


def second_runs(folder):
    table = Table('The three vault phases, second run: whole commands against a shell loop of ansible-playbook (ratio)')
    triphase(folder, 'create', 'vault')
    triphase(folder, 'run', 'vault')
    first_run.plain_inventory(folder, 'vault', 'vault')
    ways = {mode: lambda mode=mode: peers.accelerated(folder, 'vault', mode) for mode in TARGETS}
    ways['loop'] = lambda: peers.shell(folder, first_run.loop('vault'))
    measured = interleaved(ways)
    for mode, target in TARGETS.items():
        table.row('triphase run vault, %s, wall' % mode, [a[0] / b[0] for a, b in zip(measured[mode], measured['loop'])], target)
        table.row('triphase run vault, %s, CPU' % mode, [a[1] / b[1] for a, b in zip(measured[mode], measured['loop'])])
    return table.failed


def main():
    with open(os.path.join(TOP, 'triphase.yml'), encoding='utf-8') as own:
        text = own.read() + first_run.SETTLED + first_run.PLAIN + first_run.SETTLED
    with project({'triphase.yml': text}) as folder:
        first_run.lay_down(folder, 'vault')
        failed = first_run.first_runs(folder, 'vault', 0.65) if first_run.FIRST else 0
        failed += second_runs(folder) if PAIRS else 0
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
