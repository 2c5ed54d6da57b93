"""Firewalls: rules, and what they are applied to."""

from .listing import check_labels, selector
from .refusal import Refusal, invalid

MOST_RULES = 50


def _rules(rules):
    if not isinstance(rules, list) or len(rules) > MOST_RULES:
        raise invalid("rules", f"must be a list of at most {MOST_RULES} rules")
    checked = []
    for i, rule in enumerate(rules):
        direction, protocol, port = rule.get("direction"), rule.get("protocol"), rule.get("port")
        if direction not in ("in", "out"):
            raise invalid(f"rules.{i}.direction", "must be in or out")
        if protocol not in ("tcp", "udp", "icmp", "esp", "gre"):
            raise invalid(f"rules.{i}.protocol", "is not known")
        if bool(port) != (protocol in ("tcp", "udp")):
            raise invalid(f"rules.{i}.port", "is for tcp and udp, and needed there")
        needed = "source_ips" if direction == "in" else "destination_ips"
        if not rule.get(needed):
            raise invalid(f"rules.{i}.{needed}", "must not be empty")
        checked.append(
            {
                "direction": direction,
                "protocol": protocol,
                "port": str(port) if port else None,
                "source_ips": rule.get("source_ips") or [],
                "destination_ips": rule.get("destination_ips") or [],
                "description": rule.get("description"),
            }
        )
    return checked


def _servers(cloud, one):
    """Ids of the servers that one application reaches."""
    if one["type"] == "server":
        return [one["server"]["id"]] if one["server"]["id"] in cloud.kept["servers"] else []
    fits = selector(one["label_selector"]["selector"])
    return [server["id"] for server in cloud.kept["servers"].values() if fits(server["labels"])]


def of_server(cloud, server):
    status = {}
    for wall in cloud.kept["firewalls"].values():
        if any(server["id"] in _servers(cloud, one) for one in wall["applied"]):
            pending = cloud.busy("firewalls", wall["id"]) or server["status"] == "initializing"
            status[wall["id"]] = "pending" if pending else "applied"
    return [{"id": number, "status": one} for number, one in status.items()]


def shown(cloud, wall):
    applied = []
    for one in wall["applied"]:
        told = dict(one)
        if one["type"] == "label_selector":
            told["applied_to_resources"] = [{"type": "server", "server": {"id": number}} for number in _servers(cloud, one)]
        applied.append(told)
    return dict({key: value for key, value in wall.items() if key != "applied"}, applied_to=applied)


def _wanted(cloud, wishes, field):
    if not isinstance(wishes, list) or not wishes:
        raise invalid(field, "must be a list of resources")
    wanted = []
    for wish in wishes:
        if wish.get("type") == "server":
            server = cloud.get("servers", (wish.get("server") or {}).get("id"))
            if not server["public_net"]["ipv4"] and not server["public_net"]["ipv6"]:
                raise Refusal(422, "server has no public network", "private_net_only_server")
            wanted.append({"type": "server", "server": {"id": server["id"]}})
        elif wish.get("type") == "label_selector":
            text = (wish.get("label_selector") or {}).get("selector", "")
            selector(text)
            wanted.append({"type": "label_selector", "label_selector": {"selector": text}})
        else:
            raise invalid(field, "type must be server or label_selector")
    return wanted


def _apply(cloud, wall, wanted):
    actions = []
    for one in wanted:
        if one in wall["applied"]:
            raise Refusal(422, "firewall was already applied on resource", "firewall_already_applied")
        wall["applied"].append(one)
        resources = [("firewall", wall["id"])] + [("server", number) for number in _servers(cloud, one)]
        actions.append(cloud.act("apply_firewall", resources))
    return actions


def create(cloud, body):
    if not body.get("name"):
        raise invalid("name", "is required")
    cloud.unique("firewalls", body["name"])
    rules, labels = _rules(body.get("rules") or []), check_labels(body.get("labels") or {})
    wanted = _wanted(cloud, body["apply_to"], "apply_to") if body.get("apply_to") else []
    wall = cloud.add("firewalls", {"name": body["name"], "labels": labels, "rules": rules, "applied": []})
    actions = [cloud.act("set_firewall_rules", [("firewall", wall["id"])], 0)] if rules else []
    actions += _apply(cloud, wall, wanted)
    return 201, {"firewall": shown(cloud, wall), "actions": actions}


def delete(cloud, wall):
    if wall["applied"]:
        raise Refusal(422, f"firewall with ID '{wall['id']}' is still in use", "resource_in_use")
    del cloud.kept["firewalls"][wall["id"]]
    return 204, None


def act(cloud, wall, command, body):
    if command == "set_rules":
        wall["rules"] = _rules(body.get("rules"))
        resources = [("firewall", wall["id"])]
        return [cloud.act("set_firewall_rules", resources)]
    if command == "apply_to_resources":
        return _apply(cloud, wall, _wanted(cloud, body.get("apply_to"), "apply_to"))
    if command == "remove_from_resources":
        actions = []
        for one in _wanted(cloud, body.get("remove_from"), "remove_from"):
            resources = [("firewall", wall["id"])] + [("server", number) for number in _servers(cloud, one)]
            done = lambda one=one: wall.update(applied=[other for other in wall["applied"] if other != one])
            actions.append(cloud.act("remove_firewall", resources, done=done))
        return actions
    raise Refusal(404, f"there is no action '{command}'")
