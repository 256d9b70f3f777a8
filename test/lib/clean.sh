#!/usr/bin/env bash
# Removes what run_place made outside the build folder, if it did, and refuses while a server runs there.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

for link in "$BUILD/run" "$BUILD/sanitizers/build/run" "$BUILD/assert/build/run"; do
    run=$(readlink -f "$link") && [ -d "$run" ] || continue
    while read -r file; do
        pid=$(head -n 1 "$file")
        if [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$(dirname "$file")" ]; then
            die "a private server (pid $pid) still runs in $(dirname "$file"): end the demo or the tests first"
        fi
    done < <(find "$run" -name postmaster.pid 2>/dev/null)
    if [ -L "$link" ] && [ -O "$run" ]; then
        case $run in */pgpubsub.??????) rm -rf "$run" ;; esac
    fi
done
