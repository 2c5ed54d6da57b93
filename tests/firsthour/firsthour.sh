#!/bin/bash
# A newcomer's first hour, on a bare Debian: what the README says under "Install" and "A project of your own in five minutes", word for word, in a bootstrapped tree that has
# what the README asks for (git, make, a C compiler) and nothing else. As root.
#   firsthour.sh [--whole] RELEASE...   debian-12, debian-13
# Without --whole the cycle is of two rounds, and what does not change is kept for the next time in /var/cache/triphase-firsthour: the tree with the packages of `make setup`, and
# the root trees of sandboxes. With it everything is from nothing, `make demo` included.
set -euo pipefail
cd "$(dirname "$0")/../.."
. setup/tally.sh
. setup/mirror.sh

CACHE=/var/cache/triphase-firsthour
# Where the checkout lies in the tree.
HOME_OF_CHECKOUT=/root/triphase

section() { # TITLE: the commands of that section of the README, one a line, comments taken off; what follows an example of a file is prose
    awk -v title="## $1" '$0 == title { on = 1; next } /^(## |```)/ { on = 0 } on && sub(/^    /, "") { sub(/ +#.*/, ""); print }' README.md
}

bootstrap() { # RELEASE TREE
    local suite=bookworm
    [ "$1" = debian-12 ] || suite=trixie
    mmdebstrap --quiet --mode=root --variant=minbase --include=git,make,gcc,libc6-dev,ca-certificates "$suite" "$2" "$(debian_mirror)"
    # How this machine reaches packages is no part of the newcomer's work.
    cp /etc/ssl/certs/ca-certificates.crt "$2/etc/ssl/certs/ca-certificates.crt"
    [ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$2/etc/pip.conf"
}

# The commands in the tree, in namespaces of mounts and processes of their own: when this ends, so do they.
inside() { # TREE COMMANDS
    local tree=$1 commands=$2
    # shellcheck disable=SC2016 # for the inner shell
    env -u TRIPHASE -u OLD_ANSIBLE unshare --mount --pid --fork --kill-child --propagation private bash -euc '
        tree=$1
        mount --bind "$tree" "$tree"
        for name in proc sys dev; do mount --rbind "/$name" "$tree/$name"; done
        mount -t proc proc "$tree/proc"
        mount -t tmpfs -o mode=1777 tmpfs "$tree/tmp"
        mount -t tmpfs -o mode=755 tmpfs "$tree/run"
        for name in /var/lib/triphase /var/cache/triphase "${PIP_FIND_LINKS:-}"; do
            [ -n "$name" ] && mkdir -p "$name" "$tree$name" && mount --bind "$name" "$tree$name"
        done
        for name in resolv.conf hosts; do cp -L "/etc/$name" "$tree/etc/$name"; done
        exec chroot "$tree" env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 bash -ec "$2"
    ' - "$tree" "$commands"
}

prepare() { # RELEASE TREE: bootstrapped, with the checkout in it
    local release=$1 tree=$2 stamp
    stamp=$CACHE/$release-$({ cat setup/install.sh setup/packages-demo.txt requirements.txt "$0"; date +%G-%V; } | sha256sum | cut -c1-12)
    if [ "$whole" = 1 ]; then
        bootstrap "$release" "$tree"
    elif [ ! -d "$stamp" ]; then
        rm -rf "$CACHE/$release-"*
        bootstrap "$release" "$stamp.making"
        checkout "$stamp.making"
        inside "$stamp.making" "cd $HOME_OF_CHECKOUT && make setup && mv .venv /root/venv"
        rm -rf "${stamp:?}.making$HOME_OF_CHECKOUT"
        mv "$stamp.making" "$stamp"
    fi
    if [ "$whole" = 0 ]; then
        mkdir -p "$tree"
        cp -a --reflink=auto "$stamp/." "$tree"
    fi
    checkout "$tree"
    [ ! -d "$tree/root/venv" ] || mv "$tree/root/venv" "$tree$HOME_OF_CHECKOUT/.venv"
}

checkout() { # TREE: the files of this one that git knows or would take
    mkdir -p "$1$HOME_OF_CHECKOUT"
    git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null | tar -cf - -T - | tar -xf - -C "$1$HOME_OF_CHECKOUT"
}

# Not of the README: that nothing has to be said of PATH after `make setup`, here and in a project elsewhere.
FOUND='build/triphase plan vault && build/triphase init /root/elsewhere && build/triphase -C /root/elsewhere plan vault'

first_hour() { # RELEASE
    local tree=$scratch/$1 cycle='s/-n 10 /-n 2 /' demo=
    if [ "$whole" = 1 ]; then
        cycle=
        demo='YES=1 make demo && build/triphase destroy vault --yes'
    fi
    mkdir -p "$tree"
    prepare "$1" "$tree"
    inside "$tree" "
        trap 'cd $HOME_OF_CHECKOUT; for at in shop .; do (cd \$at && [ ! -d .triphase ] || triphase destroy --all --yes); done' EXIT
        cd $HOME_OF_CHECKOUT
        $demo
        set -x
        $(section Install)
        $FOUND
        $(section 'A project of your own in five minutes' | sed -E "$cycle")
        grep -q 'making the root tree' .triphase/runs/*/01-provision.1.log || [ '$whole' = 0 ]"
}

whole=0
if [ "${1:-}" = --whole ]; then
    whole=1
    shift
fi
mkdir -p "$CACHE"
scratch=$(mktemp -d "$CACHE/tree.XXXXXX")
trap 'rm -rf --one-file-system "$scratch"' EXIT
running=()
for release in "$@"; do
    first_hour "$release" >"$scratch/$release.log" 2>&1 </dev/null &
    running+=("$!")
done
for release in "$@"; do
    if wait "${running[0]}"; then
        tally ok "the README's five minutes on a bare $release"
    else
        tail -n 60 "$scratch/$release.log" | sed 's/^/     /'
        tally fail "the README's five minutes on a bare $release"
    fi
    running=("${running[@]:1}")
done
tally_end
