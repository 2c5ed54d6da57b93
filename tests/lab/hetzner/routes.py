"""Which request is answered by what."""

import re

from . import catalogue, firewalls, listing, others, servers
from .cloud import SINGULAR
from .refusal import Refusal, not_found

RENAMED = {"servers": servers.check_name}
CREATE = {
    "servers": servers.create,
    "ssh_keys": others.create_ssh_key,
    "firewalls": firewalls.create,
    "networks": others.create_network,
    "placement_groups": others.create_placement_group,
}
DELETE = {
    "servers": servers.delete,
    "ssh_keys": others.delete("ssh_keys"),
    "firewalls": firewalls.delete,
    "networks": others.delete_network,
    "placement_groups": others.delete("placement_groups"),
}
ACT = {"servers": servers.act, "firewalls": firewalls.act, "networks": others.act_on_network}
SHOW = {"servers": servers.shown, "firewalls": firewalls.shown, "networks": others.show_network}
# Of which nothing can be made here.
EMPTY = {"volumes", "floating_ips", "load_balancers", "certificates", "isos"}


def show(cloud, kind, thing):
    return SHOW[kind](cloud, thing) if kind in SHOW else thing


def _true(query, name):
    return query.get(name, ["false"])[-1].lower() == "true"


def _images(query):
    images = catalogue.images()
    for field in ("type", "architecture", "status"):
        if field in query:
            images = [image for image in images if image[field] in query[field]]
    return images if _true(query, "include_deprecated") else [image for image in images if not image["deprecation"]]


def _keys(cloud, query):
    things = list(cloud.kept["ssh_keys"].values())
    return [thing for thing in things if thing["fingerprint"] in query.get("fingerprint", [thing["fingerprint"]])]


def _offered(cloud, kind, query):
    return {"locations": catalogue.locations, "server_types": cloud.server_types, "images": lambda: _images(query)}[kind]()


def _actions(cloud, query, about=None):
    actions = list(cloud.actions.values())
    if about:
        kind, number = about
        actions = [
            action
            for action in actions
            if any(one["type"] == SINGULAR[kind] and number in (None, one["id"]) for one in action["resources"])
        ]
    elif "id" not in query:
        raise Refusal(410, "listing all actions is deprecated, ask for them by id")
    if "id" in query:
        actions = [action for action in actions if str(action["id"]) in query["id"]]
    if "status" in query:
        actions = [action for action in actions if action["status"] in query["status"]]
    return 200, listing.reply("actions", actions, query)


def _action(cloud, number):
    if not number.isdigit() or int(number) not in cloud.actions:
        raise not_found("action", number)
    return 200, {"action": cloud.actions[int(number)]}


def _change(cloud, kind, thing, body):
    if body.get("name") is not None:
        RENAMED.get(kind, lambda name: name)(body["name"])
        cloud.unique(kind, body["name"], but=thing)
        thing["name"] = body["name"]
    if body.get("labels") is not None:
        thing["labels"] = listing.check_labels(body["labels"])
    return 200, {SINGULAR[kind]: show(cloud, kind, thing)}


def _resource(cloud, method, kind, words, query, body):
    """servers, servers/ID, servers/actions, servers/ID/actions, servers/ID/actions/NAME or NUMBER."""
    if not words:
        if method == "POST":
            return CREATE[kind](cloud, body)
        if method == "GET":
            things = _keys(cloud, query) if kind == "ssh_keys" else list(cloud.kept[kind].values())
            if "status" in query:
                things = [thing for thing in things if thing.get("status") in query["status"]]
            return 200, listing.reply(kind, [show(cloud, kind, thing) for thing in things], query)
        raise Refusal(405)
    if words[0] == "actions":
        return _actions(cloud, query, (kind, None)) if len(words) == 1 else _action(cloud, words[1])
    thing = cloud.get(kind, words[0])
    if len(words) == 1:
        if method == "GET":
            return 200, {SINGULAR[kind]: show(cloud, kind, thing)}
        if method == "PUT":
            return _change(cloud, kind, thing, body)
        if method == "DELETE":
            return DELETE[kind](cloud, thing)
        raise Refusal(405)
    if words[1] != "actions" or len(words) > 3:
        raise Refusal(404)
    if method == "GET":
        return _actions(cloud, query, (kind, thing["id"])) if len(words) == 2 else _action(cloud, words[2])
    if method == "POST" and len(words) == 3 and kind in ACT:
        made = ACT[kind](cloud, thing, words[2], body)
        return 201, {"actions": made} if isinstance(made, list) else {"action": made}
    raise Refusal(405)


def answer(cloud, method, path, query, body):
    """Status and reply of one request below /v1."""
    words = [word for word in re.sub("^/v1", "", path).split("/") if word]
    kind, rest = (words[0], words[1:]) if words else ("", [])
    if kind in SINGULAR:
        return _resource(cloud, method, kind, rest, query, body)
    if kind == "datacenters":
        link = {"announcement": "https://docs.hetzner.cloud/changelog#2025-12-16-phasing-out-datacenters"}
        raise Refusal(410, "the datacenters endpoint was removed, use locations", details=link)
    if kind not in ("actions", "locations", "server_types", "images") and kind not in EMPTY:
        raise Refusal(404)
    if method != "GET" or len(rest) > 1:
        raise Refusal(405)
    if kind in EMPTY:
        return 200, listing.reply(kind, [], query)
    if kind == "actions":
        return _action(cloud, rest[0]) if rest else _actions(cloud, query)
    if rest:
        everything = dict(query, include_deprecated=["true"])
        for one in _offered(cloud, kind, everything):
            if str(one["id"]) == rest[0]:
                return 200, {kind[:-1]: one}
        raise not_found(kind[:-1], rest[0])
    return 200, listing.reply(kind, _offered(cloud, kind, query), query)
