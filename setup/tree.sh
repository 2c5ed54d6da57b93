#!/bin/bash
# The making of a tree that tests lay their own over, once a machine, as root, to be sourced: the sandbox's Debian 12 in a copy with more packages, below
# $cache. The script that sources it sets `kind` (cloud, node: its own name is kind-tree.sh), `packages`, and `sources`, further files that it is made from.
#   setup/KIND-tree.sh            makes it where it is not there, prints its path
#   setup/KIND-tree.sh --where    prints the path, whether it is there or not
# What comes behind `. setup/tree.sh` runs only while it is made, in mount and process namespaces of its own: what is mounted there, and what a package's
# script leaves running, goes with them. It finds the copy in $making, and calls `packages_in` once and `tree_is_whole` at its end.
# shellcheck disable=SC2154 # kind, packages and sources are the caller's
cache=/var/cache/triphase-lab

fail() {
    printf '%s-tree: %s\n' "$kind" "$*" >&2
    exit 1
}

# The name changes with what it is made from; PACKAGES is what the sandbox's own tree has.
tree=$cache/$kind-$(cat "setup/$kind-tree.sh" setup/tree.sh "${sources[@]}" <(grep -A 2 'define PACKAGES' orchestrator/sandbox/root.c) | sha256sum | cut -c1-12)

case ${1:-} in
--where)
    printf '%s\n' "$tree"
    exit 0
    ;;
'') ;;
*) fail "'$1' is not --where" ;;
esac

if [ -z "${TREE_MAKING:-}" ]; then
    debian=$(find /var/cache/triphase -maxdepth 1 -type d -name 'debian-12-????????????' -printf '%T@ %p\n' | sort -n |
        tail -n 1 | cut -d' ' -f2)
    [ -n "$debian" ] || fail "there is no Debian 12 of the sandbox in /var/cache/triphase; setup/root-tree.sh makes it"
    mkdir -p "$cache"
    # Two that make it wait for each other; the sandbox's own tree stays as long as it is read.
    exec 9>"$cache/$kind.lock" 8>>"$debian.lock"
    flock 9
    if [ ! -d "$tree" ]; then
        flock --shared 8
        TREE_MAKING=$debian unshare --mount --propagation private --pid --fork --kill-child "setup/$kind-tree.sh" >&2
    fi
    printf '%s\n' "$tree"
    exit 0
fi

debian=$TREE_MAKING
making=$tree.making
printf 'making the tree %s, once for this machine, in %s\n' "$kind" "$tree"
rm -rf "$making"
cp -a --reflink=auto "$debian" "$making"
mount -t proc proc "$making/proc"
mount --rbind /dev "$making/dev"
mount -t tmpfs tmpfs "$making/run"
mount -t tmpfs tmpfs "$making/tmp"
# The way to the archive is this machine's, and is not kept in the tree.
rm -f "$making/etc/resolv.conf"
: >"$making/etc/resolv.conf"
mount --bind /etc/resolv.conf "$making/etc/resolv.conf"
apt-config dump | grep -iE '^Acquire::(https?::)?(Proxy|Retries)' >"$making/tmp/apt.conf" || true

inside() { DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 APT_CONFIG=/tmp/apt.conf chroot "$making" "$@"; }

packages_in() {
    inside apt-get -qq -o Acquire::Retries=3 update
    # A tree that is not whole is never used: nothing of it needs to be on the disk at once.
    # shellcheck disable=SC2086 # a list of words
    inside apt-get -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io \
        install -y --no-install-recommends $packages </dev/null >"$cache/$kind.log" 2>&1 ||
        { cat "$cache/$kind.log"; fail "apt could not install $packages; see above"; }
    inside apt-get clean
    rm -rf "$making"/var/lib/apt/lists/*
}

tree_is_whole() {
    umount -R "$making/dev" "$making/proc" "$making/run" "$making/tmp" "$making/etc/resolv.conf"
    # Older ones are nobody's: whatever looks for one asks for this name.
    find "$cache" -maxdepth 1 -name "$kind-????????????" -exec rm -rf {} +
    mv -T "$making" "$tree"
}
