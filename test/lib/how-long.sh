#!/usr/bin/env bash
# how-long.sh demo|test: says what comes and about how long it takes, before it does.
set -euo pipefail
processors=$(nproc)
# Of one processor of some years ago, in seconds.
case $1 in demo) build=180 runs='half a minute' ;; *) build=300 runs='about six minutes' ;; esac
if [ -e pgpubsub.so ] && [ -e build/examples/media_scan ]; then
    echo "make $1: builds what has changed, then runs for $runs."
else
    seconds=$((build / processors))
    if [ $seconds -gt 90 ]; then first="$(((seconds + 30) / 60)) minutes"; else first="$((seconds / 10 * 10 + 10)) seconds"; fi
    echo "make $1: builds first (on $processors processors about $first), then runs for $runs."
fi
