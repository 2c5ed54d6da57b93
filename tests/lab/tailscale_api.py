#!/usr/bin/python3
"""The part of Tailscale's API (v2) that headscale lacks: OAuth tokens, keys, devices. Keys are minted and devices
deleted through headscale, so that both really work. Faults are played on demand.

  tailscale_api.py FOLDER [PORT]    FOLDER holds headscale.yaml; the server listens on the hub's address

FOLDER/api.json says who may come in, read anew for each request:
  {"clients": {"ID": {"secret": "…", "tags": ["tag:x"], "scopes": ["auth_keys", "devices:core"]}}, "api_keys": ["…"]}
FOLDER/api-faults.json lists faults, each {"path": REGULAR EXPRESSION, "method": "POST", "times": N, "fault": …} (method
and times may be absent). The first that fits a request and has times left is played: a number (that status, with
"message", "retry_after" where given), "slow" ("seconds"), "truncated", "reset", "silent" (accepts and never answers),
"not-json", "date" ("seconds" added to the Date header; the request itself is answered).
FOLDER/api-requests.log gets a line for each request: METHOD PATH STATUS, never a secret. FOLDER/api-minted gets each
key that is made, FOLDER/api-tokens each token, a line each, so that a test can search for them.
"""

import base64
import datetime
import email.utils
import http.server
import json
import os
import re
import secrets
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse

FOLDER = sys.argv[1]
KEY_SCOPES = {"auth_keys", "all"}
DEVICE_SCOPES = {"devices:core", "devices", "all"}
lock = threading.RLock()
tokens = {}  # token -> client's id
minted = {}  # key's id -> what was told of it
played = {}  # index of a fault -> how often; "of" -> the list


