"""Faults that are played on demand. Each is an object:

  {"fault": WHAT, "method": "POST", "path": REGULAR EXPRESSION, "first": 1, "times": 1, ...}

`path` is searched in the path with its query ("/v1/servers?page=2…"), `method` may be absent. It is played for the
requests number `first` to `first + times - 1` of those that fit (times 0: for ever). Where several fit, the first of the
list that is due is played; all of them count. With `after`, a regular expression that is searched in "METHOD PATH", it is
there only once a request that fits that was begun, which is itself not struck: {"fault": "refused-reset", "times": 0,
"after": "POST /v1/servers$"} is an API that is gone for good behind that one.

WHAT                  what happens; the request is not done where nothing else is said
a number              this status with its usual error (429: RateLimit-Remaining 0, RateLimit-Reset an hour ahead and no
                      Retry-After). `code`, `message`, `details` may be given for these and for the next five
unsupported_location  422 invalid_input, "unsupported location for server type"
resource_unavailable  412, where the body's `location` is one of `locations` (absent: wherever)
limit                 403 resource_limit_exceeded
unauthorized          401
readonly              403 token_readonly
bare                  `status` (502) with a page of HTML
not-json              200 with a page of HTML
empty                 200 with no byte
slow                  waits `seconds` (5), then the request is done
late                  the request is done, its reply comes after `seconds` (5)
unanswered            the request is done, its reply never comes: the connection is held until the client leaves
dropped               the request is done, the connection is closed without a reply. Where the connection had served before,
                      libcurl then sends the request again by itself, a POST too: the second finds what the first made
truncated             the request is done; half of the body, then the end of the connection
reset                 the request is done; half of the body, then a reset
refused-reset         a reset before a byte; not done
action                the request is done, and an action of the reply fails when its time is over: `command` (absent: each),
                      `code`, `message`
vanish                the servers whose name is searched by `name` are gone, with nothing told; then the request is done
"""

import re

from .refusal import Refusal

NAMED = {
    "unsupported_location": Refusal(422, "unsupported location for server type"),
    "resource_unavailable": Refusal(412),
    "limit": Refusal(403, "server limit reached", "resource_limit_exceeded", {"limits": [{"name": "servers"}]}),
    "unauthorized": Refusal(401),
    "readonly": Refusal(403, "this token is only allowed to perform GET requests", "token_readonly"),
}
FLOW = {"bare", "not-json", "empty", "slow", "late", "unanswered", "dropped", "truncated", "reset", "refused-reset", "action", "vanish"}


class Faults:
    def __init__(self, listed=()):
        self.listed = []
        self.add(listed)

    def add(self, listed):
        for fault in listed:
            kind = fault.get("fault")
            if not isinstance(kind, int) and kind not in NAMED and kind not in FLOW:
                raise ValueError(f"there is no fault '{kind}'")
            re.compile(fault.get("path", ""))
            re.compile(fault.get("after", ""))
            self.listed.append({"played": 0, "seen": 0, **fault})

    def clear(self):
        self.listed = []

    def due(self, method, path, body):
        """The one to be played for this request, or None."""
        chosen = None
        for fault in self.listed:
            if not fault.get("begun", "after" not in fault):
                fault["begun"] = bool(re.search(fault["after"], f"{method} {path}"))
                continue
            if fault.get("method", method) != method or not re.search(fault.get("path", ""), path):
                continue
            if "locations" in fault and body.get("location") not in fault["locations"]:
                continue
            fault["seen"] += 1
            first, times = fault.get("first", 1), fault.get("times", 1)
            if chosen is None and fault["seen"] >= first and (not times or fault["seen"] < first + times):
                chosen = fault
        if chosen:
            chosen["played"] += 1
        return chosen


def refusal(fault):
    """What is said for a fault that is an answer, else None."""
    kind = fault["fault"]
    if isinstance(kind, int):
        usual = Refusal(kind)
    elif kind in NAMED:
        usual = NAMED[kind]
    else:
        return None
    return Refusal(usual.status, fault.get("message", usual.message), fault.get("code", usual.code), fault.get("details", usual.details))
