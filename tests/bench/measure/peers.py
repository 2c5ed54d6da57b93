"""What is measured side by side: triphase in one of its modes, and a shell's words with Ansible's default settings or with mitogen as it comes."""
import os
import sys

from . import TOP, environment, last_run, run, triphase

MITOGEN = os.path.join(TOP, '.venv-mitogen', 'lib', 'python%d.%d' % sys.version_info[:2], 'site-packages')


def accelerated(folder, target, mode, *words):
    """Wall, CPU and the seconds of each phase of a run that changes nothing and has gone in that mode."""
    wall, cpu, _ = triphase(folder, *words, 'run', target, env=environment(TRIPHASE_ACCELERATE=mode, TRIPHASE_MITOGEN=MITOGEN))
    steps = [step for step in last_run(folder)['steps'] if step['kind'] == 'phase']
    if any(step['changed'] for step in steps):
        raise SystemExit('a run had something to change')
    if any(step['accelerated'] != mode for step in steps):
        raise SystemExit('a phase went without %s: %s' % (mode, [step['accelerated_why'] for step in steps]))
    return wall, cpu, [step['duration_ms'] / 1000 for step in steps]


def shell(folder, words, **settings):
    return run(['sh', '-c', words], cwd=folder, env=environment(**settings))


def by_mitogen(folder, words):
    """As its documentation has it: its strategy alone."""
    return shell(folder, words, ANSIBLE_STRATEGY='mitogen_linear', PYTHONPATH=MITOGEN,
                 ANSIBLE_STRATEGY_PLUGINS=os.path.join(MITOGEN, 'ansible_mitogen', 'plugins', 'strategy'))
