#!/usr/bin/env bash
# check-tree.sh BUILD: says in one line why this user can't build here; nothing when he can.
set -euo pipefail
build=$1
[ "$(id -u)" -ne 0 ] || exit 0
if [ ! -e "$build" ]; then
    [ -w . ] || echo "this folder is read-only for $(id -un), and what is built lands in it: copy it to a place of your own"
    exit 0
fi
theirs=$(find "$build" ! -type l ! -writable ! -path '*/run/*' -print -quit 2>/dev/null || true)
[ -z "$theirs" ] ||
    echo "$theirs belongs to $(stat -c %U "$theirs"), who has built here: \"sudo make clean\" removes it, then make again"
