#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# fetch-deps.sh FOLDER: the Debian source packages that the addon carries inside (libbpf, elfutils' libelf, zlib), in the versions
# that this machine's suites have, unpacked as FOLDER/libbpf, FOLDER/elfutils, FOLDER/zlib; FOLDER/versions names them.
# apt checks them against the archive's signature. The machine's apt lists and sources stay as they are: both are of our own here.
set -eu

packages="libbpf elfutils zlib"
[ $# = 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
apt=$(mktemp -d "${TMPDIR:-/tmp}/bpf-loader-ts-apt.XXXXXX")
trap 'rm -rf "$apt"' EXIT INT TERM

fail() {
	echo "cannot get the Debian sources of $packages: $1" >&2
	[ ! -s "$apt/log" ] || tail -n 20 "$apt/log" >&2
	echo "The addon is built from them. This needs a Debian machine whose apt reaches an archive that also has sources." >&2
	exit 1
}

for tool in apt-get dpkg-source; do
	command -v $tool >/dev/null || fail "$tool is missing; install apt and dpkg-dev"
done

# What is configured for binaries, asked for sources: one-line lists and deb822 files.
mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/got"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
	[ ! -f "$file" ] || sed -n 's/^deb[[:space:]]/deb-src /p' "$file" >"$apt/parts/$(basename "$file" .list).list"
done
for file in /etc/apt/sources.list.d/*.sources; do
	[ ! -f "$file" ] || sed 's/^Types:.*/Types: deb-src/' "$file" >"$apt/parts/$(basename "$file")"
done

get() {
	apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$apt/parts" -o Dir::State::lists="$apt/lists" \
		-o Dir::Cache="$apt/cache" -o Acquire::Retries=3 -o APT::Sandbox::User=root "$@" >>"$apt/log" 2>&1
}
# An archive without sources among those configured makes update fail; what counts is whether the three are found.
get update || true
cd "$apt/got"
# shellcheck disable=SC2086
get source --download-only $packages || fail "apt-get source failed"

for name in $packages; do
	dsc=$(ls "$apt/got/${name}_"*.dsc) || fail "no .dsc of $name came"
	rm -rf "$folder/$name"
	dpkg-source --no-copy --extract "$dsc" "$folder/$name" >>"$apt/log" 2>&1 || fail "$(basename "$dsc") cannot be unpacked"
	echo "$name $(sed -n 's/^Version: //p' "$dsc" | head -n 1)"
done >"$apt/versions"

# The headers as libbpf installs them: <bpf/libbpf.h>.
ln -s src "$folder/libbpf/bpf"
# Last: its presence says that all of the above is there.
mv "$apt/versions" "$folder/versions"
