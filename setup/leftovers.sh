#!/bin/bash
# What tests left on this machine: sandboxes (their folders, namespaces, links, tables, mounts), cgroups of the lab, projects and socket folders. Prints a line each; what
# belongs to a project folder that is still there is somebody's who is at work, and is not counted.
set -euo pipefail

in_use() { # a machine's name: the project that made it is still there
    local folder
    folder=$(sed -n 's/^ *"directory": "\(.*\)\/\.triphase\/machines\/.*/\1/p' "/var/lib/triphase/$1/owner.json" 2>/dev/null | head -n 1)
    [ -n "$folder" ] && [ -d "$folder" ]
}

{
    find /var/lib/triphase -maxdepth 1 -name 'tp*' -printf '%f\n' 2>/dev/null || true
    ip netns list 2>/dev/null | cut -d' ' -f1
    ip -o link 2>/dev/null | sed -nE 's/^[0-9]+: (tp[0-9a-f]{10}).*/\1/p'
    nft list tables 2>/dev/null | grep -oE 'tp[0-9a-f]{10}' || true
    grep -oE '/tp[0-9a-f]{10}/' /proc/self/mountinfo | tr -d / || true
} | { grep -E '^tp[0-9a-f]{10}$' || true; } | sort -u | while read -r name; do
    in_use "$name" || echo "sandbox $name"
done
grep -oE ' /tmp/triphase-[a-z]+\.[A-Za-z0-9]+[^ ]*' /proc/self/mountinfo | sed 's/^/mount/' || true
