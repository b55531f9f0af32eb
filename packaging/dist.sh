#!/usr/bin/env bash
# Puts what is released into target/dist: the program, a .deb with man pages and completions, an archive, the bill of materials, and
# checksums of all.
# $1: the program. It is run to make its own documents, so it must be one for this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "$1")
dist=$PWD/target/dist
version=$("$program" version -o json | sed -n 's/^  "version": "\(.*\)",\{0,1\}$/\1/p')
architecture=$(dpkg --print-architecture)
rm -rf "$dist"
root=$dist/root
install -D --mode 755 --strip "$program" "$root/usr/bin/karpctl"
# Who made the last commit, unless whoever packs it says otherwise, in Debian's own variables.
who=${DEBFULLNAME:-$(git log -1 --format=%an)}
maintainer="$who <${DEBEMAIL:-$(git log -1 --format=%ae)}>"
documents=$root/usr/share/doc/karpctl
install -D --mode 644 CHANGELOG.md "$documents/CHANGELOG.md"
cat > "$documents/copyright" <<COPYRIGHT
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: karpctl

Files: *
Copyright: $(git log -1 --format=%cd --date=format:%Y) $who
License: Apache-2.0
 The whole text is in /usr/share/common-licenses/Apache-2.0.
COPYRIGHT
cat > "$documents/changelog" <<LOG
karpctl ($version) unstable; urgency=medium

  * What is new stands in CHANGELOG.md.

 -- $maintainer  $(git log -1 --format=%cd --date=rfc)
LOG
gzip --best --no-name "$documents/CHANGELOG.md" "$documents/changelog"
mkdir -p "$root/usr/share/man/man1"
"$program" generate man --out "$root/usr/share/man/man1"
gzip --best --no-name "$root"/usr/share/man/man1/*.1
completions() {
  mkdir -p "$root/$(dirname "$2")"
  "$program" generate completions "$1" > "$root/$2"
}
completions bash usr/share/bash-completion/completions/karpctl
completions zsh usr/share/zsh/vendor-completions/_karpctl
completions fish usr/share/fish/vendor_completions.d/karpctl.fish
# What it is linked with, in Debian's words. A static program needs nothing, and lintian takes it for a library.
depends=
if readelf --program-headers --wide "$program" | grep INTERP > /dev/null; then
  libc=$(objdump --dynamic-syms "$program" | grep --only-matching 'GLIBC_[0-9.]*' | sort --version-sort --unique | tail -n 1)
  depends="Depends: libc6 (>= ${libc#GLIBC_}), libgcc-s1"
else
  mkdir -p "$root/usr/share/lintian/overrides"
  echo "karpctl: shared-library-lacks-prerequisites [usr/bin/karpctl]" > "$root/usr/share/lintian/overrides/karpctl"
fi
mkdir -p "$root/DEBIAN"
(cd "$root" && find usr -type f -print0 | sort --zero-terminated | xargs --null md5sum > DEBIAN/md5sums)
{
  cat <<CONTROL
Package: karpctl
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du --summarize --block-size 1024 "$root/usr" | cut --fields 1)
Section: admin
Priority: optional
Recommends: ca-certificates
Description: takes an AWS account to a working Karpenter on EKS
 karpctl proves each step before it takes it, goes on from where things
 stand, and takes everything away again.
CONTROL
  [ -z "$depends" ] || echo "$depends"
} > "$root/DEBIAN/control"
# Dates of the last commit, so that the same sources give the same bytes.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group --build "$root" "$dist/karpctl_${version}_$architecture.deb" > /dev/null
cp "$root/usr/bin/karpctl" "$dist/karpctl"
tar --create --gzip --sort name --owner 0 --group 0 --numeric-owner --mtime "@$SOURCE_DATE_EPOCH" \
  --file "$dist/karpctl_${version}_linux_$architecture.tar.gz" --directory "$dist" karpctl --directory "$PWD" LICENSE README.md CHANGELOG.md
rm -rf "$root"
# The bill of materials, without the path of this checkout.
cargo cyclonedx --format json --spec-version 1.5 --override-filename karpctl.cdx
sed "s|path+file://$PWD|path+file:///karpctl|g" karpctl.cdx.json > "$dist/karpctl.cdx.json"
rm karpctl.cdx.json
cd "$dist"
sha256sum karpctl karpctl_* karpctl.cdx.json > SHA256SUMS
