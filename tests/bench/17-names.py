#!/usr/bin/python3
"""500 names of this machine (`connection: local`) in one play of five tasks, in a phase with `beyond: allow`: the whole command `triphase run` against the
same ansible-playbook alone, with its default settings, over the same inventory. PAIRS rounds, interleaved."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import Table, first_run, interleaved, peers, project, triphase  # noqa: E402

NAMES = 500
FILES = {
    'triphase.yml': 'project: bench\ntargets:\n  host:\n    recipe: names\n',
    'phases/names.yml': 'phases:\n  - name: install\n    playbook: names.yml\n    beyond: allow\n',
    'ansible.cfg': '[defaults]\ninventory = names.ini\nforks = 20\n',
    'names.ini': '[names]\nname[001:%d] number=7\n[names:vars]\nansible_connection=local\nansible_python_interpreter=/usr/bin/python3\n' % NAMES,
    'names.yml': '''- name: Names
  hosts: names
  gather_facts: false
  tasks:
    - name: Say
      ansible.builtin.debug:
        msg: "{{ inventory_hostname }}"
    - name: Keep
      ansible.builtin.set_fact:
        doubled: "{{ number | int * 2 }}"
    - name: See
      ansible.builtin.assert:
        that: doubled | int == 14
    - name: Say it
      ansible.builtin.debug:
        var: doubled
    - name: Pass over
      ansible.builtin.debug:
        msg: never
      when: doubled | int > 14
''',
}


def main():
    with project(FILES) as folder:
        triphase(folder, 'create', 'host')
        first_run.plain_inventory(folder, 'other', 'host')
        ways = {'triphase': lambda: peers.accelerated(folder, 'host', 'warm'),
                'alone': lambda: peers.shell(folder, 'ansible-playbook -i names.ini -i plain.yml -e @vars.yml names.yml')}
        measured = interleaved(ways)
        table = Table('%d names of this machine in one play of five tasks: the whole command against ansible-playbook alone' % NAMES)
        pairs = list(zip(measured['triphase'], measured['alone']))
        table.row('ansible-playbook', [b[0] for _, b in pairs], unit=' s')
        table.row('triphase run, wall (ratio)', [a[0] / b[0] for a, b in pairs], 0.90)
        table.row('triphase run, CPU (ratio)', [a[1] / b[1] for a, b in pairs], 1.00)
    return 1 if table.failed else 0


if __name__ == '__main__':
    sys.exit(main())
