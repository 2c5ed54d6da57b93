"""HTTP: who may ask, the limit on requests, faults, the log, and the control that is not below /v1."""

import http.server
import json
import re
import socket
import struct
import sys
import threading
import time
import traceback
import urllib.parse

from . import faults, routes, servers
from .refusal import Refusal

HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"


class Limit:
    """A bucket that gets one request back each second."""

    def __init__(self, size):
        self.size, self.left, self.at = size, float(size), time.monotonic()

    def take(self):
        clock = time.monotonic()
        self.left = min(self.size, self.left + clock - self.at)
        self.at = clock
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def headers(self, played=False):
        left = 0 if played else int(self.left)
        full = 3600 if played else self.size - self.left
        return [("RateLimit-Limit", self.size), ("RateLimit-Remaining", left), ("RateLimit-Reset", int(time.time() + full))]


class Fake:
    """What the handlers of all connections share."""

    def __init__(self, cloud, tokens, readonly, limit):
        self.cloud, self.tokens, self.readonly = cloud, tokens, readonly
        self.limit, self.faults = Limit(limit), faults.Faults()
        self.requests = []
        self.began = time.monotonic()
        self.ending = threading.Event()

    def note(self, method, path, status, body, fault):
        one = {
            "number": len(self.requests) + 1,
            "at": round(time.monotonic() - self.began, 4),
            "method": method,
            "path": path,
            "status": status,
            "fault": fault and fault["fault"],
            "body": body,
        }
        self.requests.append(one)

    def state(self):
        cloud = self.cloud
        told = {kind: [routes.show(cloud, kind, thing) for thing in things.values()] for kind, things in cloud.kept.items()}
        told["servers"] = [servers.state(cloud, server) for server in cloud.kept["servers"].values()]
        return {**told, "actions": list(cloud.actions.values()), "faults": self.faults.listed}

    def control(self, method, path, body):
        if (method, path) == ("GET", "/control/state"):
            return self.state()
        if (method, path) == ("GET", "/control/requests"):
            return self.requests
        if (method, path) == ("DELETE", "/control/requests"):
            self.requests.clear()
            return {}
        if path == "/control/faults":
            if method in ("PUT", "DELETE"):
                self.faults.clear()
            self.faults.add(body if isinstance(body, list) else [body] if body else [])
            return self.faults.listed
        if (method, path) == ("PUT", "/control/settings"):
            unknown = set(body) - set(self.cloud.settings)
            if unknown:
                raise ValueError(f"there is no setting {sorted(unknown)}")
            self.cloud.settings.update(body)
            return self.cloud.settings
        if (method, path) == ("POST", "/control/preload"):
            servers.preload(self.cloud, body.get("servers", 200), body.get("labels", {}), body.get("name", "preloaded"))
            return {}
        gone = re.fullmatch("/control/servers/(.+)", path)
        if gone and method == "DELETE":
            servers.vanish(self.cloud, self.cloud.find("servers", gone[1]))
            return {}
        raise Refusal(404)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "fake", ""
    disable_nagle_algorithm = True
    fake = None  # set by serve()

    def log_message(self, *_):
        pass

    def send(self, status, body, headers=(), kind="application/json", cut=None):
        date = self.date_time_string(time.time() + self.fake.cloud.settings["ahead"])
        head = [f"HTTP/1.1 {status} {self.responses.get(status, ('Unknown',))[0]}", f"Date: {date}"]
        head += [f"{name}: {value}" for name, value in headers]
        if status != 204:
            head += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
        # In one piece: a client that closes at its time-out is not half served.
        self.wfile.write("\r\n".join(head + ["", ""]).encode() + (body if cut is None else body[:cut]))

    def hang_up(self, with_reset=False):
        self.close_connection = True
        if with_reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            # What the server does to end a connection would fail on a closed one.
            self.connection = socket.socket()

    def hold(self):
        """Until the other side gives up, or the fake ends."""
        self.close_connection = True
        self.connection.settimeout(0.2)
        while not self.fake.ending.is_set():
            try:
                if not self.connection.recv(4096):
                    return
            except socket.timeout:
                continue
            except OSError:
                return

    def authorized(self):
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or token not in self.fake.tokens | self.fake.readonly:
            raise Refusal(401)
        if token in self.fake.readonly and self.command != "GET":
            raise Refusal(403)

    def done(self, path, query, body, fault):
        """Status and bytes of the request as it should be, and an action of it that is to fail."""
        cloud = self.fake.cloud
        try:
            self.authorized()
            if not self.fake.limit.take():
                raise Refusal(429)
            if not isinstance(body, dict):
                raise Refusal(400)
            cloud.settle()
            if fault and fault["fault"] == "vanish":
                for server in list(cloud.kept["servers"].values()):
                    if re.search(fault.get("name", ""), server["name"]):
                        servers.vanish(cloud, server)
            status, reply = routes.answer(cloud, self.command, path, query, body)
            if fault and fault["fault"] == "action":
                self.spoil(reply or {}, fault)
        except Refusal as refusal:
            status, reply = refusal.status, refusal.body()
        except Exception as wrong:  # pylint: disable=broad-exception-caught # of the fake itself: told, not a lost connection
            traceback.print_exc()
            status, reply = 500, Refusal(500, f"the fake cannot do this: {wrong!r}").body()
        return status, b"" if reply is None else json.dumps(reply).encode()

    def spoil(self, reply, fault):
        for action in [reply.get("action")] + (reply.get("next_actions") or reply.get("actions") or []):
            if action and fault.get("command", action["command"]) == action["command"]:
                code, message = fault.get("code", "server_error"), fault.get("message", "the action failed late")
                self.fake.cloud.fail_late(action, code, message)

    def below_v1(self, path, query, body):
        fake, said = self.fake, {} if isinstance(body, ValueError) or not isinstance(body, dict) else body
        with fake.cloud.lock:
            fault = fake.faults.due(self.command, self.path, said)
        kind = fault["fault"] if fault else None
        refusal = faults.refusal(fault) if fault else None
        if refusal:
            fake.note(self.command, self.path, refusal.status, body_of(body), fault)
            headers = fake.limit.headers(refusal.status == 429)
            return self.send(refusal.status, json.dumps(refusal.body()).encode(), headers)
        if kind in ("bare", "not-json", "empty"):
            status = fault.get("status", 502) if kind == "bare" else 200
            fake.note(self.command, self.path, status, body_of(body), fault)
            return self.send(status, b"" if kind == "empty" else HTML, kind="text/html")
        if kind == "refused-reset":
            fake.note(self.command, self.path, 0, body_of(body), fault)
            return self.hang_up(True)
        if kind == "slow":
            fake.ending.wait(fault.get("seconds", 5))
        with fake.cloud.lock:
            status, reply = self.done(path, query, body, fault)
            headers = fake.limit.headers()
            fake.note(self.command, self.path, status, body_of(body), fault)
        if kind == "late":
            fake.ending.wait(fault.get("seconds", 5))
        if kind == "unanswered":
            return self.hold()
        if kind == "dropped":
            return self.hang_up()
        self.send(status, reply, headers, cut=len(reply) // 2 if kind in ("truncated", "reset") else None)
        if kind in ("truncated", "reset"):
            if kind == "reset":
                time.sleep(0.05)  # a reset overtakes what is still on its way
            self.hang_up(kind == "reset")
        return None

    def serve(self):
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urllib.parse.urlsplit(self.path)
        try:
            body = json.loads(sent) if sent else {}
        except ValueError as problem:
            body = problem
        if parts.path.startswith("/v1/"):
            return self.below_v1(parts.path, urllib.parse.parse_qs(parts.query), body)
        try:
            with self.fake.cloud.lock:
                self.fake.cloud.settle()
                status, reply = 200, json.dumps(self.fake.control(self.command, parts.path, body))
        except Refusal as refusal:
            status, reply = refusal.status, json.dumps(refusal.body())
        except (ValueError, AttributeError, re.error) as problem:
            status, reply = 400, json.dumps({"error": str(problem)})
        # A test's next request is the first of its connection: libcurl repeats none of those by itself.
        self.close_connection = True
        return self.send(status, reply.encode(), [("Connection", "close")])

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = serve


def body_of(body):
    return None if isinstance(body, ValueError) else body


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that left is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc()


def listen(fake, address, port):
    handler = type("Bound", (Handler,), {"fake": fake})
    return Server((address, port), handler)
