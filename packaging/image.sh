#!/usr/bin/env bash
# Builds the container image: image.sh KARPCTL HELM EKSCTL. The three must be linked statically, as the releases of helm and eksctl are:
# the image has no libraries. ENGINE names what builds it, IMAGE what it is called.
set -euo pipefail
cd "$(dirname "$0")/.."
engine=${ENGINE:-$(command -v buildah podman docker | head -n 1)}
[ -n "$engine" ] || { echo "image: none of buildah, podman and docker is on PATH" >&2; exit 1; }
root=target/image
rm -rf "$root"
mkdir -p "$root/usr/local/bin"
for name in karpctl helm eksctl; do
  file=${1:?image.sh KARPCTL HELM EKSCTL}
  shift
  if readelf --program-headers --wide "$file" | grep INTERP > /dev/null; then
    echo "image: $file is linked with libraries, which the image does not have; take one that is linked statically" >&2
    exit 1
  fi
  install --mode 755 "$file" "$root/usr/local/bin/$name"
done
# Whom to believe: what this machine believes.
install -D --mode 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
# Whoever it runs as may write here.
install --directory --mode 1777 "$root/tmp" "$root/home/karpctl"
"$engine" build --file packaging/Containerfile --tag "${IMAGE:-karpctl}" "$root"
