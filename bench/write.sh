# What a capture costs those who write: single-row inserts by pgbench, prepared statements, into the tables of cases.sh.
#
#   no trigger                           as fast as it can be
#   captured, wake-up by the worker      the library is preloaded, and the commit leaves waking the consumer to the worker
#   captured row by row, wake-up by the worker
#                                        the same with a trigger for each row
#   captured, NOTIFY in the transaction, and captured, without a wake-up
#   a queue row by hand                  no trigger, but the same statement inserts the new row, as jsonb, into a plain queue too, whose
#                                        only index is its primary key; nobody is woken: the least that one can do in SQL
#   the same row in our table's shape    that row into a table with the columns and indexes of pgpubsub.notification, as SQL inserts it
#   PL/pgSQL trigger and pg_notify       as the original, django-pgpubsub, does it
#
# For each number of clients all of these run in turn, in slices of less than a second, and their sessions stay (slices.py). Another session
# listens, on the channel of each, and reads what comes; it consumes nothing. Everything is flushed at commit (fsync is on), once with the
# machine's own flush and once with one that takes 1 ms more (slow_fsync.c). The CPU time is that of all of the server's processes, by the
# kernel's accounting.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153,SC2154
# shellcheck source=cases.sh
. "$ROOT/bench/cases.sh"

make_hand_tables() {
    sql <<'SQL'
CREATE TABLE by_hand (LIKE bare INCLUDING ALL);
CREATE TABLE by_hand_in_shape (LIKE bare INCLUDING ALL);
CREATE TABLE plain_queue (id bigint GENERATED ALWAYS AS IDENTITY (CACHE 32) PRIMARY KEY, payload jsonb NOT NULL);
CREATE SEQUENCE queue_id_seq CACHE 32;
SQL
}

variants=()
# variant NAME TABLE WAKEUP [COLUMNS VALUES QUEUE]: what slices.py has to know; with QUEUE the statement inserts into that too, from the new row a.
variant() {
    local insert="INSERT INTO $2 (name, path, size) VALUES ('copyright', '/usr/share/doc/postgresql-15/copyright', 12345)" script=$work/$2.$3.sql
    if [ -n "${6:-}" ]; then insert="WITH a AS ($insert RETURNING *) INSERT INTO $6 ($4) SELECT $5 FROM a"; fi
    echo "$insert;" >"$script"
    variants+=("$1" "$2_id_seq" "-c pgpubsub.wakeup=$3" "$script")
}
variant 'no trigger' bare off
variant 'captured, wake-up by the worker' statement_level auto
variant 'captured row by row, wake-up by the worker' row_level auto
variant 'captured, NOTIFY in the transaction' statement_level transaction
variant 'captured, without a wake-up' statement_level off
variant 'a queue row by hand' by_hand off payload 'to_jsonb(a)' plain_queue
variant "the same row in our table's shape" by_hand_in_shape off 'id, created_at, subscription_id, priority, attempts, payload' \
    "nextval('queue_id_seq'), now(), 1, 0, 0, to_jsonb(a)" queue
variant 'PL/pgSQL trigger and pg_notify' original off

between="TRUNCATE $(IFS=,; echo "${tables[*]}"), by_hand, by_hand_in_shape, plain_queue, $queues;
VACUUM ANALYZE pgpubsub.notification;
CHECKPOINT;"
for flush in $FLUSHES; do
    SLOW_FSYNC=${flush#plain} start_server shared_buffers=1GB fsync=on wal_sync_method=fdatasync
    make_tables
    make_hand_tables
    start_helper "$programs/listen" statement_level row_level pgpubsub_a83de
    for clients in $WRITERS; do
        group="$clients $( ((clients > 1)) && echo clients || echo client), $([ "$flush" = slow ] && echo '1 ms flush' || echo "the machine's flush")"
        "$ROOT/bench/slices.py" "$clients" "$ROUNDS" "$SECONDS_EACH" "$server_pid" "$between" "${variants[@]}" | while IFS=$'\t' read -r round name rate cpu; do
            record "$group" "$name" inserts/s "$rate" 'no trigger'
            record "$group" "$name" 'µs of CPU an insert' "$cpu" 'no trigger'
        done
    done
    stop_server
done
