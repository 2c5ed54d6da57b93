#!/bin/bash
# The newest Ansible, for tests only: it wants a Python of 3.12 or newer. Where the system's is older, a Debian 13 Python is unpacked (not installed) into
# .venv-newest/tree and run by that tree's own loader. .venv-newest/bin/ansible-playbook is the result.
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/mirror.sh
requirements="requirements-newest.txt"
folder=$PWD/.venv-newest
stamp=$({ cat "$requirements" "$0" && pwd && /usr/bin/python3 --version; } | sha256sum | cut -d' ' -f1)
if [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi
printf 'setup: .venv-newest from %s\n' "$requirements"
rm -rf "$folder"
mkdir -p "$folder/bin"

if /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then
    printf '#!/bin/sh\nPYTHONPATH=%s/site exec /usr/bin/python3 "$@"\n' "$folder" >"$folder/bin/python3"
else
    mirror=$(debian_mirror)
    mmdebstrap --quiet --variant=extract --mode="$([ "$(id -u)" = 0 ] && echo root || echo unshare)" \
        --include=python3,libpython3-stdlib,zlib1g,libgcc-s1,libssl3t64,libffi8,libexpat1 \
        trixie "$folder/tree" ${mirror:+"$mirror"} >build/newest.log 2>&1 || {
        tail -n 20 build/newest.log >&2
        echo 'setup: a Debian 13 Python could not be unpacked; its log is build/newest.log' >&2
        exit 1
    }
    loader=$(find "$folder/tree/usr/lib" -name 'ld-linux-*.so.*' -print -quit)
    libraries=$(dirname "$loader")
    cat >"$folder/bin/python3" <<END
#!/bin/sh
PYTHONHOME=$folder/tree/usr PYTHONPATH=$folder/site exec $loader --argv0 $folder/bin/python3 --library-path $libraries $folder/tree/usr/bin/python3.13 "\$@"
END
fi
chmod 755 "$folder/bin/python3"

# pip of the product's environment is too old for this Python: its successor brings itself.
.venv/bin/python3 -m pip --disable-pip-version-check download --quiet --no-deps --only-binary :all: --dest "$folder/wheels" \
    "$(grep '^pip==' "$requirements")"
PYTHONPATH=$(echo "$folder"/wheels/pip-*.whl) "$folder/bin/python3" - "$requirements" "$folder" <<'END'
import glob, os, runpy, sys
requirements, folder = sys.argv[1:]
sys.path.insert(0, glob.glob(folder + '/wheels/pip-*.whl')[0])
os.environ.setdefault('SSL_CERT_FILE', '/etc/ssl/certs/ca-certificates.crt')
os.environ['PYTHONPATH'] = sys.path[0]
sys.argv = ['pip', '--disable-pip-version-check', 'install', '--quiet', '--no-deps', '--only-binary', ':all:', '--root-user-action', 'ignore',
            '--target', folder + '/site', '-r', requirements]
runpy.run_module('pip', run_name='__main__')
END

# Scripts as pip would have made them.
declare -A modules=([ansible-playbook]=playbook [ansible-inventory]=inventory [ansible-config]=config [ansible-doc]=doc [ansible]=adhoc)
for name in "${!modules[@]}"; do
    printf '#!%s/bin/python3\nimport sys\nfrom ansible.cli.%s import main\nif __name__ == "__main__":\n    sys.exit(main())\n' \
        "$folder" "${modules[$name]}" >"$folder/bin/$name"
    chmod 755 "$folder/bin/$name"
done
"$folder/bin/ansible-playbook" --version >/dev/null
echo "$stamp" >"$folder/.stamp"
