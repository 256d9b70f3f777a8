#!/usr/bin/env bash
# check-layers.sh: that the folders of extension/src are layers, as TAP. A file includes files of its own folder and of those
# below it, never of one above: so each folder can be read without those above it.
set -euo pipefail
cd "$(dirname "$0")/../../extension/src"

# From the lowest to the highest. pure/ needs no header of PostgreSQL; above all of them is pgpubsub.cpp.
layers=(pure pg json shmem channel wakeup place queue capture claim admin storage settle worker stat)
n=0 failed=0

# check NAME OFFENDING-LINES: passes when there are none.
check() {
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        printf '%s\n' "$2" | sed -n '1,30s/^/#   /p'
        failed=1
    fi
}

check "each folder is a layer, and each layer is a folder" \
    "$(diff <(printf '%s\n' "${layers[@]}" | sort) <(find . -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort) || true)"
check "no source is outside of the folders but pgpubsub.cpp" \
    "$(find . -maxdepth 1 -name '*.[ch]pp' ! -name pgpubsub.cpp)"
below=
for layer in "${layers[@]}"; do
    below="$below|$layer"
    check "$layer/ includes nothing from above it" \
        "$(grep -nE '^#include "[^"]*hpp"' "$layer"/*.[ch]pp | grep -vE "#include \"(${below#|})/[a-z_]+\.hpp\"" || true)"
done
check "pure/ includes no header of PostgreSQL" "$(grep -nE '^#include "|^extern "C"' pure/*.[ch]pp | grep -v '#include "pure/' || true)"
check "no file has over 500 lines" "$(wc -l ./*.cpp ./*/*.[ch]pp | awk '$1 > 500 && $2 != "total"')"
check "what differs between versions of PostgreSQL is in pg/ alone" "$(grep -n 'PG_VERSION_NUM' ./*.cpp ./*/*.[ch]pp | grep -v '^\./pg/' || true)"

echo "1..$n"
exit "$failed"
