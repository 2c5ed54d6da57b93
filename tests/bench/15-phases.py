#!/usr/bin/python3
"""Three phases of thirteen everyday operations (facts and 12 modules) on a host where nothing is to change: the whole command `triphase run`
against a plain shell loop of three ansible-playbook calls with Ansible's default settings, over the same inventory. Beside that: the same loop with
pipelining, with mitogen as it comes, by ansible-runner, and pyinfra doing the same operations in three calls (setup/install.sh bench installs the last two).
PAIRS rounds of all of them, interleaved; MODES picks ways of triphase (`warm`, `none`, `mitogen`; with `cached`: facts are gathered once a run),
PEERS the others."""
import functools
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import TOP, Table, first_run, interleaved, peers, project, run, triphase  # noqa: E402

MODES = os.environ.get('MODES', 'warm mitogen mitogen-cached').split()
PEERS = os.environ.get('PEERS', 'pipelining mitogen ansible-runner pyinfra').split()
TARGETS = {'warm': 0.60, 'mitogen': 0.25, 'mitogen-cached': 0.20}
BENCH = os.path.join(TOP, '.venv-bench', 'bin')
PHASES = first_run.PHASES
PLAYBOOK = '''- name: Everyday
  hosts: recipe_everyday:recipe_cached
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
# What stands in a task of Ansible, and pyinfra reads from files; 'peer.j2' is the template with the name that pyinfra has for it.
FILES = {
    'triphase.yml': 'project: bench\ntargets:\n  everyday:\n    recipe: everyday\n',
    'playbooks/everyday/templates/everyday.j2': 'on {{ ansible_facts["hostname"] }}\n',
    'playbooks/everyday/templates/peer.j2': 'on {{ hostname }}\n',
}
FILES.update({'playbooks/everyday/%s.yml' % phase: PLAYBOOK.replace('{phase}', phase) for phase in PHASES})
FILES.update({'written-by-' + phase: 'written by ' + phase for phase in PHASES})
FILES.update({'phases/%s.yml' % recipe: 'phases:\n' + ''.join(
    '  - name: %s\n    playbook: playbooks/everyday/%s.yml\n%s' % (phase, phase, keys) for phase in PHASES)
    for recipe, keys in (('everyday', ''), ('cached', '    facts: cached\n'))})


def by_triphase(folder, way):
    cached = ['--set', 'targets.everyday.recipe=cached'] if way.endswith('-cached') else []
    return peers.accelerated(folder, 'everyday', way.split('-')[0], *cached)


def by_runner(folder):
    words = 'set -e; for phase in %s; do %s/ansible-runner run private --project-dir . --inventory %s/plain.yml -p playbooks/everyday/$phase.yml ' \
            "--cmdline '-e @vars.yml' -q; done" % (' '.join(PHASES), BENCH, folder)
    return run(['sh', '-c', words], cwd=folder)


def by_pyinfra(folder):
    with open(os.path.join(folder, 'plain.yml'), encoding='utf-8') as source:
        words = dict(line.strip().split(': ', 1) for line in source if ': ' in line)
    known = re.search('UserKnownHostsFile=([^ ]+)', words['ansible_ssh_common_args']).group(1)
    # It looks the address up, and not the alias that the key is filed under.
    with open(known, encoding='ascii') as source, open(os.path.join(folder, 'known'), 'w', encoding='ascii') as out:
        out.writelines(words['ansible_host'] + ' ' + line.split(' ', 1)[1] for line in source)
    with open(os.path.join(folder, 'hosts.py'), 'w', encoding='utf-8') as out:
        out.write('everyday = [(%r, %r)]\n' % (words['ansible_host'], {
            'ssh_user': 'root', 'ssh_key': words['ansible_ssh_private_key_file'], 'ssh_strict_host_key_checking': 'yes',
            'ssh_known_hosts_file': os.path.join(folder, 'known')}))
    words = 'set -e; for phase in %s; do EVERYDAY=$phase %s/pyinfra -y hosts.py %s; done' % (
        ' '.join(PHASES), BENCH, os.path.join(TOP, 'tests', 'bench', 'peers', 'everyday.py'))
    return run(['sh', '-c', words], cwd=folder)


LOOP = first_run.loop('everyday')
OTHERS = {'pipelining': lambda folder: peers.shell(folder, LOOP, ANSIBLE_PIPELINING='1'), 'mitogen': lambda folder: peers.by_mitogen(folder, LOOP),
          'ansible-runner': by_runner, 'pyinfra': by_pyinfra}


def main():
    ways = {mode: lambda folder, mode=mode: by_triphase(folder, mode) for mode in MODES}
    ways['loop'] = lambda folder: peers.shell(folder, LOOP)
    ways.update({'the loop, ' + name if name in ('pipelining', 'mitogen') else name: OTHERS[name] for name in PEERS})
    with project(FILES) as folder:
        triphase(folder, 'create', 'everyday')
        first_run.plain_inventory(folder, 'everyday', 'everyday')
        measured = interleaved({name: functools.partial(way, folder) for name, way in ways.items()})
        table = Table('Three phases, 12 modules and facts, nothing to change: whole commands against a plain loop of ansible-playbook')
        table.row('the loop', [end[0] for end in measured['loop']], unit=' s')
        for name in ways:
            if name != 'loop':
                table.row('%s, wall (ratio)' % name, [a[0] / b[0] for a, b in zip(measured[name], measured['loop'])], TARGETS.get(name))
                table.row('%s, CPU (ratio)' % name, [a[1] / b[1] for a, b in zip(measured[name], measured['loop'])])
        for mode in MODES:
            table.row('%s, the phases alone (ratio)' % mode, [sum(a[2]) / b[0] for a, b in zip(measured[mode], measured['loop'])])
        if 'pyinfra' in measured and 'mitogen-cached' in measured:
            table.row('mitogen-cached against pyinfra, wall (ratio)',
                      [a[0] / b[0] for a, b in zip(measured['mitogen-cached'], measured['pyinfra'])], 1.2)
    return 1 if table.failed else 0


if __name__ == '__main__':
    sys.exit(main())
