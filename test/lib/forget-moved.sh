#!/usr/bin/env bash
# forget-moved.sh BUILD: removes what was compiled from a source that has moved or is gone. Without this, make asks for the
# source where it was, which the compiler's list of dependencies (*.d) still names.
set -euo pipefail
[ -d "$1" ] || exit 0
find "$1" -name '*.d' ! -path '*/run/*' -print0 |
    xargs -0 -r awk '{ for (i = 1; i <= NF; i++) if ($i ~ /\.(cpp|hpp)$/) { print FILENAME "\t" $i; nextfile } }' |
    while IFS=$'\t' read -r list source; do
        [ -e "$source" ] || rm -f "$list" "${list%.d}.o"
    done
