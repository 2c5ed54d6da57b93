"""Paired, interleaved measurements: A B A B …, the ratio of each pair, its median, and the upper end of the median's 95 % interval.

The interval comes from order statistics (a median's rank is binomial), so it assumes nothing about the noise of the machine. A target counts against
that upper end, never against the median.
"""
import contextlib
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
TRIPHASE = os.environ.get('TRIPHASE', os.path.join(TOP, 'build', 'triphase'))
VENV = os.path.join(TOP, '.venv', 'bin')
PAIRS = int(os.environ.get('PAIRS', '15'))


def environment(**more):
    """The caller's, with the project's Ansible first in PATH and no user settings."""
    out = {k: v for k, v in os.environ.items() if not k.startswith(('ANSIBLE_', 'TRIPHASE_'))}
    out['PATH'] = VENV + os.pathsep + out['PATH']
    out['XDG_CONFIG_HOME'] = '/nonexistent'
    out.update(more)
    return out


def run(argv, cwd=None, env=None, ok=(0,)):
    """Wall seconds, CPU seconds of the process and all it waited for, and its end."""
    before, times = time.monotonic(), os.times()
    end = subprocess.run(argv, cwd=cwd, env=env or environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, timeout=900)
    wall, after = time.monotonic() - before, os.times()
    if end.returncode not in ok:
        sys.stderr.write(end.stdout.decode('utf-8', 'replace')[-4000:])
        raise SystemExit('%s exited with %d' % (' '.join(argv[:4]), end.returncode))
    cpu = after.children_user - times.children_user + after.children_system - times.children_system
    return wall, cpu, end.stdout.decode('utf-8', 'replace')


def triphase(project, *words, env=None, ok=(0,)):
    return run([TRIPHASE, '-C', project, *words], env=env, ok=ok)


def last_run(project):
    return json.loads(triphase(project, 'report', '--json')[2])


def upper_rank(n):
    """1-based rank of the upper end of the 95 % interval of a median of n values."""
    below = 0.0
    for k in range(n + 1):
        below += math.comb(n, k) * 0.5 ** n
        if below >= 0.975:
            return min(k + 1, n)
    return n


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def interleaved(ways):
    """What each of the ways gives in PAIRS rounds of all of them, by its name; each has gone once before."""
    measured = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(PAIRS):
        for name, way in ways.items():
            measured[name].append(way())
    return measured


class Table:
    """Rows that are printed as they come; `failed` says whether a target was missed."""

    def __init__(self, title):
        self.failed = 0
        print('\n%s' % title)
        print('%-58s %4s %9s %9s %9s  %s' % ('', 'n', 'median', 'upper', 'target', ''))

    def row(self, name, values, target=None, unit='', bound='upper'):
        ordered = sorted(values)
        middle, upper = median(ordered), ordered[upper_rank(len(ordered)) - 1]
        judged = upper if bound == 'upper' else middle
        missed = target is not None and judged > target
        self.failed += missed
        said = '' if target is None else 'missed' if missed else 'met'
        print('%-58s %4d %9s %9s %9s  %s' % (name, len(ordered), '%.3f%s' % (middle, unit), '%.3f%s' % (upper, unit),
                                             '' if target is None else '%.2f%s' % (target, unit), said))
        sys.stdout.flush()


@contextlib.contextmanager
def project(files):
    """A project in a folder of its own; what it made is destroyed and the folder removed at the end."""
    folder = tempfile.mkdtemp(prefix='triphase-bench.')
    try:
        for path, text in files.items():
            full = os.path.join(folder, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, 'w', encoding='utf-8') as out:
                out.write(text)
        yield folder
    finally:
        if os.path.exists(os.path.join(folder, '.triphase', 'store.db')):
            subprocess.run([TRIPHASE, '-C', folder, 'destroy', '--all', '--yes', '--no-teardown'], env=environment(),
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
        shutil.rmtree(folder, ignore_errors=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]
