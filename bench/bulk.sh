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
# ROUNDS (5), ROWS (100000) and MEMORY_ROWS (5000000; 0 leaves it out) make it longer or shorter.
# shellcheck shell=bash
# shellcheck source=cases.sh
. "$ROOT/bench/cases.sh"
rounds=${ROUNDS:-5} rows=${ROWS:-100000} memory_rows=${MEMORY_ROWS:-5000000}
work=$(mktemp -d)
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

# measure OPERATION CASE: appends the milliseconds by the clock to $work/OPERATION.CASE.clock, and those that the backend was on a processor
# to $work/OPERATION.CASE.cpu; checks that the notifications are there.
measure() {
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
    } | sql >>"$work/$1.$2.clock"
    awk '{ ns = $1 - ns } END { printf "%.1f\n", ns / 1e6 }' "$work/cpu" >>"$work/$1.$2.cpu"
    check "$2" "$rows"
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
    sql -v rows="$memory_rows" <<<"SELECT pg_backend_pid() \\g $work/pid
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
    check "$1" "$memory_rows"
    echo $((peak / 1024))
}

start_server shared_buffers=1GB fsync=off
make_tables
sql -v rows="$rows" <<<"CREATE TABLE source AS $new_rows;
COPY source TO '$BENCH_DIR/source.copy';"
operations=(insert copy update delete)
for operation in "${operations[@]}"; do
    prepare "$operation" statement_level
    sql -c "$(statement "$operation" statement_level)"
    sql -c "CREATE TABLE ready_$operation AS SELECT * FROM pgpubsub.notification" -c "VACUUM (FREEZE, ANALYZE) ready_$operation"
done
sql -c 'VACUUM (FREEZE, ANALYZE) source'

for ((round = 0; round < rounds; round++)); do
    for operation in "${operations[@]}"; do
        for case in $(rotated $round "${tables[@]}"); do measure "$operation" "$case"; done
    done
done

say "One statement for $rows rows: ms by the clock and of CPU time, each with its ratio to bare (medians of $rounds rounds, lowest–highest)"
printf '%-10s %-16s %8s %-16s %6s %-12s %8s %-16s %6s\n' statement case clock '' ratio '' CPU '' ratio
for operation in "${operations[@]}"; do
    for case in "${tables[@]}"; do
        printf '%-10s %-16s' "$operation" "$case"
        for what in clock cpu; do
            each_ratio "$work/$operation.$case.$what" "$work/$operation.bare.$what" >"$work/ratio"
            printf ' %8s %-16s %6s %-12s' "$(median <"$work/$operation.$case.$what")" "$(spread <"$work/$operation.$case.$what")" \
                "$(median <"$work/ratio")" "$(spread <"$work/ratio")"
        done
        printf '\n'
    done
done

if ((memory_rows > 0)); then
    say
    say "Peak of the backend's own memory for an INSERT of $memory_rows rows"
    bare=$(peak_memory bare)
    captured=$(peak_memory statement_level)
    say "bare $bare MB, statement_level $captured MB: $((captured - bare)) MB more"
fi
rm -rf "$work" "$BENCH_DIR/source.copy"
