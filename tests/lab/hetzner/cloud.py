"""The state of the one project that the fake knows: what was made, actions and their time.

Nothing runs beside the requests: each request first settles what has fallen due since the last one."""

import datetime
import threading
import time

from . import catalogue
from .refusal import not_found, not_unique

# Beyond 32 bits, as the real ones are.
FIRST_ID, FIRST_ACTION = 4_300_000_001, 600_000_000_000_001
SINGULAR = {
    "servers": "server",
    "ssh_keys": "ssh_key",
    "firewalls": "firewall",
    "networks": "network",
    "placement_groups": "placement_group",
}


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Cloud:
    def __init__(self, settings, guests=None):
        self.lock = threading.RLock()
        self.settings = settings
        self.guests = guests
        self.kept = {kind: {} for kind in SINGULAR}
        self.actions = {}
        self._waiting = []
        self._offered = None
        self._last_id, self._last_action, self._last_host = FIRST_ID - 1, FIRST_ACTION - 1, 0

    def new_id(self):
        self._last_id += 1
        return self._last_id

    def new_host(self):
        self._last_host += 1
        return self._last_host

    # ------------------------------------------------------------ resources
    def add(self, kind, thing):
        thing = {"id": self.new_id(), **thing, "created": now()}
        self.kept[kind][thing["id"]] = thing
        return thing

    def get(self, kind, number):
        thing = self.kept[kind].get(int(number)) if str(number).isdigit() else None
        if not thing:
            raise not_found(SINGULAR[kind], number)
        return thing

    def find(self, kind, wish):
        """By id, as number or text, or by name."""
        by_name = [thing for thing in self.kept[kind].values() if thing["name"] == wish]
        return by_name[0] if by_name else self.get(kind, wish)

    def unique(self, kind, name, but=None):
        if any(thing["name"] == name and thing is not but for thing in self.kept[kind].values()):
            raise not_unique(SINGULAR[kind].replace("_", " "))

    def server_types(self):
        unavailable = self.settings["unavailable"]
        if self._offered is None or self._offered[0] != unavailable:
            self._offered = (unavailable, catalogue.server_types(unavailable))
        return self._offered[1]

    def server_type(self, number):
        return next(kind for kind in self.server_types() if kind["id"] == number)

    # ------------------------------------------------------------ actions
    def act(self, command, resources, seconds=None, after=None, done=None, ready=None):
        """Begins an action, or queues it behind the action `after`. `done` is called when it ended well; `ready`, once its
        time is over, says None (not yet), "" (done) or why it failed."""
        self._last_action += 1
        seconds = self.settings["delay"] if seconds is None else seconds
        action = {
            "id": self._last_action,
            "command": command,
            "status": "running",
            "progress": 0,
            "started": now(),
            "finished": None,
            "resources": [{"id": number, "type": kind} for kind, number in resources],
            "error": None,
        }
        self.actions[action["id"]] = action
        begins = time.monotonic()
        self._waiting.append(
            {"action": action, "after": after, "from": begins, "seconds": seconds, "done": done, "ready": ready, "fails": None}
        )
        return action

    def fail_late(self, action, code, message):
        for one in self._waiting:
            if one["action"] is action:
                one["fails"] = {"code": code, "message": message}

    def _end(self, one, error=None):
        action = one["action"]
        action.update(status="error" if error else "success", progress=100, finished=now(), error=error)
        self._waiting.remove(one)
        # What was queued behind it began when its time was over, and not when somebody looked.
        ended = time.monotonic() if one["ready"] else one["from"] + one["seconds"]
        for behind in self._waiting:
            if behind["after"] is action:
                behind["from"] = ended
        if one["done"] and not error:
            one["done"]()

    def settle(self):
        moved = True
        while moved:
            moved = False
            for one in list(self._waiting):
                action, after, clock = one["action"], one["after"], time.monotonic()
                if one not in self._waiting:
                    continue
                if after and after["status"] == "running":
                    continue
                if after and after["status"] == "error":
                    self._end(one, {"code": "action_failed", "message": f"{after['command']} failed"})
                    moved = True
                    continue
                left = one["from"] + one["seconds"] - clock
                action["progress"] = 0 if left > 0 and not one["seconds"] else min(99, int(100 * (1 - max(0, left) / (one["seconds"] or 1))))
                if left > 0:
                    continue
                if one["fails"]:
                    self._end(one, one["fails"])
                    moved = True
                    continue
                said = one["ready"]() if one["ready"] else ""
                if said is None:
                    continue
                self._end(one, {"code": "server_error", "message": said} if said else None)
                moved = True

    def finish(self, action):
        """At once, whatever its time."""
        for one in [one for one in self._waiting if one["action"] is action]:
            self._end(one)

    def busy(self, kind, number, command=None):
        return any(
            one["action"]["command"] == (command or one["action"]["command"])
            and {"id": number, "type": SINGULAR[kind]} in one["action"]["resources"]
            for one in self._waiting
        )

    def drop_actions(self, kind, number):
        """What still runs for a thing that is gone fails."""
        for one in list(self._waiting):
            if one in self._waiting and {"id": number, "type": SINGULAR[kind]} in one["action"]["resources"]:
                self._end(one, {"code": "not_found", "message": f"{SINGULAR[kind]} is gone"})
