#!/usr/bin/env bash
# The benchmarks: "make bench" builds, and runs this with a private PostgreSQL at the front of PATH.
#
# Each section, bench/NAME.sh, compares in one interleaved run: on a machine that does other things too, only what ran side by side
# can be compared. What it found is in build/bench/results/NAME.tsv; when all have run, report.py makes one table of it, and charts.py
# the pictures, in build/bench and, if it was a full run, in doc/. settings.sh says what can be chosen.
set -euo pipefail
# shellcheck source=../test/lib/common.sh
. "${ROOT:?run it with make bench}/test/lib/common.sh"
# shellcheck source=settings.sh
. "$ROOT/bench/settings.sh"
section=machine round=0
mkdir -p "$BUILD/bench/results" "$BUILD/bench/traces"
work=$(mktemp -d)
# shellcheck source=lib.sh
. "$ROOT/bench/lib.sh"
# shellcheck source=systems.sh
. "$ROOT/bench/systems.sh"
trap 'stop_server; stop_redis; rm -rf "$sockets" "$data" "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

: >"$results/machine.tsv"
setting Machine "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | sed -n 1p), $(nproc) cores, $(awk '/^MemTotal/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo), Linux $(uname -r)"
setting PostgreSQL "$(postgres --version | sed 's/^[^0-9]*//')"
setting pgpubsub "$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$ROOT/extension/pgpubsub.control"), $(git -C "$ROOT" describe --always --dirty 2>/dev/null || echo 'no git')"
for system in $PEERS; do setting "$system" "$(system_version "$system")"; done
sed 's/^setting\t//; s/\t/: /' "$results/machine.tsv"

for section in $BENCH; do
    [ -f "$ROOT/bench/$section.sh" ] || die "there is no section $section"
    : >"$results/$section.tsv"
    setting "$section" "$(date -u +'%Y-%m-%d %H:%M'), ROUNDS=$ROUNDS SECONDS_EACH=$SECONDS_EACH MAX_ROWS=$MAX_ROWS ROWS=$ROWS BACKLOG=$BACKLOG${QUICK:+ QUICK=1}"
    say "$section ($(date +%T))"
    # shellcheck source=/dev/null
    . "$ROOT/bench/$section.sh"
    stop_server
done
say "The measurements took $((SECONDS / 60)) minutes."
say

section=end
export PYTHONDONTWRITEBYTECODE=1
python3 "$ROOT/bench/report.py" "$results" "$BUILD/bench/bench.md"
python3 "$ROOT/bench/charts.py" "$results" "$BUILD/bench/traces" "$BUILD/bench"
# A full run writes into doc/ too; a part or a rough look does with DOC=1.
if [ -n "${DOC:-}" ] || { [ -z "${QUICK:-}" ] && [ "$BENCH / $PEERS" = 'write bulk drain held backlog cliffs latency idle / pgq pg-boss graphile-worker redis' ]; }; then
    cp "$BUILD/bench/bench.md" "$BUILD"/bench/bench-*.svg "$ROOT/doc/"
    say "Written: doc/bench.md and doc/bench-*.svg"
else
    say "Written: build/bench/bench.md and build/bench/bench-*.svg (DOC=1 puts them into doc/)"
fi
