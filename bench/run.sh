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
server_pid=

# start_server SETTING=VALUE...: a new server with the extension. Each benchmark starts its own. With much more shared_buffers than
# it touches, what a session costs that first touches them would be measured too; with less, the kernel's cache.
start_server() {
    local settings=("${@/#/-c}" -cmax_wal_size=8GB -ccheckpoint_timeout=1h -cautovacuum=off)
    rm -rf "$data"
    as_server initdb -D "$data" -U postgres -A trust -E UTF8 --no-locale >"$BENCH_DIR/initdb.log"
    END_WITH_PARENT=INT become_server postgres -D "$data" -c listen_addresses= -c "unix_socket_directories=$sockets" \
        "${settings[@]}" </dev/null >"$BENCH_DIR/server.log" 2>&1 &
    server_pid=$!
    for _ in {1..300}; do if pg_isready -q; then break; fi; sleep 0.1; done
    say
    say "PostgreSQL $(sql -c 'SHOW server_version'), $(nproc) cores, ${settings[*]#-c}"
    sql -c 'CREATE EXTENSION pgpubsub'
}
stop_server() {
    [ -n "$server_pid" ] || return 0
    kill -INT "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
    server_pid=
}
trap 'stop_server; rm -rf "$sockets" "$data"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }
# median < numbers, one a line;  spread: lowest and highest.
median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
spread() { sort -g | awk 'NR == 1 { low = $1 } { high = $1 } END { printf "%s–%s\n", low, high }'; }
# each_less A B, each_ratio A B: line by line, of two files with a number a line.
each_less() { paste "$1" "$2" | awk '{ printf "%.1f\n", $1 - $2 }'; }
each_ratio() { paste "$1" "$2" | awk '{ printf "%.2f\n", $1 / $2 }'; }
# rotated ROUND ITEM...: the items, beginning with another one in each round, so that none always has the same place.
rotated() {
    local first=$(($1 % ($# - 1) + 2))
    echo "${@:first}" "${@:2:first - 2}"
}

for name in ${BENCH:-bulk capture delivery}; do
    # shellcheck source=/dev/null
    . "$ROOT/bench/$name.sh"
    stop_server
done
