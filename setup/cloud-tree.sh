#!/bin/bash
# The tree of the tests' cloud hosts: the sandbox's Debian 12 and, beside what that has, Debian's own cloud-init and
# unattended-upgrades. Tests lay a seed over it (tests/lab/cloud_tree.h). How it is made and asked for: setup/tree.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck disable=SC2034 # for what is sourced
kind=cloud packages='cloud-init unattended-upgrades' sources=()
. setup/tree.sh
packages_in
tree_is_whole
