"""Servers: made, started, protected, deleted, each by actions that take their time."""

import ipaddress
import re

from . import catalogue, firewalls
from .listing import check_labels
from .refusal import Refusal, invalid

MOST_USER_DATA = 32768
HOST_NAME = r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"


def check_name(name):
    if not isinstance(name, str) or not re.fullmatch(HOST_NAME, name):
        raise invalid("name", "must be a valid hostname as per RFC 1123")
    return name


def among(items, wish, field):
    """Of the catalogue, by id, as number or text, or by name."""
    found = [item for item in items if wish in (item["id"], str(item["id"]), item["name"])]
    if not found:
        raise invalid(field, f"{field} {wish} not found")
    return found


def _image(wish, server_type):
    found = among(catalogue.images(), wish, "image")
    fitting = [image for image in found if image["architecture"] == server_type["architecture"]]
    if not fitting:
        raise invalid("image", f"image is not for architecture {server_type['architecture']}")
    return fitting[0]


def _location(cloud, body, server_type):
    if "datacenter" in body:
        raise invalid("datacenter", "was removed, use location")
    offered = {place["name"]: place["available"] for place in server_type["locations"]}
    if body.get("location") is None:
        free = [name for name, available in offered.items() if available]
        if not free:
            raise Refusal(412)
        wish = free[0]
    else:
        wish = body["location"]
    location = among(catalogue.locations(), wish, "location")[0]
    if location["name"] not in offered:
        raise Refusal(422, "unsupported location for server type")
    if not offered[location["name"]]:
        raise Refusal(412)
    return location


def shown(cloud, server):
    """As the API tells it."""
    public = dict(server["public_net"], firewalls=firewalls.of_server(cloud, server))
    hidden = {"user_data", "asked_keys", "guest"}
    one = {key: value for key, value in server.items() if key not in hidden}
    groups = cloud.kept["placement_groups"].values()
    group = [dict(group) for group in groups if server["id"] in group["servers"]]
    server_type = cloud.server_type(server["server_type"])
    return dict(one, public_net=public, server_type=server_type, placement_group=group[0] if group else None)


def _families(body):
    wish = body.get("public_net") or {}
    four, six = wish.get("enable_ipv4", True), wish.get("enable_ipv6", True)
    if not four and not six and not body.get("networks"):
        raise invalid("public_net", "a server without a public network needs a private one")
    return four, six


def _public_net(cloud, families, number, guest):
    four, six = families
    v4 = guest.ipv4 if guest else cloud.settings["ipv4"] or str(ipaddress.ip_address("198.18.0.0") + number)
    network = guest.ipv6 if guest else ipaddress.ip_network((int(ipaddress.ip_address("2001:db8::")) + (number << 64), 64))
    name = f"static.{number}.clients.your-server.example"
    return {
        "ipv4": {"id": cloud.new_id(), "ip": v4, "blocked": False, "dns_ptr": name} if four else None,
        "ipv6": {"id": cloud.new_id(), "ip": str(network), "blocked": False, "dns_ptr": []} if six else None,
        "floating_ips": [],
    }


def _join(cloud, server, network, ip=None):
    used = [one["ip"] for other in cloud.kept["servers"].values() for one in other["private_net"] if one["network"] == network["id"]]
    subnets = network["subnets"]
    if not subnets:
        raise invalid("network", "network has no subnet in the server's network zone")
    hosts = ipaddress.ip_network(subnets[0]["ip_range"]).hosts()
    free = ip or next(str(host) for host in hosts if str(host) not in used + [subnets[0]["gateway"]])
    mac = "86:00:00:" + ":".join(f"{byte:02x}" for byte in (server["id"] % 2**24).to_bytes(3, "big"))
    server["private_net"].append({"network": network["id"], "ip": free, "alias_ips": [], "mac_address": mac})


