#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# unshare --mount bare-machine.sh ROOT NODE NPM PACKAGE FILE...: on a machine that has nothing but the running kernel, a Node with the
# libraries it is linked with, and npm (no compiler, no clang, no libbpf, no shell, no network), installs PACKAGE into an empty folder
# and runs the first FILE there. ROOT is an empty folder; what is mounted on it is gone with the mount namespace.
set -eu

unshare=$(command -v unshare)
root=$1 node=$2 npm=$3 package=$4
shift 3

bind() {
	mkdir -p "$root$(dirname "$1")"
	if [ -d "$1" ]; then mkdir -p "$root$1"; else : >"$root$1"; fi
	mount --rbind "$1" "$root$1"
}

mount -t tmpfs bare "$root"
for path in /proc /sys /dev "$node" "$npm" $(ldd "$node" | grep -o '/[^ ]*'); do
	bind "$path"
done
mkdir "$root/app" "$root/tmp"
cp "$@" "$root/app"
shift

bare() {
	env -i HOME=/tmp PATH=/nowhere "$unshare" --net --root="$root" --wd=/app "$node" "$@"
}
bare "$npm/bin/npm-cli.js" install --no-audit --no-fund "/app/$(basename "$package")" >&2
bare "/app/$(basename "$1")"
