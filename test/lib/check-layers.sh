#!/usr/bin/env bash
# check-layers.sh: that the folders of the sources are layers, as TAP. A file includes files of its own folder and of those
# below it, never of one above: so each folder can be read without those above it.
set -euo pipefail
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
cd "$(dirname "$0")/../.."

# check_layers ROOT OUTSIDE LAYER...: the layers from the lowest to the highest. OUTSIDE: the file above all of them.
check_layers() {
    local root=$1 outside=$2 layer all below=
    shift 2
    all=$(IFS='|'; echo "$*")
    none "$root: each folder is a layer, and each layer is a folder" \
        "$(diff <(printf '%s\n' "$@" | sort) <(find "$root" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort) || true)"
    none "$root: no source is outside of the folders but $outside" \
        "$(find "$root" -maxdepth 1 -name '*.[ch]pp' ! -name "$outside")"
    for layer in "$@"; do
        below="$below${below:+|}$layer"
        none "$root/$layer includes nothing from above it" \
            "$(grep -nE "^#include \"($all)/[a-z_0-9]+\.hpp\"" "$root/$layer"/*.[ch]pp | grep -vE "#include \"($below)/" || true)"
        none "$root/$layer names the folder of what it includes" \
            "$(grep -nE '^#include "[^/"]+\.hpp"' "$root/$layer"/*.[ch]pp || true)"
    done
    none "$root: no file has over 500 lines" "$(find "$root" -name '*.[ch]pp' -exec wc -l {} + | awk '$1 > 500 && $2 != "total"')"
}

check_layers extension/src pgpubsub.cpp pure pg json shmem channel wakeup place queue capture claim admin storage settle worker stat
check_layers client/src '' base pq protocol api consumer
check_layers client/cli main.cpp output exec options commands
none "extension/src/pure includes no header of PostgreSQL" \
    "$(grep -nE '^#include "|^extern "C"' extension/src/pure/*.[ch]pp | grep -v '#include "pure/' || true)"

end_of_checks
