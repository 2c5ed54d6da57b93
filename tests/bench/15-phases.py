#!/usr/bin/python3
"""Three phases of thirteen everyday operations (facts and 12 modules) on a host where nothing is to change: the whole command `triphase run`
against a plain shell loop of three ansible-playbook calls with Ansible's default settings, over the same inventory, and beside that the same
loop with pipelining. PAIRS rounds of all of them, interleaved; MODES picks ways of triphase (`warm`, `none`, `mitogen`)."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import PAIRS, TOP, Table, environment, first_run, last_run, project, run, triphase  # noqa: E402

MITOGEN = os.path.join(TOP, '.venv-mitogen', 'lib', 'python%d.%d' % sys.version_info[:2], 'site-packages')
MODES = os.environ.get('MODES', 'warm mitogen').split()
TARGETS = {'warm': 0.60, 'mitogen': 0.25}
PHASES = first_run.PHASES
PLAYBOOK = '''- name: Everyday
  hosts: recipe_everyday
  tasks:
    - name: Group
      ansible.builtin.group:
        name: everyday
    - name: User
      ansible.builtin.user:
        name: everyday
        group: everyday
    - name: Folder
      ansible.builtin.file:
        path: /srv/everyday-{phase}
        state: directory
        mode: '0755'
    - name: File
      ansible.builtin.copy:
        content: "written by {phase}"
        dest: /srv/everyday-{phase}/file
        mode: '0644'
    - name: Template
      ansible.builtin.template:
        src: everyday.j2
        dest: /srv/everyday-{phase}/template
        mode: '0644'
    - name: Line
      ansible.builtin.lineinfile:
        path: /srv/everyday-{phase}/lines
        line: one
        create: true
        mode: '0644'
    - name: Block
      ansible.builtin.blockinfile:
        path: /srv/everyday-{phase}/lines
        block: more
    - name: Package
      ansible.builtin.apt:
        name: bash
    - name: Service
      ansible.builtin.systemd_service:
        name: ssh
        state: started
        enabled: true
    - name: Command
      ansible.builtin.command: "true"
      changed_when: false
    - name: Look
      ansible.builtin.stat:
        path: /srv/everyday-{phase}/file
    - name: Names
      ansible.builtin.getent:
        database: passwd
'''
FILES = {
    'triphase.yml': 'project: bench\ntargets:\n  everyday:\n    recipe: everyday\n',
    'phases/everyday.yml': 'phases:\n' + ''.join(
        '  - name: %s\n    playbook: playbooks/everyday/%s.yml\n' % (phase, phase) for phase in PHASES),
    'playbooks/everyday/templates/everyday.j2': 'on {{ ansible_facts["hostname"] }}\n',
}
FILES.update({'playbooks/everyday/%s.yml' % phase: PLAYBOOK.replace('{phase}', phase) for phase in PHASES})


def by_triphase(folder, mode):
    wall, cpu, _ = triphase(folder, 'run', 'everyday', env=environment(TRIPHASE_ACCELERATE=mode, TRIPHASE_MITOGEN=MITOGEN))
    steps = [step for step in last_run(folder)['steps'] if step['kind'] == 'phase']
    if any(step['changed'] for step in steps):
        raise SystemExit('a run had something to change')
    if any(step['accelerated'] != mode for step in steps):
        raise SystemExit('a phase went without %s: %s' % (mode, [step['accelerated_why'] for step in steps]))
    return wall, cpu, [step['duration_ms'] / 1000 for step in steps]


def main():
    ways = {mode: lambda folder, mode=mode: by_triphase(folder, mode) for mode in MODES}
    loop = ['sh', '-c', first_run.loop('everyday')]
    with project(FILES) as folder:
        triphase(folder, 'create', 'everyday')
        first_run.plain_inventory(folder, 'everyday', 'everyday')
        ways['loop'] = lambda folder: run(loop, cwd=folder)
        ways['loop with pipelining'] = lambda folder: run(loop, cwd=folder, env=environment(ANSIBLE_PIPELINING='1'))
        measured = {name: [] for name in ways}
        for way in ways.values():
            way(folder)
        for _ in range(PAIRS):
            for name, way in ways.items():
                measured[name].append(way(folder))
        table = Table('Three phases, 12 modules and facts, nothing to change: whole commands against a plain loop of ansible-playbook')
        table.row('the loop', [end[0] for end in measured['loop']], unit=' s')
        for name in ways:
            if name != 'loop':
                table.row('%s, wall (ratio)' % name, [a[0] / b[0] for a, b in zip(measured[name], measured['loop'])], TARGETS.get(name))
                table.row('%s, CPU (ratio)' % name, [a[1] / b[1] for a, b in zip(measured[name], measured['loop'])])
        for mode in MODES:
            table.row('%s, the phases alone (ratio)' % mode, [sum(a[2]) / b[0] for a, b in zip(measured[mode], measured['loop'])])
    return 1 if table.failed else 0


if __name__ == '__main__':
    sys.exit(main())
