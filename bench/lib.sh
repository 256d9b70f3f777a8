# What the sections share: a server of their own, results, and how rounds are taken. Sourced by run.sh.
#   start_server SETTING=VALUE...   a new PostgreSQL with the extension; server_pid is its postmaster
#   stop_server
#   sql ARGUMENT...                 psql
#   record GROUP CASE UNIT VALUE [BASE]
#                                   one result of this round; BASE is the case of the same group and unit that it is compared with
#   server_cpu                      the seconds that the server's processes were on a processor so far, those that have ended included
#   rotated ROUND ITEM...           the items, beginning with another one in each round, so that none always has the same place
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153,SC2154  # set in run.sh and settings.sh, used in the sections
data=$BENCH_DIR/data
sockets=$(mktemp -d /tmp/pgpubsub.XXXXXX)
give_to_server "$sockets"
export PGHOST=$sockets PGUSER=postgres PGDATABASE=postgres
programs=$BUILD/bench/programs peer_programs=$BUILD/bench/peers results=$BUILD/bench/results
server_pid=
helpers=()

# With much more shared_buffers than it touches, what a session costs that first touches them would be measured too; with less, the
# kernel's cache. PRELOAD names the libraries to preload, SLOW_FSYNC=1 makes each flush take 1 ms more.
start_server() {
    local settings=("shared_preload_libraries=${PRELOAD-pgpubsub}" max_wal_size=8GB checkpoint_timeout=1h autovacuum=off max_connections=300 "$@")
    local environment=(env)
    if [ -n "${SLOW_FSYNC:-}" ]; then
        install -m 755 "$programs/slow_fsync.so" "$BENCH_DIR/slow_fsync.so"
        environment+=("LD_PRELOAD=$BENCH_DIR/slow_fsync.so")
    fi
    rm -rf "$data"
    as_server initdb -D "$data" -U postgres -A trust -E UTF8 --no-locale >"$BENCH_DIR/initdb.log"
    END_WITH_PARENT=INT become_server "${environment[@]}" postgres -D "$data" -c listen_addresses= -c "unix_socket_directories=$sockets" \
        "${settings[@]/#/-c}" </dev/null >"$BENCH_DIR/server.log" 2>&1 &
    server_pid=$!
    for _ in {1..300}; do if pg_isready -q; then break; fi; sleep 0.1; done
    if ! sql -c 'CREATE EXTENSION pgpubsub'; then
        tail -n 20 "$BENCH_DIR/server.log" >&2
        exit 1
    fi
    setting "$section${SLOW_FSYNC:+, slow flush}" "${settings[*]}"
}
stop_server() {
    stop_helpers
    [ -n "$server_pid" ] || return 0
    kill -INT "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
    server_pid=
}

# start_helper COMMAND...: a process that runs beside the measurement; it prints "ready" when it does. stop_helpers ends all.
start_helper() {
    local output
    output=$(mktemp "$work/helper.XXXXXX")
    "$@" >"$output" 2>>"$work/helper.log" </dev/null &
    helpers+=($!)
    for _ in {1..200}; do if grep -q '^ready' "$output"; then return; fi; sleep 0.05; done
    cat "$work/helper.log" >&2
    die "$1 does not start"
}
stop_helpers() {
    local pid
    for pid in "${helpers[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    helpers=()
}

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

# Each section has its file, which its run writes anew: what it ran with, and its results, a line for each.
setting() { printf 'setting\t%s\t%s\n' "$1" "$2" >>"$results/$section.tsv"; }
record() {
    if ! [[ $4 =~ ^[0-9]+(\.[0-9]+)?$ ]]; then die "$section: no result for $2 ($1)"; fi
    printf 'result\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$round" "$4" "${5:-}" >>"$results/$section.tsv"
    printf '  %-9s %-44s %-34s %12s %s\n' "$section" "$1" "$2" "$4" "$3"
}

server_cpu() {
    local files
    mapfile -t files < <(pgrep -P "$server_pid" | sed 's|.*|/proc/&/schedstat|')
    {
        cat "${files[@]}" 2>/dev/null || true
        sed 's/.*) //' "/proc/$server_pid/stat"
    } | awk -v hz="$(getconf CLK_TCK)" 'NF == 3 { sum += $1 / 1e9 } NF > 3 { sum += ($14 + $15) / hz } END { printf "%.6f\n", sum }'
}

rotated() {
    local first=$(($1 % ($# - 1) + 2))
    echo "${@:first}" "${@:2:first - 2}"
}

calculate() { awk "BEGIN { printf \"${2:-%.0f}\", $1 }"; }
