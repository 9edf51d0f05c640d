#!/usr/bin/env bash
# Installs Debian's packages of the programs that tests use, where they are missing: a browser for the review pages;
# for DICOM objects dciodvfy (dicom3tools), dsrdump and storescu (dcmtk), the archive Orthanc; rsync, for a folder as a
# store of results; and with MAMMOFLOW_PIXELMED=1 PixelMed's validator of reports. Needs root; they stay installed.
# Without these programs, the tests that need them are skipped.
set -euo pipefail
PATH=$PATH:/usr/sbin

missing=()
while read -r program package; do
  command -v "$program" >/dev/null || missing+=("$package")
done <<'PROGRAMS'
chromium chromium
chromedriver chromium-driver
dciodvfy dicom3tools
dsrdump dcmtk
Orthanc orthanc
rsync rsync
PROGRAMS
if [ "${MAMMOFLOW_PIXELMED:-}" = 1 ] && [ ! -e /usr/share/java/pixelmed.jar ]; then
  missing+=(libpixelmed-java default-jre-headless)
fi
[ ${#missing[@]} -eq 0 ] && exit

[ "$(id -u)" -eq 0 ] || { echo "programs.sh: needs root to install ${missing[*]}" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
# The tests start an Orthanc of their own: Debian must not start its service.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
fi
apt-get -q update
apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "${missing[@]}"
