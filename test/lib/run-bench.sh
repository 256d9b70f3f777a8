#!/usr/bin/env bash
# Runs bench/run.sh, which finds the private PostgreSQL's programs at the front of its PATH, the
# sources in ROOT, a folder for what the server writes in BENCH_DIR, and as_server in common.sh.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
run_place
[ -f "$ROOT/bench/run.sh" ] || die "there is no bench/run.sh"
mkdir -p "$RUN/bench"
give_to_server "$RUN/bench"
export ROOT BENCH_DIR="$RUN/bench" PATH="$RUN/server/bin:$PATH"
exec bash "$ROOT/bench/run.sh"