def create(cloud, body, hosts=True):
    for field in ("name", "server_type", "image"):
        if not body.get(field):
            raise invalid(field, "is required")
    cloud.unique("servers", check_name(body["name"]))
    server_type = among(cloud.server_types(), body["server_type"], "server_type")[0]
    image = _image(body["image"], server_type)
    labels = check_labels(body.get("labels") or {})
    if len((body.get("user_data") or "").encode()) > MOST_USER_DATA:
        raise invalid("user_data", f"must not be longer than {MOST_USER_DATA} bytes")
    keys = [cloud.find("ssh_keys", wish) for wish in body.get("ssh_keys") or []]
    walls = [cloud.get("firewalls", wish["firewall"]) for wish in body.get("firewalls") or []]
    networks = [cloud.get("networks", wish) for wish in body.get("networks") or []]
    group = cloud.get("placement_groups", body["placement_group"]) if body.get("placement_group") else None
    if group and len(group["servers"]) >= 10:
        raise Refusal(422, "placement group is full", "placement_error")
    location = _location(cloud, body, server_type)
    if len(cloud.kept["servers"]) >= cloud.settings["most_servers"]:
        raise Refusal(403, "server limit reached", "resource_limit_exceeded", {"limits": [{"name": "servers"}]})
    families, number, guest = _families(body), cloud.new_host(), None
    if cloud.guests and hosts:
        guest = cloud.guests.begin(body["name"], body.get("user_data"), [key["public_key"] for key in keys])
    server = cloud.add(
        "servers",
        {
            "name": body["name"],
            "status": "initializing",
            "public_net": _public_net(cloud, families, number, guest),
            "private_net": [],
            "server_type": server_type["id"],
            "location": location,
            "image": image,
            "iso": None,
            "rescue_enabled": False,
            "locked": False,
            "backup_window": None,
            "outgoing_traffic": None,
            "ingoing_traffic": None,
            "included_traffic": 21990232555520,
            "protection": {"delete": False, "rebuild": False},
            "labels": labels,
            "volumes": [],
            "load_balancers": [],
            "primary_disk_size": server_type["disk"],
            "user_data": body.get("user_data"),
            "asked_keys": [key["id"] for key in keys],
            "guest": guest,
        },
    )
    if group:
        group["servers"].append(server["id"])
    for wall in walls:
        wall["applied"].append({"type": "server", "server": {"id": server["id"]}})
    runs = body.get("start_after_create", True)
    me = [("server", server["id"])]
    action = cloud.act(
        "create_server", me + [("image", image["id"])], done=lambda: server.update(status="starting" if runs else "off")
    )
    following = []
    for network in networks:
        following.append(
            cloud.act("attach_to_network", me + [("network", network["id"])], 0, action, lambda net=network: _join(cloud, server, net))
        )
    if runs:
        following.append(_start(cloud, server, action))
    password = None if keys else catalogue.ROOT_PASSWORD
    return 201, {"server": shown(cloud, server), "action": action, "next_actions": following, "root_password": password}


def _start(cloud, server, after=None):
    guest = server["guest"]
    return cloud.act(
        "start_server",
        [("server", server["id"])],
        after=after,
        ready=guest.ready if guest else None,
        done=lambda: server.update(status="running"),
    )


def vanish(cloud, server):
    """Gone at once, with all that hangs at it."""
    cloud.kept["servers"].pop(server["id"], None)
    for group in cloud.kept["placement_groups"].values():
        group["servers"] = [one for one in group["servers"] if one != server["id"]]
    for wall in cloud.kept["firewalls"].values():
        wall["applied"] = [one for one in wall["applied"] if one.get("server", {}).get("id") != server["id"]]
    if server["guest"]:
        server["guest"].end()


def delete(cloud, server):
    if server["protection"]["delete"]:
        raise Refusal(423, "server deletion is protected", "protected")
    if server["status"] == "deleting":
        raise Refusal(423)
    cloud.drop_actions("servers", server["id"])
    server["status"] = "deleting"
    guest = server["guest"]
    if guest:
        guest.end()
    action = cloud.act(
        "delete_server", [("server", server["id"])], ready=guest.end if guest else None, done=lambda: vanish(cloud, server)
    )
    return 200, {"action": action}


def act(cloud, server, command, body):
    me = [("server", server["id"])]
    if server["status"] in ("initializing", "deleting"):
        raise Refusal(423)
    if command == "change_protection":
        wish = {key: bool(body[key]) for key in ("delete", "rebuild") if key in body}
        return cloud.act(command, me, 0, done=lambda: server["protection"].update(wish))
    if command in ("poweron", "reboot", "reset"):
        server["status"] = "starting"
        return cloud.act({"poweron": "start_server"}.get(command, command + "_server"), me, done=lambda: server.update(status="running"))
    if command in ("poweroff", "shutdown"):
        server["status"] = "stopping"
        name = {"poweroff": "stop_server"}.get(command, "shutdown_server")
        return cloud.act(name, me, done=lambda: server.update(status="off"))
    if command == "attach_to_network":
        network = cloud.get("networks", body.get("network"))
        return cloud.act(command, me + [("network", network["id"])], done=lambda: _join(cloud, server, network, body.get("ip")))
    if command == "detach_from_network":
        number = body.get("network")
        rest = [one for one in server["private_net"] if one["network"] != number]
        return cloud.act(command, me, done=lambda: server.update(private_net=rest))
    raise Refusal(404, f"there is no action '{command}'")


def preload(cloud, count, labels, name="preloaded"):
    """That many servers that run, without waiting; there are no hosts behind them."""
    for _ in range(count):
        body = {"name": f"{name}-{cloud.new_host()}", "server_type": "cx23", "image": "debian-12", "labels": labels}
        _, made = create(cloud, body, hosts=False)
        for action in [made["action"]] + made["next_actions"]:
            cloud.finish(action)


def state(cloud, server):
    """What a test may look into, beyond what the API tells."""
    console = server["guest"].console if server["guest"] else None
    return dict(shown(cloud, server), user_data=server["user_data"], ssh_keys=server["asked_keys"], console=console)
