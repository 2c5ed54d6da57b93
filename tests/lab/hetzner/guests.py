"""Real hosts behind the servers: what tests/lab/hetzner/guests.c makes, asked in its own process."""

import json
import subprocess
import threading

# As the cloud's own images are: root is who comes in.
VENDOR = "#cloud-config\ndisable_root: false\nusers: [root]\n"


class Guests:
    def __init__(self, program, tree):
        self._lock = threading.Lock()
        # pylint: disable-next=consider-using-with
        self._child = subprocess.Popen([program, tree], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **what):
        with self._lock:
            if self._child.stdin.closed:
                return {"error": "the cloud has ended"}
            self._child.stdin.write(json.dumps(what) + "\n")
            self._child.stdin.flush()
            line = self._child.stdout.readline()
        return json.loads(line) if line else {"error": "whoever makes the guests is gone"}

    def begin(self, name, user_data, keys):
        return Guest(self, name, user_data, keys)

    def stop(self):
        with self._lock:
            self._child.stdin.close()
        self._child.wait(60)


class Guest:
    """One host. It has its address at once and boots beside the requests."""

    def __init__(self, guests, name, user_data, keys):
        self._guests, self._wrong = guests, None
        told = guests.ask(do="claim", name=name)
        if "error" in told:
            raise RuntimeError(told["error"])
        self.id, self.ipv4, self.ipv6, self.console = told["id"], told["ipv4"], told["ipv6"], told["console"]
        seed = {
            "meta-data": json.dumps({"instance-id": self.id, "local-hostname": name, "public-keys": keys}) + "\n",
            "user-data": user_data or "#cloud-config\n",
            "vendor-data": VENDOR,
        }
        self._ending, self._gone = None, None
        self._booting = threading.Thread(target=self._boot, args=(name, seed), daemon=True)
        self._booting.start()

    def _boot(self, name, seed):
        self._wrong = self._guests.ask(do="boot", id=self.id, name=name, seed=seed).get("error", "")

    def ready(self):
        """Of the action that starts it: None while it goes on, then why it failed, or ""."""
        return self._wrong

    def _end(self):
        self._booting.join()
        self._gone = self._guests.ask(do="remove", id=self.id).get("error", "")

    def end(self):
        """None until it is gone, then why it could not be removed, or ""."""
        if not self._ending:
            self._gone = None
            self._ending = threading.Thread(target=self._end, daemon=True)
            self._ending.start()
        return self._gone
