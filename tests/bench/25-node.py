#!/usr/bin/python3
"""The three node phases of a first run against a plain shell loop of the same playbooks (measure/first_run.py, FIRST=5 rounds), over fresh sandboxes of the tree
of agent nodes (setup/node-tree.sh): Docker is there, and what a node fetches elsewhere is on its own loopback, so that no network's day is measured."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import TOP, first_run, project, run  # noqa: E402

TREE_SCRIPT = os.path.join(TOP, 'setup', 'node-tree.sh')
PROJECT = '''project: bench
targets:
  node:
    recipe: node
'''
# Of the loop's host too.
MAKE = '''    root: %s
    vars:
      node_packages_list: [ca-certificates, curl, jq, nftables, xz-utils, lab-tool]
      node_nodejs_url: http://127.0.0.1:8080/node.tgz
      node_nodejs_sha256: {x64: %s}
      node_devcontainer_cli_url: http://127.0.0.1:8080/devcontainer-cli.tgz
      node_firewall_ranges_v4_url: ""
      node_image_prepull_images: ["127.0.0.1:5000/lab/agent:1"]
'''


def main():
    tree = run([TREE_SCRIPT, '--where'])[2].strip()
    if os.geteuid() != 0 or not os.path.isdir(tree):
        print('\nThe node phases: not measured (needs root, and setup/node-tree.sh once)')
        return 0
    with open(TREE_SCRIPT, encoding='utf-8') as script:
        sha256 = re.search(r'\bnode_sha256=(\w+)', script.read()).group(1)
    make = MAKE % (tree, sha256)
    with project({'triphase.yml': PROJECT + make + first_run.SETTLED + first_run.PLAIN + make + first_run.SETTLED}) as folder:
        first_run.lay_down(folder, 'node')
        return 1 if first_run.FIRST and first_run.first_runs(folder, 'node') else 0


if __name__ == '__main__':
    sys.exit(main())
