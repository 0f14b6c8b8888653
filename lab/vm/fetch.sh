#!/usr/bin/env bash
# Debian packages for the VM lab, unpacked into a folder of their own: nothing is installed. apt verifies them, with lists and a cache apart
# from the machine's; the mirror is the one that the machine's own apt uses.
#
#   fetch.sh FOLDER SUITE PACKAGE…
#
# SUITE: bookworm, bookworm-backports, trixie-backports. PACKAGE: a name; `NAME+deps` brings the dependencies that this machine does not have;
# `linux-image-amd64` brings the kernel's own packages (image, binary, modules). FOLDER/version tells the version of the first one.
set -euo pipefail
folder=$1 suite=$2
shift 2
[ ! -e "$folder/version" ] || exit 0

mirror=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true; } |
  sed -nE 's,^(deb +(\[.*\] +)?|URIs: *)(https?://[^ ]*/debian)/?( .*|$),\3,p' | sed 1q)
[ -n "$mirror" ] || { echo "fetch.sh: no Debian mirror in /etc/apt/sources.list or sources.list.d" >&2; exit 1; }
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keyring" ] || { echo "fetch.sh: $keyring is missing: install debian-archive-keyring" >&2; exit 1; }

mkdir -p "$(dirname "$folder")"
work=$(mktemp -d "$(dirname "$folder")/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,cache/archives/partial,debs,root,preferences.d}
base=${suite%-backports}
for s in "$base" $([ "$suite" = "$base" ] || echo "$suite"); do
  echo "deb [signed-by=$keyring] $mirror $s main"
done >"$work/sources.list"
apt=(-o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=- -o Dir::Etc::Preferences=- -o "Dir::Etc::PreferencesParts=$work/preferences.d"
  -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o Acquire::Languages=none -o Acquire::Retries=3
  -o APT::Sandbox::User= -o "APT::Default-Release=$suite" -o Debug::NoLocking=1 -qq)
apt-get "${apt[@]}" -o APT::Update::Error-Mode=any update

# The packages that a kernel's metapackage stands for.
kernel() {
  apt-cache "${apt[@]}" show --no-all-versions "$1" | sed -n 's/^Depends: //p' | tr ',' '\n' |
    sed -nE 's/^ *(linux-(image|binary|modules)-[^ ]+).*/\1/p'
}
names=()
for p in "$@"; do
  case $p in
  linux-image-amd64)
    todo=("$p")
    while [ ${#todo[@]} -gt 0 ]; do
      p=${todo[0]} todo=("${todo[@]:1}")
      [[ " ${names[*]-} " != *" $p "* ]] || continue
      names+=("$p")
      for d in $(kernel "$p"); do todo+=("$d"); done
    done ;;
  *+deps) apt-get "${apt[@]}" -y --no-install-recommends --download-only install "${p%+deps}" >/dev/null; names+=("${p%+deps}") ;;
  *) names+=("$p") ;;
  esac
done
(cd "$work/debs" && apt-get "${apt[@]}" download "${names[@]}")
for deb in "$work"/debs/*.deb "$work"/cache/archives/*.deb; do
  [ -e "$deb" ] && dpkg-deb -x "$deb" "$work/root"
done
# Links to places of an installed system, made links within the folder.
find "$work/root" -type l -lname '/*' -printf '%p\t%l\n' | while IFS=$'\t' read -r link target; do
  ln -sfnr "$work/root$target" "$link"
done
apt-cache "${apt[@]}" show --no-all-versions "${1%+deps}" | sed -n 's/^Version: //p' >"$work/root/version"
rm -rf "$folder"
mv "$work/root" "$folder"
