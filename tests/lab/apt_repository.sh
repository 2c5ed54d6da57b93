#!/bin/sh
# apt_repository.sh PACKAGE FOLDER: lays an apt repository of that one package below the (new) folder, laid out as Tailscale's: dists for
# each Debian that a sandbox can be, signed, and the key beside them as CODENAME.noarmor.gpg. other.gpg is a key that signed nothing.
set -eu
package=$1 folder=$2
GNUPGHOME=$folder.keys
export GNUPGHOME
mkdir -p "$folder/pool"
mkdir -m 0700 "$GNUPGHOME"
trap 'gpgconf --kill all; rm -rf "$GNUPGHOME"' EXIT
for key in repository other; do
    gpg --batch --quiet --no-options --passphrase '' --quick-generate-key "$key" ed25519 sign never
done
cp "$package" "$folder/pool/"
arch=$(dpkg --print-architecture)
file=pool/${package##*/}
cd "$folder"
gpg --batch --quiet --no-options --export other >other.gpg
entry=$(dpkg-deb --field "$file")
for codename in bullseye bookworm trixie; do
    dist=dists/$codename
    mkdir -p "$dist/main/binary-all"
    gpg --batch --quiet --no-options --export repository >"$codename.noarmor.gpg"
    printf '%s\nFilename: %s\nSize: %d\nSHA256: %s\n' "$entry" "$file" "$(stat -c %s "$file")" \
        "$(sha256sum "$file" | cut -d ' ' -f 1)" >"$dist/main/binary-all/Packages"
    mkdir "$dist/main/binary-$arch"
    cp "$dist/main/binary-all/Packages" "$dist/main/binary-$arch/"
    (
        cd "$dist"
        printf 'Origin: a test\nSuite: %s\nCodename: %s\nDate: %s\nArchitectures: all %s\nComponents: main\nSHA256:\n' \
            "$codename" "$codename" "$(date -Ru)" "$arch"
        for list in main/binary-*/Packages; do
            printf ' %s %d %s\n' "$(sha256sum "$list" | cut -d ' ' -f 1)" "$(stat -c %s "$list")" "$list"
        done
    ) >"$dist/Release"
    gpg --batch --quiet --no-options --local-user repository --clearsign --output "$dist/InRelease" "$dist/Release"
done
