# SPDX-License-Identifier: MIT
"""Secrets that a script used, looked for wherever they must not be, as lab/spilled.h does for the tests in C: in the words and the environment of every process while it
goes on, and at its end in files."""
import contextlib
import json
import os
import socket
import subprocess
import time

LOOKED_AT = 128 << 10


class Watch:
    def __init__(self, pause=0.0):
        """From here on a process beside the script looks through /proc, without a pause; or, where time is measured, with one of so many seconds and the least share of a
        processor that there is: words of a program that joins a tailnet stand there for more than a second."""
        self.secrets = []
        self.end, other = socket.socketpair()
        self.looker = os.fork()
        if not self.looker:
            try:
                self.end.close()
                look(other, pause)
            finally:
                os._exit(0)
        other.close()

    def watch(self, secret):
        self.secrets.append(secret)
        self.end.sendall((json.dumps(secret) + '\n').encode())

    def stop(self):
        """Where in /proc one was seen, or nothing; each was looked for in a whole round at least."""
        self.end.shutdown(socket.SHUT_WR)
        with self.end, self.end.makefile(encoding='utf-8') as said:
            answer = json.loads(said.readline() or '{}')
        os.waitpid(self.looker, 0)
        if not self.secrets or answer.get('known') != len(self.secrets):
            raise AssertionError('nobody looked through /proc for the keys that were used')
        return answer['found']

    def check(self, but, *folders):
        """Raises where one was seen, or stands in a file below one of the folders (what is packed there as .tar.gz is unpacked). `but`: files where the script itself put it."""
        found = self.stop()
        if found:
            raise AssertionError('a key that was used stood in the %s' % '; '.join(found))
        self.check_files(but, *folders)

    def check_files(self, but, *folders):
        """The second half by itself, for files that do not last."""
        found = [path for folder in folders for path in self.in_files(folder) if path not in but]
        if found:
            raise AssertionError('a key that was used stands in: %s' % '; '.join(found))

    def in_files(self, folder):
        for path, _, names in list(os.walk(folder)):
            for name in names:
                if name.endswith('.tar.gz'):
                    unpacked = os.path.join(path, name + '.unpacked')
                    os.makedirs(unpacked, exist_ok=True)
                    subprocess.run(['tar', '-xaf', os.path.join(path, name), '-C', unpacked], check=True, stdin=subprocess.DEVNULL)
        # Patterns through stdin: the search itself has the secret in no argv.
        done = subprocess.run(['grep', '-rlaF', '-f', '-', '--', folder], input='\n'.join(self.secrets).encode(), stdout=subprocess.PIPE, check=False)
        if done.returncode > 1:
            raise AssertionError('grep in %s ended with %d' % (folder, done.returncode))
        return done.stdout.decode('utf-8', 'replace').splitlines()


def look(end, pause):
    """In the process beside it: until the other one closes its end, and a whole round beyond."""
    os.nice(19 if pause else 5)
    end.setblocking(False)
    secrets, found, came, last = [], [], b'', False
    while not last:
        with contextlib.suppress(BlockingIOError):
            bytes_of = end.recv(65536)
            last = not bytes_of
            came += bytes_of
        *lines, came = came.split(b'\n')
        secrets += [json.loads(line).encode() for line in lines]
        for pid in filter(str.isdigit, os.listdir('/proc')):
            for what in ('cmdline', 'environ'):
                with contextlib.suppress(OSError), open('/proc/%s/%s' % (pid, what), 'rb', buffering=0) as words:
                    said = words.read(LOOKED_AT)
                    if not found and any(secret in said for secret in secrets):
                        found.append('%s of process %s (%s)' % (what, pid, said.replace(b'\0', b' ').decode('utf-8', 'replace')[:300]))
        time.sleep(pause)
    end.setblocking(True)
    end.sendall((json.dumps({'known': len(secrets), 'found': found}) + '\n').encode())
