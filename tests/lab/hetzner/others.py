"""SSH keys, networks, placement groups."""

import base64
import hashlib
import ipaddress

from .listing import check_labels
from .refusal import Refusal, invalid


def create_ssh_key(cloud, body):
    name, text = body.get("name"), body.get("public_key")
    if not name or not isinstance(text, str):
        raise invalid("name" if not name else "public_key", "is required")
    try:
        algorithm, encoded = text.split()[:2]
        data = base64.b64decode(encoded, validate=True)
        if not algorithm or int.from_bytes(data[:4], "big") != len(algorithm) or data[4 : 4 + len(algorithm)] != algorithm.encode():
            raise ValueError
    except ValueError:
        raise invalid("public_key", "SSH key is not valid") from None
    cloud.unique("ssh_keys", name)
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    fingerprint = ":".join(digest[i : i + 2] for i in range(0, 32, 2))
    if any(key["fingerprint"] == fingerprint for key in cloud.kept["ssh_keys"].values()):
        words = "SSH key with the same fingerprint already exists"
        raise Refusal(409, words, "uniqueness_error", {"fields": [{"name": "public_key", "messages": [words]}]})
    labels = check_labels(body.get("labels") or {})
    key = cloud.add("ssh_keys", {"name": name, "fingerprint": fingerprint, "public_key": text.strip(), "labels": labels})
    return 201, {"ssh_key": key}


def _subnet(body, whole):
    try:
        network = ipaddress.ip_network(body.get("ip_range") or whole)
        inside = network.subnet_of(ipaddress.ip_network(whole))
    except (ValueError, TypeError):
        inside = False
    if not inside:
        raise invalid("ip_range", "is no network within the network's own")
    return {
        "type": body.get("type", "cloud"),
        "ip_range": str(network),
        "network_zone": body.get("network_zone", "eu-central"),
        "gateway": str(next(network.hosts())),
        "vswitch_id": None,
    }


def create_network(cloud, body):
    name, whole = body.get("name"), body.get("ip_range")
    if not name or not whole:
        raise invalid("name" if not name else "ip_range", "is required")
    cloud.unique("networks", name)
    network = {
        "name": name,
        "ip_range": whole,
        "subnets": [_subnet(one, whole) for one in body.get("subnets") or []],
        "routes": [],
        "load_balancers": [],
        "protection": {"delete": False},
        "labels": check_labels(body.get("labels") or {}),
        "expose_routes_to_vswitch": False,
    }
    return 201, {"network": show_network(cloud, cloud.add("networks", network))}


def show_network(cloud, network):
    inside = [
        server["id"]
        for server in cloud.kept["servers"].values()
        if any(one["network"] == network["id"] for one in server["private_net"])
    ]
    return dict(network, servers=inside)


def act_on_network(cloud, network, command, body):
    if command == "add_subnet":
        subnet = _subnet(body, network["ip_range"])
        return cloud.act(command, [("network", network["id"])], done=lambda: network["subnets"].append(subnet))
    raise Refusal(404, f"there is no action '{command}'")


def delete_network(cloud, network):
    for server in cloud.kept["servers"].values():
        server["private_net"] = [one for one in server["private_net"] if one["network"] != network["id"]]
    return delete("networks")(cloud, network)


def create_placement_group(cloud, body):
    if not body.get("name") or body.get("type") != "spread":
        raise invalid("type" if body.get("name") else "name", "is required; the type is spread")
    cloud.unique("placement_groups", body["name"])
    labels = check_labels(body.get("labels") or {})
    group = cloud.add("placement_groups", {"name": body["name"], "labels": labels, "type": "spread", "servers": []})
    return 201, {"placement_group": group, "action": None}


def delete(kind):
    def remove(cloud, thing):
        if thing.get("servers"):
            raise Refusal(422, f"{thing['name']} is still in use", "resource_in_use")
        del cloud.kept[kind][thing["id"]]
        return 204, None

    return remove
