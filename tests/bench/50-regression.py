#!/usr/bin/python3
"""How often `report --regress` cries wolf, and what it finds: simulated comparisons, see regression.c. The target, at most 5 % false alarms, is for
batches that are alike; where whole days differ the figure is only told."""
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(os.environ.get('BUILD', os.path.join(TOP, 'build')), 'bench', 'regression')
COMPARISONS, TARGET = '1000', 0.05


def main():
    missed = False
    out = subprocess.run([PROGRAM, COMPARISONS], stdout=subprocess.PIPE, check=True).stdout.decode()
    print(f'The regression check, {COMPARISONS} comparisons each')
    print(f'{"noise":38} {"before":>12} {"after":>5} {"false alarm":>11} {"task named":>10} {"phase named":>11} {"all judged":>10}')
    for line in out.splitlines():
        noise, before, after, alarm, task, phase, judged = line.split('\t')
        too_many = 'alike' in noise and float(alarm) > TARGET
        missed = missed or too_many
        print(f'{noise:38} {before:>12} {after:>5} {float(alarm):11.1%} {float(task):10.1%} {float(phase):11.1%} {float(judged):10.1%}'
              + ('  missed' if too_many else ''))
    return 1 if missed else 0


if __name__ == '__main__':
    sys.exit(main())