class Refusal(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = status, message


def headscale(*words):
    done = subprocess.run(
        ["headscale", "-c", os.path.join(FOLDER, "headscale.yaml"), *words, "-o", "json"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode:
        raise Refusal(500, "headscale: " + (done.stderr or done.stdout).strip()[-300:])
    return json.loads(done.stdout) if done.stdout.strip() else None


def settings(name, default):
    try:
        with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return default


def stamp(value):
    """headscale tells moments as {"seconds", "nanos"} or as text."""
    if isinstance(value, dict):
        moment = datetime.datetime.fromtimestamp(value.get("seconds", 0), datetime.timezone.utc)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value or ""


def device_of(node):
    tags = node.get("tags") or node.get("forced_tags") or node.get("valid_tags") or []
    online = bool(node.get("online"))
    device = {
        "id": str(node["id"]),
        "nodeId": f"n{node['id']}CNTRL",
        "name": node.get("given_name", ""),
        "hostname": node.get("name", ""),
        "addresses": node.get("ip_addresses", []),
        "tags": tags,
        "user": "tagged-devices" if tags else "ops",
        "authorized": True,
        "isEphemeral": bool((node.get("pre_auth_key") or {}).get("ephemeral")),
        "isExternal": False,
        "connectedToControl": online,
        "keyExpiryDisabled": bool(tags),
        "created": stamp(node.get("created_at")),
        "expires": stamp(node.get("expiry")),
        "os": "linux",
        "clientVersion": "",
        "machineKey": node.get("machine_key", ""),
        "nodeKey": node.get("node_key", ""),
        "updateAvailable": False,
    }
    if not online:
        device["lastSeen"] = stamp(node.get("last_seen"))
    return device


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "api", ""
    shift = 0

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate((timestamp or time.time()) + self.shift, usegmt=True)

    def note(self, status):
        with lock, open(os.path.join(FOLDER, "api-requests.log"), "a", encoding="utf-8") as log:
            log.write(f"{self.command} {self.path} {status}\n")

    def send(self, status, value, headers=(), raw=None, cut=None):
        body = raw if raw is not None else b"" if value is None else json.dumps(value).encode()
        self.note(status)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, content in headers:
            self.send_header(name, content)
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])

    def fault(self):
        faults = settings("api-faults.json", [])
        with lock:
            if played.get("of") != faults:  # another list counts anew
                played.clear()
                played["of"] = faults
        for number, one in enumerate(faults):
            if not re.search(one.get("path", ""), self.path) or one.get("method", self.command) != self.command:
                continue
            with lock:
                played[number] = played.get(number, 0) + 1
                if played[number] > one.get("times", sys.maxsize):
                    continue
            return one
        return None

    def play(self, fault):
        """Whether the request is over by it."""
        kind = fault["fault"]
        if isinstance(kind, int):
            headers = [("Retry-After", str(fault["retry_after"]))] if "retry_after" in fault else []
            self.send(kind, {"message": fault.get("message", "played"), "status": kind}, headers)
            return True
        if kind == "slow":
            time.sleep(fault.get("seconds", 5))
            return False
        if kind == "date":
            self.shift = fault.get("seconds", -86400)
            return False
        self.close_connection = True
        if kind == "truncated":
            self.send(200, {"key": "x" * 400, "devices": []}, cut=40)
        elif kind == "reset":
            self.note("reset")
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif kind == "silent":
            self.note("silent")
            self.connection.recv(1)  # until the other side gives up
        elif kind == "not-json":
            self.send(200, None, raw=b"<html><body>Sign in to continue</body></html>")
        return True

    def client(self):
        """Tags the caller may give (None: any) and scopes."""
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "basic":
            value = base64.b64decode(value).decode().partition(":")[0]
        allowed = settings("api.json", {})
        if value in tokens:
            known = allowed.get("clients", {}).get(tokens[value])
            if known:
                return known.get("tags", []), set(known.get("scopes", ["all"]))
        if value and value in allowed.get("api_keys", []):
            return None, {"all"}
        raise Refusal(401, "API token invalid")

    @staticmethod
    def record(name, secret):
        path = os.path.join(FOLDER, name)
        with lock, os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as file:
            file.write(secret + "\n")

    def token(self, form):
        who, secret = form.get("client_id", ""), form.get("client_secret", "")
        if self.headers.get("Authorization", "").startswith("Basic "):
            pair = base64.b64decode(self.headers["Authorization"][6:]).decode()
            who, _, secret = (urllib.parse.unquote(part) for part in pair.partition(":"))
        known = settings("api.json", {}).get("clients", {}).get(who)
        if form.get("grant_type") != "client_credentials":
            raise Refusal(400, "unsupported grant type")
        if not known or known["secret"] != secret:
            raise Refusal(401, "invalid client credentials")
        asked = [tag for tag in form.get("tags", "").split() if tag not in known.get("tags", [])]
        if asked:
            raise Refusal(400, f"requested tags {asked} are invalid or not permitted")
        token = "tskey-api-" + secrets.token_hex(16)
        tokens[token] = who
        self.record("api-tokens", token)
        return {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": form.get("scope", "")}

    def make_key(self, body):
        tags_allowed, scopes = self.client()
        if not scopes & KEY_SCOPES:
            raise Refusal(403, "calling actor does not have enough permissions to perform this function")
        wish = body.get("capabilities", {}).get("devices", {}).get("create")
        if wish is None:
            raise Refusal(400, "capabilities.devices.create is required")
        tags = wish.get("tags") or []
        if tags_allowed is not None and not tags:
            raise Refusal(400, "tailnet-owned auth key must have tags set")
        if tags_allowed is not None and not set(tags) <= set(tags_allowed):
            raise Refusal(400, "requested tags " + str(tags) + " are invalid or not permitted")
        if len(body.get("description", "")) > 50:
            raise Refusal(400, "description is longer than 50 characters")
        seconds = body.get("expirySeconds", 90 * 86400)
        # With a user too: else headscale refuses a node that asks for the very tags of its key.
        words = ["preauthkeys", "create", "--expiration", f"{seconds}s", "--user", "1"]
        words += ["--tags", ",".join(tags)] if tags else []
        words += ["--reusable"] if wish.get("reusable") else []
        words += ["--ephemeral"] if wish.get("ephemeral") else []
        made = headscale(*words)
        now = datetime.datetime.now(datetime.timezone.utc)
        told = {
            "id": f"k{made['id']}CNTRL",
            "keyType": "auth",
            "created": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "expires": (now + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "capabilities": body["capabilities"],
            "description": body.get("description", ""),
        }
        self.record("api-minted", made["key"])
        minted[told["id"]] = {"number": made["id"], "told": told}
        return {**told, "key": made["key"]}

    def answer(self, method, path, body, form):
        if (method, path) == ("POST", "/api/v2/oauth/token"):
            return self.token(form)
        keys = re.fullmatch(r"/api/v2/tailnet/([^/]+)/keys(?:/([^/]+))?", path)
        if keys and method == "POST" and not keys[2]:
            return self.make_key(body)
        _, scopes = self.client()
        if keys and keys[2]:
            if not scopes & KEY_SCOPES:
                raise Refusal(403, "calling actor does not have enough permissions to perform this function")
            if keys[2] not in minted:
                raise Refusal(404, "not found")
            if method == "DELETE":
                # headscale's nodes hang at the key they came with: without it they would no longer be ephemeral.
                headscale("preauthkeys", "expire", "--id", str(minted.pop(keys[2])["number"]))
                return None
            return minted[keys[2]]["told"]
        if keys:
            return {"keys": [{"id": one} for one in minted]}
        if not scopes & DEVICE_SCOPES:
            raise Refusal(403, "calling actor does not have enough permissions to perform this function")
        if method == "GET" and re.fullmatch(r"/api/v2/tailnet/[^/]+/devices", path):
            return {"devices": [device_of(node) for node in headscale("nodes", "list") or []]}
        device = re.fullmatch(r"/api/v2/device/([^/]+)", path)
        if device:
            for node in headscale("nodes", "list") or []:
                if device[1] in (str(node["id"]), f"n{node['id']}CNTRL"):
                    if method == "GET":
                        return device_of(node)
                    headscale("nodes", "delete", "-i", str(node["id"]), "--force")
                    return None
            raise Refusal(404, "not found")
        raise Refusal(404, "not found")

    def serve(self):
        self.shift = 0
        length = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(length)
        fault = self.fault()
        if fault and self.play(fault):
            return
        try:
            kind = self.headers.get("Content-Type", "")
            form = dict(urllib.parse.parse_qsl(sent.decode())) if "urlencoded" in kind else {}
            body = json.loads(sent) if sent and "json" in kind else {}
            self.send(200, self.answer(self.command, urllib.parse.urlsplit(self.path).path, body, form))
        except Refusal as refusal:
            self.send(refusal.status, {"message": refusal.message, "status": refusal.status})
        except ValueError as error:
            self.send(400, {"message": f"invalid request: {error}", "status": 400})

    do_GET = do_POST = do_DELETE = serve


def main():
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 8081
    address = os.environ.get("TAILSCALE_API_ADDRESS", "10.99.0.1")
    server = http.server.ThreadingHTTPServer((address, port), Handler)
    server.daemon_threads = True
    print(f"listening on {address}:{server.server_address[1]}", flush=True)
    server.serve_forever()


main()
