# SPDX-License-Identifier: MIT
"""Starts ansible-playbook with less waste, in the interpreter its own script names: triphase_launch.py SCRIPT ARGUMENTS...

What Ansible does is untouched; two things around it are not done. While its modules are imported nothing can be garbage yet, so the
collector is off, and what was imported is never looked at again. At the end the exit handlers run (they remove Ansible's
temporary folder), the streams are flushed, and the process leaves without taking the interpreter's hundred thousand objects
apart one by one.
"""
import gc

gc.disable()

import atexit  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402

UNFLUSHED = 120  # what Python itself exits with when its streams cannot be flushed
THRESHOLD = 20000  # allocations between two collections; Python's 700 costs a play 3 % of its time


def run(script):
    sys.argv = [script] + sys.argv[2:]
    sys.path[0] = os.path.dirname(script)
    try:
        from ansible.cli.playbook import main
    except ImportError:
        os.execv(script, sys.argv)  # it finds its Ansible in a way of its own
    gc.freeze()
    gc.set_threshold(THRESHOLD)
    gc.enable()
    try:
        main()
    except SystemExit as end:
        if end.code is None:
            return 0
        if isinstance(end.code, int):
            return int(end.code)
        print(end.code, file=sys.stderr)
        return 1
    return 0


def leave(code):
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        code = code or UNFLUSHED
    os._exit(code & 0xFF)


if __name__ == '__main__':
    leave(run(sys.argv[1]))
