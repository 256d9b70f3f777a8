#!/usr/bin/env bash
# The benchmarks: "make bench" builds, and runs this with a private PostgreSQL at the front of PATH.
#
# Each bench/NAME.sh compares in one interleaved run, and prints medians with their spread: on a machine
# that does other things too, only what ran side by side can be compared. BENCH="NAME …" runs some of them.
set -euo pipefail
# shellcheck source=../test/lib/common.sh
. "${ROOT:?run it with make bench}/test/lib/common.sh"

data=$BENCH_DIR/data
sockets=$(mktemp -d /tmp/pgpubsub.XXXXXX)
give_to_server "$sockets"
export PGHOST=$sockets PGUSER=postgres PGDATABASE=postgres

rm -rf "$data"
as_server initdb -D "$data" -U postgres -A trust -E UTF8 --no-locale >"$BENCH_DIR/initdb.log"
server_settings=(-c listen_addresses= -c "unix_socket_directories=$sockets" -c shared_buffers=4GB -c max_wal_size=8GB
                 -c checkpoint_timeout=1h -c autovacuum=off -c fsync=off)
END_WITH_PARENT=INT become_server postgres -D "$data" "${server_settings[@]}" </dev/null >"$BENCH_DIR/server.log" 2>&1 &
server_pid=$!
stop_server() {
    kill -INT "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
    rm -rf "$sockets" "$data"
}
trap stop_server EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
for _ in {1..300}; do if pg_isready -q; then break; fi; sleep 0.1; done

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }
# median < numbers, one a line;  spread: lowest and highest.
median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
spread() { sort -g | awk 'NR == 1 { low = $1 } { high = $1 } END { printf "%s–%s\n", low, high }'; }

say "PostgreSQL $(sql -c 'SHOW server_version'), $(nproc) cores, ${server_settings[*]:2}"
sql -c 'CREATE EXTENSION pgpubsub'
for name in ${BENCH:-capture delivery}; do
    # shellcheck source=/dev/null
    . "$ROOT/bench/$name.sh"
done
