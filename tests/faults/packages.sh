#!/bin/bash
# Real packages for an apt-get install in the middle of which faults strike: packages.sh TREE FOLDER. Fetched once, from where the root tree TREE came from; what
# TREE lacks of them and of what they depend on lies in FOLDER afterwards.
set -euo pipefail
tree=$1 folder=$2
exec 9>"$folder.lock"
flock 9
[ ! -e "$folder/.whole" ] || exit 0
rm -rf "$folder" "$folder.work"
mkdir -p "$folder.work/state/lists/partial" "$folder.work/cache/archives/partial"
cat >"$folder.work/apt.conf" <<END
Dir::State "$folder.work/state";
Dir::State::status "$tree/var/lib/dpkg/status";
Dir::Cache "$folder.work/cache";
Dir::Etc::SourceList "$tree/etc/apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
END
export APT_CONFIG=$folder.work/apt.conf
apt-get -qq update
apt-get -qq --yes --download-only install g++ git </dev/null >/dev/null
mv "$folder.work/cache/archives" "$folder"
rm -rf "$folder.work" "$folder/partial" "$folder/lock"
touch "$folder/.whole"
