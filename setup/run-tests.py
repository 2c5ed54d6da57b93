#!/usr/bin/python3
"""Runs the tests of one Criterion binary, each in a process of its own, and counts them.

A process of its own per test: a crash of one takes no other along, the limits hold (Criterion's own ones do not when
several tests run at once), and what a test leaves behind can be told by the mark in its environment. Every process that
still carries the mark some seconds after its test ended is a failure of that test, and is ended.
"""

import argparse
import concurrent.futures
import fnmatch
import glob
import os
import re
import signal
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLD_ANSIBLE = "/usr/bin/ansible-playbook"
NEWEST_ANSIBLE = os.path.join(TOP, ".venv-newest", "bin", "ansible-playbook")
MITOGEN = os.path.join(TOP, ".venv-mitogen", "lib", "python3.*", "site-packages", "ansible_mitogen", "plugins", "strategy")
MARK = "TEST_MARK"
LEFTOVER_GRACE = 5.0
WARDEN_GRACE = 90.0  # what a test made is being taken away: on a busy machine that takes its time, and has bounds of its own


def listed(binary, environment):
    """Suite and test names, as `--list` prints them: a line per suite, then its tests as a tree."""
    out = subprocess.run([binary, "--list"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, timeout=60, check=True).stdout.decode("utf-8", "replace")
    suite, tests = None, []
    for line in out.splitlines():
        head = re.match(r"^(\S+): \d+ tests?$", line)
        leaf = re.match(r"^(?:[|`]--|[├└]──) (\S+)", line)
        if head:
            suite = head.group(1)
        elif leaf and suite:
            tests.append((suite, leaf.group(1)))
    return tests


def marked(mark):
    """Processes with this mark in their environment, zombies left out (theirs is empty)."""
    needle = b"\0" + f"{MARK}={mark}".encode() + b"\0"
    found = []
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        try:
            with open(f"/proc/{pid}/environ", "rb") as source:
                if needle not in b"\0" + source.read() + b"\0":
                    continue
            with open(f"/proc/{pid}/cmdline", "rb") as source:
                words = source.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:
            continue
        found.append((int(pid), words))
    return found


class Result:
    def __init__(self, name):
        self.name, self.passed, self.failed, self.skipped, self.seconds = name, 0, 0, None, 0.0
        self.words = []


def last_lines(path, count=60):
    try:
        with open(path, "rb") as source:
            source.seek(0, os.SEEK_END)
            source.seek(max(0, source.tell() - 65536))
            text = source.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [re.sub(r"[^\t -~\u00a0-\uffff]", "?", line) for line in text.splitlines()[-count:]]


class Lanes:
    """So many tests at once; one that works more than it waits takes the place of two."""

    def __init__(self, count):
        self.free, self.change = count, threading.Condition()

    def take(self, count):
        with self.change:
            self.change.wait_for(lambda: self.free >= count)
            self.free -= count

    def give(self, count):
        with self.change:
            self.free += count
            self.change.notify_all()


class Runner:
    def __init__(self, options):
        self.options, self.running, self.lock, self.stopped = options, {}, threading.Lock(), False
        self.lanes = Lanes(max(1, options.jobs))
        self.suite = os.path.basename(options.binary)
        self.logs = os.path.join(os.path.dirname(os.path.abspath(options.binary)), "check", self.suite)
        os.makedirs(self.logs, exist_ok=True)
        self.environment = dict(os.environ)
        for name in ("TALLY", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
            self.environment.pop(name, None)
        self.environment["PATH"] = os.path.join(TOP, ".venv", "bin") + ":" + os.environ.get("PATH", "/usr/bin:/bin")
        program = options.program or os.path.join(os.path.dirname(options.binary), "triphase")
        self.environment["TRIPHASE"] = os.path.abspath(program)
        self.environment["LC_ALL"] = "C.UTF-8"
        self.environment["TEST_TIMEOUT"] = str(options.timeout)
        if old_ansible():
            self.environment["OLD_ANSIBLE"] = OLD_ANSIBLE
        if os.access(NEWEST_ANSIBLE, os.X_OK):
            self.environment["NEWEST_ANSIBLE"] = NEWEST_ANSIBLE
        for strategies in glob.glob(MITOGEN):
            self.environment["MITOGEN_STRATEGIES"] = strategies

    def run(self, number, suite, test):
        heavy = any(fnmatch.fnmatch(f"{suite}/{test}", glob) for glob in self.options.heavy)
        lanes = min(2 if heavy else 1, max(1, self.options.jobs))
        self.lanes.take(lanes)
        try:
            return self.run_now(number, suite, test)
        finally:
            self.lanes.give(lanes)

    def run_now(self, number, suite, test):
        result = Result(f"{suite}/{test}")
        if self.stopped:
            result.failed, result.words = 1, ["not run: the time of the whole suite was over"]
            return result
        base = os.path.join(self.logs, f"{suite}.{test}")
        mark = f"{os.getpid()}-{number}"
        tap, log, started, limit = base + ".tap", base + ".log", time.monotonic(), None
        if os.path.exists(tap):
            os.remove(tap)
        with open(log, "wb") as output:
            child = subprocess.Popen(
                [os.path.abspath(self.options.binary), "-j1", "--color=never", f"--filter={suite}/{test}", f"--tap={tap}"],
                cwd=TOP, env=dict(self.environment, **{MARK: mark}), stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True)
            with self.lock:
                self.running[child.pid] = (child, mark)
            try:
                child.wait(self.options.limit)
            except subprocess.TimeoutExpired:
                limit = f"ended after {self.options.limit} s"
                kill_group(child)
            finally:
                with self.lock:
                    self.running.pop(child.pid, None)
        result.seconds = time.monotonic() - started
        self.read_tap(result, tap, f"{suite}::{test}")
        if limit:
            result.passed, result.failed, result.words = 0, max(1, result.failed), [limit]
        elif not result.passed and not result.failed and result.skipped is None:
            result.failed, result.words = 1, [f"the test program gave no result (status {child.returncode})"]
        elif child.returncode != 0 and not result.failed:
            # A leak that the sanitizer told after the test's own end, for one.
            result.passed, result.failed = 0, 1
            result.words = [f"the test program ended with status {child.returncode}"]
        left = end_marked(mark)
        if left:
            result.passed, result.failed = 0, result.failed + 1
            result.words += ["left processes behind:"] + [f"  {pid} {words[:160]}" for pid, words in left]
        if result.failed:
            result.words += last_lines(log)
        return result

    @staticmethod
    def read_tap(result, path, name):
        """TAP, by lines: messages are indented, so that none of them can pass for a result."""
        try:
            with open(path, "r", encoding="utf-8", errors="replace") as source:
                lines = source.read().splitlines()
        except OSError:
            return
        for line in lines:
            match = re.match(r"^(ok|not ok) - (\S+)(.*)$", line)
            if not match or match.group(2) != name:
                continue
            skip = re.search(r"# SKIP ?(.*)$", match.group(3))
            if skip:
                result.skipped = skip.group(1) or "no reason given"
            elif match.group(1) == "ok":
                result.passed += 1
            else:
                result.failed += 1

    def stop(self):
        self.stopped = True
        with self.lock:
            running = list(self.running.values())
        for child, mark in running:
            kill_group(child)
            end_marked(mark, 0.0)


def kill_group(child):
    for number, grace in ((signal.SIGTERM, 3), (signal.SIGKILL, 10)):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            pass
        try:
            child.wait(grace)
            return
        except subprocess.TimeoutExpired:
            continue


def end_marked(mark, grace=LEFTOVER_GRACE):
    """Waits for what the test started, then ends it; gives what had to be ended."""
    since = time.monotonic()
    left = marked(mark)
    while left and time.monotonic() - since < (WARDEN_GRACE if grace and any(is_warden(pid) for pid, _ in left) else grace):
        time.sleep(0.1)
        left = marked(mark)
    for pid, _ in left:
        # A warden is what cleans up; ended itself, it would leave a host behind.
        if not is_warden(pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
    return left


def is_warden(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
            return comm.read().strip() == "test-warden"
    except OSError:
        return False


def old_ansible():
    try:
        out = subprocess.run([OLD_ANSIBLE, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, timeout=60, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    return b"core 2.14." in out.split(b"\n", 1)[0]


def globs_of(path):
    """One glob over suite/test a line; what stands behind # is for the reader."""
    with open(path, encoding="utf-8") as file:
        lines = [line.split("#")[0].strip() for line in file]
    return [line for line in lines if line]


def chosen(tests, options):
    """What is asked for of all tests. A glob that names none is an error: it would leave out nothing, or everything."""
    for path, wanted in ((options.only, True), (options.without, False)):
        if not path:
            continue
        globs = globs_of(path)
        for glob in globs:
            if not any(fnmatch.fnmatch("/".join(test), glob) for test in tests):
                raise SystemExit(f"{path}: there is no test '{glob}'")
        tests = [test for test in tests if any(fnmatch.fnmatch("/".join(test), glob) for glob in globs) == wanted]
    if options.filter:
        tests = [test for test in tests if any(fnmatch.fnmatch(name, options.filter) for name in (test[1], "/".join(test)))]
    return tests


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--filter", default="", help="glob over suite/test")
    parser.add_argument("--only", metavar="FILE", help="those alone that a glob of the file names")
    parser.add_argument("--without", metavar="FILE", help="all but those")
    parser.add_argument("--first", default=[], action="append", metavar="GLOB",
                        help="what takes longest: it begins first, so that nothing waits for it alone at the end")
    parser.add_argument("--last", default=[], action="append", metavar="GLOB", help="what waits for something that is made meanwhile")
    parser.add_argument("--heavy", default=[], action="append", metavar="GLOB", help="what works more than it waits: it takes two lanes")
    parser.add_argument("--program", help="the triphase to test; beside the binary otherwise")
    parser.add_argument("--timeout", type=int, default=120, help="seconds of a test that names none itself")
    parser.add_argument("--limit", type=int, default=600, help="seconds after which any test is ended from outside")
    parser.add_argument("--budget", type=int, default=1080, help="seconds of the whole suite")
    options = parser.parse_args()

    runner = Runner(options)
    tally = os.environ.get("TALLY")
    try:
        tests = listed(options.binary, runner.environment)
    except (OSError, subprocess.SubprocessError) as problem:
        tests = []
        print(f"fail {runner.suite}: cannot list the tests: {problem}")
    tests = chosen(tests, options)

    def among(test, globs):
        return any(fnmatch.fnmatch("/".join(test), glob) for glob in globs)

    tests.sort(key=lambda test: (among(test, options.last), not among(test, options.first)))

    def interrupted(number, _frame):
        runner.stop()
        os._exit(128 + number)

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    budget = threading.Timer(options.budget, runner.stop)
    budget.daemon = True
    budget.start()

    results = []
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        waiting = [pool.submit(runner.run, number, *test) for number, test in enumerate(tests)]
        for future in concurrent.futures.as_completed(waiting):
            result = future.result()
            results.append(result)
            verdict = "fail" if result.failed else "skip" if result.skipped is not None else "ok"
            reason = f": {result.skipped}" if verdict == "skip" else ""
            print(f"{verdict:4} {runner.suite} {result.name} ({result.seconds:.1f} s){reason}", flush=True)
            for line in result.words:
                print(f"     {line}", flush=True)
    budget.cancel()

    passed, failed = sum(r.passed for r in results), sum(r.failed for r in results)
    lines = []
    for result in results:
        lines += [f"ok\t{runner.suite} {result.name}"] * result.passed
        lines += [f"fail\t{runner.suite} {result.name}"] * result.failed
    if passed + failed == 0:
        failed = 1
        lines.append(f"fail\t{runner.suite}: no test ran")
        print(f"fail {runner.suite}: no test ran")
    if tally:
        with open(tally, "a", encoding="utf-8") as sink:
            sink.write("".join(line + "\n" for line in lines))
    slow = sorted(results, key=lambda r: -r.seconds)[:5]
    if slow and slow[0].seconds >= 5:
        print("slowest: " + ", ".join(f"{r.name} {r.seconds:.0f} s" for r in slow))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
