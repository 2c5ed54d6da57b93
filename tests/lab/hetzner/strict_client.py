#!/usr/bin/env python3
"""The vendor's own library for Python against an endpoint (HCLOUD_ENDPOINT, HCLOUD_TOKEN): it reads each field of a
reply and fails where one is missing. Says what it saw, a line each; with tests/system/hetzner_gate.c it is a gate of
the fake. Wants a public SSH key as its word."""

import os
import sys

import hcloud
from hcloud.firewalls import FirewallResource, FirewallRule
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.networks import NetworkSubnet
from hcloud.server_types import ServerType
from hcloud.servers import ServerCreatePublicNetwork

client = hcloud.Client(token=os.environ["HCLOUD_TOKEN"], api_endpoint=os.environ["HCLOUD_ENDPOINT"], poll_interval=0.05)


def say(*words):
    print(*words, flush=True)


def refused(call, *args, **named):
    try:
        call(*args, **named)
    except hcloud.APIException as error:
        return error.code
    return "done"


key = client.ssh_keys.create(name="strict", public_key=sys.argv[1], labels={"by": "strict"})
say("key", key.name, client.ssh_keys.get_by_fingerprint(key.fingerprint).id == key.id)
ssh = FirewallRule(direction="in", protocol="tcp", port="22", source_ips=["0.0.0.0/0", "::/0"])
made = client.firewalls.create(name="strict", rules=[ssh], labels={"by": "strict"})
wall = made.firewall
say("firewall", wall.name, [(rule.direction, rule.protocol, rule.port) for rule in wall.rules])
network = client.networks.create(name="strict", ip_range="10.0.0.0/16")
client.networks.add_subnet(network, NetworkSubnet(type="cloud", network_zone="eu-central", ip_range="10.0.1.0/24")).wait_until_finished()
group = client.placement_groups.create(name="strict", type="spread").placement_group

arm = client.server_types.get_by_name("cax11")
say("type", arm.name, arm.architecture, [place.location.name for place in arm.locations if place.available])
image = client.images.get_by_name_and_architecture("docker-ce", arm.architecture)
say("image", image.name, image.type, image.architecture)
reply = client.servers.create(
    name="strict-1",
    server_type=arm,
    image=image,
    ssh_keys=[key],
    firewalls=[wall],
    networks=[client.networks.get_by_id(network.id)],
    placement_group=group,
    location=Location(name="fsn1"),
    labels={"by": "strict", "role": "a"},
    user_data="#cloud-config\n",
)
say("created", reply.server.status, reply.action.command, [action.command for action in reply.next_actions], reply.root_password)
reply.action.wait_until_finished()
for action in reply.next_actions:
    action.wait_until_finished()
server = client.servers.get_by_name("strict-1")
say("server", server.status, server.server_type.name, server.location.name, server.image.architecture, server.labels)
say("nets", server.public_net.ipv4.ip, server.public_net.ipv6.ip, server.private_net[0].ip, server.placement_group.name)
say("walls", [(one.firewall.id == wall.id, one.status) for one in server.public_net.firewalls])

bare = client.servers.create(
    name="strict-2",
    server_type=ServerType(name="cx23"),
    image=Image(name="debian-12"),
    public_net=ServerCreatePublicNetwork(enable_ipv4=False, enable_ipv6=True),
    labels={"by": "strict", "role": "b"},
)
say("no IPv4", bare.server.public_net.ipv4, bare.server.public_net.ipv6.ip, bare.root_password is not None)
say("listed", [one.name for one in client.servers.get_all(label_selector="by=strict,role in (a,b),!none,role!=b")])
say("again", refused(client.servers.create, "strict-1", arm, image))
say("in use", refused(client.firewalls.delete, wall))
client.firewalls.apply_to_resources(wall, [FirewallResource(type="server", server=bare.server)])[0].wait_until_finished()
client.firewalls.set_rules(wall, [])[0].wait_until_finished()
say("applied", len(client.firewalls.get_by_id(wall.id).applied_to), len(client.firewalls.get_by_id(wall.id).rules))
client.firewalls.remove_from_resources(wall, [FirewallResource(type="server", server=bare.server)])[0].wait_until_finished()
client.servers.change_protection(server, delete=True, rebuild=True).wait_until_finished()
say("protected", refused(client.servers.delete, server))
client.servers.change_protection(server, delete=False, rebuild=False).wait_until_finished()
client.servers.update(server, labels={"by": "other"})
say("labels", client.servers.get_by_id(server.id).labels)
for one in (server, bare.server):
    client.servers.delete(one).wait_until_finished()
say("gone", client.servers.get_by_name("strict-1"), refused(client.servers.get_by_id, server.id))
client.firewalls.delete(wall)
client.ssh_keys.delete(key)
client.networks.delete(network)
client.placement_groups.delete(group)
say("left", client.firewalls.get_all(), client.ssh_keys.get_all(), client.networks.get_all(), client.placement_groups.get_all())
