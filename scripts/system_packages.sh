#!/usr/bin/env bash
# Usage: scripts/system_packages.sh run|test
# Makes sure that the system libraries are there: installs them with apt when root, says which are missing otherwise.
set -euo pipefail

RUN_PACKAGES=(libgl1 libglib2.0-0)
TEST_PACKAGES=(chromium fonts-dejavu-core python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-libav
  gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly)

libraries=$(ldconfig -p 2>/dev/null || true)
has_library() { [[ $libraries == *"$1"* ]]; }
has_package() { [[ $(dpkg-query -W -f='${Status}' "$1" 2>/dev/null) == *'ok installed'* ]]; }

missing=()
has_library libGL.so.1 || missing+=("${RUN_PACKAGES[0]}")
has_library libglib-2.0.so.0 || missing+=("${RUN_PACKAGES[1]}")
essential=${#missing[@]}
if [ "${1:-run}" = test ] && command -v dpkg-query >/dev/null; then
  for package in "${TEST_PACKAGES[@]}"; do
    has_package "$package" || missing+=("$package")
  done
fi
[ ${#missing[@]} -gt 0 ] || exit 0

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  echo "installing system packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  dpkg --configure -a </dev/null >/dev/null
  apt-get update -qq </dev/null
  apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
  exit 0
fi

echo "missing system packages: ${missing[*]}" >&2
echo "install them first, on Debian or Ubuntu: sudo apt-get install ${missing[*]}" >&2
[ "$essential" = 0 ]
