# What a capture costs a statement that changes many rows. At most 3.0 times the same statement without a trigger is what is aimed at
# for INSERT ... SELECT, COPY and UPDATE, and at most 64 MB more memory.
#
# The cases of cases.sh, each statement in a session and a transaction of its own with the wake-up as by default, in turn, each round
# beginning with another case. Before each the table is vacuumed (emptied for INSERT and COPY), the queues are emptied and a checkpoint
# made. The clock is the server's, commit included; the CPU time is the backend's, which other load on the machine changes less. The
# ratios are those to the statement without a trigger of the same round. "floor" is that statement with, in the same transaction, an
# INSERT ... SELECT of as many ready notifications into a table with the columns and indexes of pgpubsub.notification: what storing
# them costs by SQL. Nothing is flushed (fsync is off), so that the disk does not drown the difference.
#
# The memory is the peak of RssAnon in /proc/PID/status, the process's own memory, looked at a hundred times a second. VmHWM, which the
# kernel keeps without gaps, counts the shared buffers too that the process has touched; those are far more, and differ.
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154
# shellcheck source=cases.sh
. "$ROOT/bench/cases.sh"
columns='(name, path, size)'
new_rows="SELECT 'copyright-' || i AS name, '/usr/share/doc/postgresql-15/copyright-' || i AS path, 12345 + i AS size
          FROM generate_series(1, :rows) i"

# statement OPERATION TABLE
statement() {
    case $1 in
        insert) echo "INSERT INTO $2 $columns SELECT * FROM source" ;;
        copy) echo "COPY $2 $columns FROM '$BENCH_DIR/source.copy'" ;;
        update) echo "UPDATE $2 SET size = size + 1" ;;
        delete) echo "DELETE FROM $2" ;;
    esac
}
# fill TABLE: leaves the triggers out.
fill() { sql -c "SET session_replication_role = replica" -c "$(statement insert "$1")"; }

# prepare OPERATION TABLE
prepare() {
    sql -c "TRUNCATE $2, $queues"
    case $1 in update | delete) fill "$2" ;; esac
    sql -c "VACUUM (FREEZE, ANALYZE) $2" -c CHECKPOINT
}

# measure OPERATION CASE: the milliseconds by the clock, and those that the backend was on a processor; checks that the notifications are there.
measure() {
    local clock cpu title
    prepare "$1" "$2"
    {
        echo 'SELECT pg_backend_pid() AS pid \gset'
        echo '\setenv BACKEND :pid'
        echo "\\! cut -d ' ' -f 1 /proc/\$BACKEND/schedstat >$work/cpu"
        echo 'SELECT clock_timestamp() AS begun \gset'
        echo 'BEGIN;'
        echo "$(statement "$1" "$2");"
        if [ "$2" = floor ]; then echo "INSERT INTO queue SELECT * FROM ready_$1;"; fi
        echo 'COMMIT;'
        echo "SELECT round(1000 * extract(epoch FROM clock_timestamp() - :'begun'), 1);"
        echo "\\! cut -d ' ' -f 1 /proc/\$BACKEND/schedstat >>$work/cpu"
    } | sql >"$work/clock"
    clock=$(<"$work/clock")
    cpu=$(awk '{ ns = $1 - ns } END { printf "%.1f", ns / 1e6 }' "$work/cpu")
    check "$2" "$ROWS"
    title=$(case_title "$2")
    record "$(operation_title "$1") of $ROWS rows" "$title" ms "$clock" 'no trigger'
    record "$(operation_title "$1") of $ROWS rows" "$title" 'ms of CPU' "$cpu" 'no trigger'
}

# check CASE ROWS
check() {
    local stored
    stored=$(sql -c "SELECT (SELECT count(*) FROM pgpubsub.notification) + (SELECT count(*) FROM pgpubsub_notification)
                            + (SELECT count(*) FROM queue)")
    if [ "$1" != bare ] && [ "$stored" != "$2" ]; then die "$1: $stored notifications were stored for $2 rows"; fi
}

# peak_memory CASE: MB of its own memory that the backend had at most, for an INSERT ... SELECT of memory_rows rows.
peak_memory() {
    local pid peak=0 line
    sql -c "TRUNCATE $1, $queues" -c CHECKPOINT
    sql -v rows="$MEMORY_ROWS" <<<"SELECT pg_backend_pid() \\g $work/pid
INSERT INTO $1 $columns $new_rows;" &
    until [ -s "$work/pid" ]; do sleep 0.01; done
    pid=$(<"$work/pid")
    while [ -e "/proc/$pid/status" ]; do
        while read -r line; do
            case $line in
                RssAnon:*) line=${line//[!0-9]/}; if ((line > peak)); then peak=$line; fi ;;
            esac
        done 2>/dev/null <"/proc/$pid/status" || true
        sleep 0.01
    done
    wait $!
    rm "$work/pid"
    check "$1" "$MEMORY_ROWS"
    echo $((peak / 1024))
}

operation_title() { case $1 in insert) echo 'INSERT … SELECT' ;; *) echo "${1^^}" ;; esac; }
case_title() {
    case $1 in
        bare) echo 'no trigger' ;;
        statement_level) echo 'captured (statement level)' ;;
        row_level) echo 'captured (row level)' ;;
        original) echo 'PL/pgSQL trigger and pg_notify' ;;
        floor) echo 'floor: INSERT … SELECT of as many' ;;
    esac
}

start_server shared_buffers=1GB fsync=off
make_tables
sql -v rows="$ROWS" <<<"CREATE TABLE source AS $new_rows;
COPY source TO '$BENCH_DIR/source.copy';"
operations=(insert copy update delete)
for operation in "${operations[@]}"; do
    prepare "$operation" statement_level
    sql -c "$(statement "$operation" statement_level)"
    sql -c "CREATE TABLE ready_$operation AS SELECT * FROM pgpubsub.notification" -c "VACUUM (FREEZE, ANALYZE) ready_$operation"
done
sql -c 'VACUUM (FREEZE, ANALYZE) source'

for ((round = 1; round <= ROUNDS; round++)); do
    for operation in "${operations[@]}"; do
        for case in $(rotated $((round - 1)) "${tables[@]}"); do measure "$operation" "$case"; done
    done
done

if ((MEMORY_ROWS > 0)); then
    round=1
    for case in bare statement_level; do
        record "memory of the session, INSERT of $MEMORY_ROWS rows" "$(case_title "$case")" MB "$(peak_memory "$case")"
    done
fi
rm -f "$BENCH_DIR/source.copy"
