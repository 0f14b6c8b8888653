#!/usr/bin/env bash
# A whole Debian system for the VM lab: systemd, udev and every network manager that is tested, none of them enabled. Made by mmdebstrap from
# Debian's own packages, in a folder that is removed again: nothing is installed, and nothing of the lab is in it (the initramfs brings that).
#
#   debian.sh FILE SUITE TOOLS
#
# FILE: the disk, ext4 without a partition table. FILE.packages lists what is on it. SUITE: trixie. TOOLS: folder with mmdebstrap and
# mkfs.ext4, as fetch.sh unpacks them. The mirror is the one that the machine's own apt uses.
set -euo pipefail
file=$1 suite=$2 tools=$3
[ ! -e "$file" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "debian.sh: packages are set up by root, in a chroot" >&2; exit 1; }

mirror=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true; } |
  sed -nE 's,^(deb +(\[.*\] +)?|URIs: *)(https?://[^ ]*/debian)/?( .*|$),\3,p' | sed 1q)
[ -n "$mirror" ] || { echo "debian.sh: no Debian mirror in /etc/apt/sources.list or sources.list.d" >&2; exit 1; }
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keyring" ] || { echo "debian.sh: $keyring is missing: install debian-archive-keyring" >&2; exit 1; }

packages=(
  systemd systemd-sysv udev dbus kmod procps iproute2 iputils-ping ethtool ca-certificates
  systemd-resolved network-manager ifupdown dhcpcd-base cloud-init netplan.io nodejs)
# Starting them is the tests' business.
managers=(systemd-networkd systemd-networkd-wait-online systemd-resolved NetworkManager NetworkManager-wait-online
  NetworkManager-dispatcher networking cloud-init-local cloud-init-main cloud-init-network cloud-config cloud-final cloud-init)

mkdir -p "$(dirname "$file")"
work=$(mktemp -d "$(dirname "$file")/.debian.XXXXXX")
trap 'rm -rf "$work"' EXIT
# mmdebstrap drops privileges for the download.
chmod 755 "$work"
root=$work/root
# No pages, translations or licences: half of the disk.
PATH=$tools/usr/bin:$PATH mmdebstrap --quiet --mode=root --variant=minbase --format=directory --keyring="$keyring" \
  --aptopt='APT::Sandbox::User "root"' --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
  --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/i18n/*' --dpkgopt='path-exclude=/usr/share/info/*' \
  --include="$(IFS=,; echo "${packages[*]}")" "$suite" "$root" "deb [signed-by=$keyring] $mirror $suite main" >&2
chroot "$root" dpkg-query -W >"$work/packages"
for unit in "${managers[@]}"; do
  chroot "$root" systemctl disable --quiet "$unit.service" 2>/dev/null || true
done
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/etc/network/interfaces.d/* "$root"/etc/hostname "$root"/etc/resolv.conf
# A machine's own number is made at its first boot; root needs no password, since nobody reaches this machine but by its console.
: >"$root/etc/machine-id"
chroot "$root" passwd -q -d root
# What a first boot makes of what the packages brought: half a minute of an emulated one.
chroot "$root" ldconfig
chroot "$root" journalctl --update-catalog
chroot "$root" /usr/lib/systemd/systemd-update-done
size=$(du -sm --apparent-size "$root" | cut -f1)
LD_LIBRARY_PATH=$tools/usr/lib/x86_64-linux-gnu:$tools/lib/x86_64-linux-gnu \
  "$(ls "$tools"/sbin/mkfs.ext4 "$tools"/usr/sbin/mkfs.ext4 2>/dev/null | sed 1q)" -q -F -L debian -O '^metadata_csum' -E nodiscard \
  -d "$root" "$work/disk" "$((size * 5 / 4 + 256))M" >&2
mv "$work/packages" "$file.packages"
mv "$work/disk" "$file"
