#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Reads the networks that a CDN publishes, and believes only what can be such a list."""
from __future__ import annotations

import ipaddress
import os
import select
import signal
import time
import urllib.request

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: node_published_ranges
short_description: Reads the networks that a CDN publishes
description:
  - Fetches two lists, IPv4 and IPv6, within a bound over all of it, name resolution included. Both are taken or neither.
  - A list is believed where each line is a network of its family without bits beside its prefix, all are public and of a plausible
    length, and their number and sum are plausible. Else the networks that are built in are given.
  - Tells which of both it was, and why.
options:
  v4_url:
    description: Where the IPv4 networks are, a line each. Either URL empty, nobody is asked.
    type: str
    required: true
  v6_url:
    description: Where the IPv6 networks are.
    type: str
    required: true
  timeout:
    description: Seconds that both may take together.
    type: int
    default: 10
author:
  - triphase
"""

EXAMPLES = r"""
- name: Read the networks
  node_published_ranges:
    v4_url: https://www.cloudflare.com/ips-v4
    v6_url: https://www.cloudflare.com/ips-v6
  register: ranges
"""

RETURN = r"""
networks:
  description: The networks of both families.
  type: list
  elements: str
  returned: always
published:
  description: Whether they are those that were fetched.
  type: bool
  returned: always
reason:
  description: Why they are not.
  type: str
  returned: always
triphase_told:
  description: The same in a line.
  type: dict
  returned: always
"""

# Cloudflare's, compared one by one with the copies that several public projects keep.
BUILT_IN = [
    '173.245.48.0/20', '103.21.244.0/22', '103.22.200.0/22', '103.31.4.0/22', '141.101.64.0/18', '108.162.192.0/18',
    '190.93.240.0/20', '188.114.96.0/20', '197.234.240.0/22', '198.41.128.0/17', '162.158.0.0/15', '104.16.0.0/13',
    '104.24.0.0/14', '172.64.0.0/13', '131.0.72.0/22',
    '2400:cb00::/32', '2606:4700::/32', '2803:f800::/32', '2405:b500::/32', '2405:8100::/32', '2a06:98c0::/29', '2c0f:f248::/32',
]
MOST_BYTES = 65536
# A list that would open more than a five-hundredth of all addresses is no CDN's.
MOST_SHARE = 1 / 512
FAMILIES = {4: {'least': 5, 'most': 200, 'shortest': 11, 'longest': 28}, 6: {'least': 3, 'most': 200, 'shortest': 20, 'longest': 64}}


def networks(body, family):
    """The networks of a list, or ValueError with what is wrong with it."""
    limits = FAMILIES[family]
    try:
        lines = body.decode('ascii').splitlines()
    except UnicodeDecodeError:
        raise ValueError('it is no plain text') from None
    found = []
    for number, line in enumerate(lines, 1):
        where = 'line %d, %r,' % (number, line[:50])
        if '/' not in line:
            raise ValueError(where + ' is no network')
        try:
            network = ipaddress.ip_network(line.strip(), strict=True)
        except ValueError:
            raise ValueError(where + ' is no network') from None
        if network.version != family:
            raise ValueError('%s is not of IPv%d' % (where, family))
        if not limits['shortest'] <= network.prefixlen <= limits['longest']:
            raise ValueError('%s has a prefix of %d bits' % (where, network.prefixlen))
        if not network.is_global or network.is_multicast:
            raise ValueError(where + ' is no public network')
        found.append(network)
    if not limits['least'] <= len(found) <= limits['most']:
        raise ValueError('it has %d networks' % len(found))
    whole = ipaddress.ip_network('0.0.0.0/0' if family == 4 else '::/0').num_addresses
    if sum(network.num_addresses for network in ipaddress.collapse_addresses(found)) > whole * MOST_SHARE:
        raise ValueError('it covers too much')
    return [str(network) for network in found]


def fetch(url, to, seconds):
    """In a process of its own: writes "+" and the body, or "-" and what went wrong."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={'User-Agent': 'triphase'}), timeout=seconds) as reply:
            said = b'+' + reply.read(MOST_BYTES + 1)
    except Exception as error:  # whatever it is, it is told
        said = b'-' + (str(error) or type(error).__name__).encode('utf-8', 'replace')[:300]
    while said:
        said = said[os.write(to, said):]


def start(url, seconds):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            fetch(url, writing, seconds)
        finally:
            os._exit(0)
    os.close(writing)
    return {'pid': pid, 'fd': reading, 'said': b'', 'ended': False}


def fetch_all(urls, seconds):
    """What each process wrote, b'' where it was not done in time. A process, since no call for a name can be given a bound."""
    children = [start(url, seconds) for url in urls]
    until = time.monotonic() + seconds
    try:
        while any(not child['ended'] for child in children):
            left = until - time.monotonic()
            ready = select.select([child['fd'] for child in children if not child['ended']], [], [], max(left, 0))[0]
            if not ready:
                break
            for child in children:
                if child['fd'] in ready:
                    part = os.read(child['fd'], 65536)
                    child['said'] += part
                    child['ended'] = not part
    finally:
        for child in children:
            os.close(child['fd'])
            os.kill(child['pid'], signal.SIGKILL)
            os.waitpid(child['pid'], 0)
    return [child['said'] if child['ended'] else b'' for child in children]


def published(urls, seconds):
    """The networks of both lists; ValueError with the reason where they are not to be believed."""
    found = []
    for family, url, said in zip((4, 6), urls, fetch_all(urls, seconds)):
        if not said:
            raise ValueError('%s: it was not there within %d s' % (url, seconds))
        if said[:1] != b'+':
            raise ValueError('%s: %s' % (url, said[1:].decode('utf-8', 'replace')))
        if len(said) > MOST_BYTES + 1:
            raise ValueError('%s: it is longer than %d bytes' % (url, MOST_BYTES))
        try:
            found += networks(said[1:], family)
        except ValueError as error:
            raise ValueError('%s: %s' % (url, error)) from None
    return found


def chosen(urls, seconds):
    """What the module gives: the networks that are published, else those built in, and which of both it is."""
    found, reason = [], ''
    if all(urls):
        try:
            found = published(urls, seconds)
        except ValueError as error:
            reason = ' '.join(str(error).split())[:300]
    else:
        reason = 'no URL was given'
    taken = found or BUILT_IN
    count = '%d of IPv4 and %d of IPv6' % (sum(':' not in one for one in taken), sum(':' in one for one in taken))
    text = 'the networks of the CDN are as published, %s' % count if found else \
        'the networks of the CDN are those built in, %s: %s' % (count, reason)
    return {'networks': taken, 'published': bool(found), 'reason': reason,
            'triphase_told': {'subject': 'node_firewall', 'text': text, 'detail': {'published': bool(found), 'reason': reason}}}


def main():
    module = AnsibleModule(argument_spec={
        'v4_url': {'type': 'str', 'required': True},
        'v6_url': {'type': 'str', 'required': True},
        'timeout': {'type': 'int', 'default': 10},
    }, supports_check_mode=True)
    module.exit_json(changed=False, **chosen([module.params['v4_url'], module.params['v6_url']], module.params['timeout']))


if __name__ == '__main__':
    main()
