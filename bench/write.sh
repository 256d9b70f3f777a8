# What a capture costs those who write: single-row inserts by pgbench, prepared statements, into the tables of cases.sh.
#
#   no trigger                       as fast as it can be
#   captured, wake-up by the worker  the library is preloaded, and the commit leaves waking the consumer to the worker
#   captured, NOTIFY in the transaction, and captured, without a wake-up
#   PL/pgSQL trigger and pg_notify   as the original, django-pgpubsub, does it
#
# A session listens, on the channel of each, and reads what comes; it consumes nothing. Everything is flushed at commit (fsync is on), once with the machine's own
# flush and once with one that takes 1 ms more (slow_fsync.c). The CPU time is that of all of the server's processes, by the kernel's accounting.
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154
# shellcheck source=cases.sh
. "$ROOT/bench/cases.sh"

seconds=$(calculate "$SECONDS_EACH < 1 ? 1 : $SECONDS_EACH")

# measure TABLE WAKEUP CLIENTS: the inserts per second and the µs of CPU time each took.
measure() {
    local before
    echo "INSERT INTO $1 (name, path, size) VALUES ('copyright', '/usr/share/doc/postgresql-15/copyright', 12345);" >"$work/insert.sql"
    sql -c "TRUNCATE $1, $queues" -c 'VACUUM ANALYZE pgpubsub.notification' -c CHECKPOINT
    before=$(server_cpu)
    if ! PGOPTIONS="-c pgpubsub.wakeup=$2" pgbench -n -M prepared -c "$3" -j 2 -T "$seconds" -f "$work/insert.sql" >"$work/pgbench" 2>"$work/pgbench.err"; then
        cat "$work/pgbench.err" >&2
        die "pgbench failed"
    fi
    until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'")" = 0 ]; do :; done
    awk -v used="$(calculate "$(server_cpu) - $before" %.6f)" '/transactions actually processed/ { count = $NF } /^tps = / { tps = $3 }
        END { printf "%.0f %.1f\n", tps, 1e6 * used / count }' "$work/pgbench"
}

for flush in $FLUSHES; do
    SLOW_FSYNC=${flush#plain} start_server shared_buffers=1GB fsync=on wal_sync_method=fdatasync
    make_tables
    start_helper "$programs/listen" statement_level row_level pgpubsub_a83de
    variants=(bare:off statement_level:auto statement_level:transaction statement_level:off original:off)
    for ((round = 1; round <= ROUNDS; round++)); do
        for clients in 1 8 32; do
            group="$clients $( ((clients > 1)) && echo clients || echo client), $([ "$flush" = slow ] && echo '1 ms flush' || echo "the machine's flush")"
            for variant in $(rotated $((round - 1)) "${variants[@]}"); do
                case $variant in
                    bare:*) name='no trigger' ;;
                    *:auto) name='captured, wake-up by the worker' ;;
                    *:transaction) name='captured, NOTIFY in the transaction' ;;
                    *:off) name='captured, without a wake-up' ;;
                esac
                case $variant in original:*) name='PL/pgSQL trigger and pg_notify' ;; esac
                read -r tps cpu <<<"$(measure "${variant%:*}" "${variant#*:}" "$clients")"
                record "$group" "$name" inserts/s "$tps" 'no trigger'
                record "$group" "$name" 'µs of CPU an insert' "$cpu" 'no trigger'
            done
        done
    done
    stop_server
done
