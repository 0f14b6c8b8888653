#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# licenses.sh DEPS FILE: what the built addon contains besides its own code, under which licences, and where the source is.
set -eu

deps=$1
out=$2

part() { # title, file
	printf '\n%s\n%s\n\n' "$1" "$(printf '%s' "$1" | tr -c '\n' '-')"
	cat "$2"
}

{
	cat <<-TEXT
		bpf_loader.node is licensed under GPL-2.0-only (LICENSE in this package; its source is in native/). It contains, unmodified and linked
		statically, code of these Debian source packages:

	TEXT
	while read -r name version; do
		case $name in
		libbpf) what='libbpf, used under BSD-2-Clause (offered as LGPL-2.1 OR BSD-2-Clause)' ;;
		elfutils) what='libelf of elfutils, used under GPL-2.0-or-later (offered as LGPL-3.0-or-later OR GPL-2.0-or-later)' ;;
		zlib) what='zlib, used under Zlib' ;;
		*) echo "licenses.sh: under which licence is $name?" >&2; exit 1 ;;
		esac
		printf '  %s %s\n    %s\n' "$name" "$version" "$what"
		printf '    source: apt-get source %s=%s, or https://snapshot.debian.org/package/%s/%s/\n\n' "$name" "$version" "$name" "$version"
	done <"$deps/versions"
	echo "native/fetch-deps.sh fetches these sources, native/binding.gyp builds the addon from them."
	part 'libbpf: Debian copyright file' "$deps/libbpf/debian/copyright"
	part 'libbpf: LGPL-2.1' "$deps/libbpf/LICENSE.LGPL-2.1"
	part 'elfutils: Debian copyright file' "$deps/elfutils/debian/copyright"
	part 'elfutils: GPL-2.0' "$deps/elfutils/COPYING-GPLV2"
	part 'elfutils: LGPL-3.0' "$deps/elfutils/COPYING-LGPLV3"
	part 'zlib: Debian copyright file' "$deps/zlib/debian/copyright"
} >"$out"
