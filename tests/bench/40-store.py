#!/usr/bin/python3
"""The store: reports over a million task rows, of many runs and of one, a bundle of that one, the lock while 4,000,000
rows are pruned, a flood through the writer, and what the writer costs in memory.

Reports are whole processes, from exec to exit. The flood is 100,000 results of a synthetic play: as events, as JSON lines that are parsed first, and (through
`store`, see store.c) counted in the database afterwards: one that is missing fails the measurement.
"""
import os
import re
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import PAIRS, TOP, TRIPHASE, Table, environment, project, run  # noqa: E402

STORE = os.path.join(os.path.dirname(TRIPHASE) if 'TRIPHASE' in os.environ else os.path.join(TOP, 'build'), 'bench', 'store')
ROWS, EVENTS = 1000000, 100000


def one_run(table):
    """All rows are of one run, each of another task or another host."""
    walls = {'table': [], 'bundle': []}
    with project({'triphase.yml': 'project: bench\ntargets: {}\n'}) as folder:
        state = os.path.join(folder, '.triphase')
        os.mkdir(state, 0o700)
        run([STORE, 'one', os.path.join(state, 'store.db'), str(ROWS)])
        for _ in range(min(PAIRS, 5)):
            walls['table'].append(run([TRIPHASE, '-C', folder, 'report', '--by', 'task'])[0])
        for _ in range(min(PAIRS, 3)):
            archive = os.path.join(folder, 'bundle.tar.zst')
            walls['bundle'].append(run([TRIPHASE, '-C', folder, 'bundle', '--no-host', '-o', archive])[0])
            os.unlink(archive)
        os.unlink(os.path.join(state, 'store.db'))  # its machines exist in it alone
    table.row('a run of 1,000,000 task rows: report --by task', walls['table'], 1.0, ' s')
    table.row('a run of 1,000,000 task rows: bundle', walls['bundle'], 20.0, ' s')


def longest_hold(command, store):
    """The longest time, in ms, for which a process had the write lock while others asked for it every ms."""
    process, held, longest = subprocess.Popen(command, stdout=subprocess.DEVNULL), None, 0.0
    database = sqlite3.connect(store, timeout=0, isolation_level=None)
    while process.poll() is None:
        try:
            database.execute('BEGIN IMMEDIATE')
            database.execute('ROLLBACK')
            longest, held = max(longest, time.monotonic() - held if held else 0), None
        except sqlite3.OperationalError:
            held = held or time.monotonic()
        time.sleep(0.001)
    database.close()
    if process.returncode:
        sys.exit('the prune failed')
    return longest * 1000


def pruning(table):
    """4,000,000 rows of 20,000 runs, of which all but 20 go."""
    with project({'triphase.yml': 'project: bench\nkeep: 1s\ntargets: {}\n'}) as folder:
        state = os.path.join(folder, '.triphase')
        os.mkdir(state, 0o700)
        store = os.path.join(state, 'store.db')
        run([STORE, 'fill', store, str(4 * ROWS)])
        time.sleep(4)  # longer than its newest run says it took
        longest = longest_hold([TRIPHASE, '-C', folder, 'store', 'prune'], store)
        os.unlink(store)
    table.row('a store of 4,000,000 task rows: longest time that prune has the lock', [longest], 200, ' ms')


def flood(folder, mode):
    database = os.path.join(folder, mode + '.db')
    out = run([STORE, mode, database, str(EVENTS)])[2]
    for tail in ('', '-wal', '-shm'):
        if os.path.exists(database + tail):
            os.unlink(database + tail)
    return float(re.search(r', ([0-9.]+) s to the disk', out).group(1))


def main():
    table = Table('The store')
    with project({'triphase.yml': 'project: bench\ntargets: {}\n'}) as folder:
        state = os.path.join(folder, '.triphase')
        os.mkdir(state, 0o700)
        run([STORE, 'fill', os.path.join(state, 'store.db'), str(ROWS)])
        reports = {'report of one run': [], 'report --last 20': [], 'report --by task': []}
        floods = {'put': [], 'lines': []}
        for _ in range(PAIRS):
            for name, walls in reports.items():
                walls.append(run([TRIPHASE, '-C', folder] + name.replace(' of one run', '').split())[0] * 1000)
            for mode, walls in floods.items():
                walls.append(flood(folder, mode))
        table.row('1,000,000 task rows: report of one run', reports['report of one run'], 50, ' ms')
        table.row('1,000,000 task rows: report --last 20', reports['report --last 20'], 50, ' ms')
        table.row('1,000,000 task rows: report --by task', reports['report --by task'], None, ' ms')
        table.row('100,000 events to the disk', floods['put'], 1.0, ' s')
        table.row('100,000 JSON lines parsed and to the disk', floods['lines'], 1.0, ' s')
        print(run([STORE, 'memory', os.path.join(folder, 'memory.db'), '2000'], env=environment())[2].strip())
        os.unlink(os.path.join(state, 'store.db'))  # its machines exist in it alone
    one_run(table)
    pruning(table)
    return 1 if table.failed else 0


if __name__ == '__main__':
    sys.exit(main())
