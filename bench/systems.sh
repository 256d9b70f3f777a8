# The systems that are compared, each in the database that start_server has made. Sourced by run.sh.
#   system_version SYSTEM
#   set_up SYSTEM                     once for a server
#   load SYSTEM ROWS BATCH            afterwards it has so many ready, of about 150 bytes each, and nothing else; vacuumed, analyzed, checkpoint done
#   consumer SYSTEM BATCH INDEX SECONDS    the command of a consumer, for race.py
#   race_for SYSTEM BATCH CONSUMERS SECONDS TRACE    prints how many they consumed in how many seconds
# A system is pgpubsub, pgpubsub-lease, raw, notify, pgq, pg-boss, graphile-worker or redis.
# shellcheck shell=bash
# shellcheck disable=SC2154  # set in lib.sh
node_program() { echo "$peer_programs"/node_modules/node-linux-*/bin/node; }
node() { "$(node_program)" "$@"; }
export REDIS_SOCKET=$BENCH_DIR/redis.sock
redis_pid=

package_version() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo unknown; }
system_version() {
    case $1 in
        pgq) package_version "postgresql-$(postgres --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')-pgq3" ;;
        redis) package_version redis-tools ;;
        *) echo "$(sed -n 's/^  "version": "\(.*\)".*/\1/p' "$peer_programs/node_modules/$1/package.json"), Node.js $(node --version)" ;;
    esac
}

# chosen SYSTEM...: those of them that PEERS has not left out.
chosen() {
    local system
    for system in "$@"; do
        case $system in
            pgpubsub* | raw | notify) echo "$system" ;;
            *) if wants "$system" "$PEERS"; then echo "$system"; fi ;;
        esac
    done
}

# The name of a system in the results.
title() {
    case $1 in
        pgpubsub) echo 'pgpubsub, take' ;;
        pgpubsub-lease) echo 'pgpubsub, claim and ack' ;;
        raw) echo 'DELETE … SKIP LOCKED' ;;
        notify) echo 'plain NOTIFY (stores nothing)' ;;
        pgq) echo 'PgQ (each reads all)' ;;
        redis) echo 'Redis streams (in memory)' ;;
        *) echo "$1" ;;
    esac
}

set_up() {
    case $1 in
        pgpubsub | pgpubsub-lease)
            sql <<'SQL' ;;
SELECT pgpubsub.create_channel('bench') WHERE NOT EXISTS (SELECT FROM pgpubsub.channels WHERE name = 'bench') \g /dev/null
CREATE OR REPLACE PROCEDURE stock(channel text, count bigint) LANGUAGE plpgsql AS $$
DECLARE
  payload CONSTANT jsonb := jsonb_build_object('op', 'insert', 'table', 'media', 'new', jsonb_build_object('path', repeat('x', 80)));
BEGIN
  FOR i IN 0 .. (count - 1) / 10000 LOOP
    PERFORM pgpubsub.publish_batch(channel, array_fill(payload, ARRAY[least(10000, count - 10000 * i)::int]));
  END LOOP;
END $$;
SQL
        raw) sql -c 'CREATE TABLE raw_queue (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload jsonb)' ;;
        notify) sql <<'SQL' ;;
CREATE PROCEDURE send(batch int, seconds float8) LANGUAGE plpgsql AS $$
DECLARE until timestamptz := clock_timestamp() + seconds * interval '1 s';
BEGIN
  WHILE clock_timestamp() < until LOOP
    PERFORM pg_notify('bench', '{"op": "insert", "new": {"path": "' || repeat('x', 80) || '", "number": ' || i || '}}') FROM generate_series(1, batch) i;
    COMMIT;
  END LOOP;
END $$;
SQL
        pgq) sql <<'SQL' ;;
SET client_min_messages = error;
CREATE EXTENSION pgq CASCADE;
CREATE PROCEDURE stock_pgq(count bigint, batch int) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pgq.unregister_consumer('bench', c) FROM unnest('{c1,c2}'::text[]) c WHERE EXISTS (SELECT FROM pgq.get_queue_info('bench'));
  PERFORM pgq.drop_queue('bench') WHERE EXISTS (SELECT FROM pgq.get_queue_info('bench'));
  PERFORM pgq.create_queue('bench');
  PERFORM pgq.set_queue_config('bench', 'ticker_max_count', '1'), pgq.set_queue_config('bench', 'ticker_max_lag', '0');
  COMMIT;
  PERFORM pgq.ticker('bench');
  PERFORM pgq.register_consumer('bench', 'c1'), pgq.register_consumer('bench', 'c2');
  COMMIT;
  FOR i IN 1 .. count / batch LOOP
    PERFORM pgq.insert_event('bench', 'insert', '{"op": "insert", "table": "media", "new": {"path": "' || repeat('x', 80) || '"}}')
      FROM generate_series(1, batch);
    COMMIT;
    PERFORM pgq.ticker('bench');
    COMMIT;
  END LOOP;
END $$;
SQL
        pg-boss | graphile-worker) node "$peer_programs/$1.mjs" setup ;;
        redis) start_redis ;;
    esac
}

load() {
    case $1 in
        pgpubsub | pgpubsub-lease)
            sql -c 'TRUNCATE pgpubsub.notification' -c 'SET pgpubsub.wakeup = off' -c "CALL stock('bench', $2)" -c 'VACUUM ANALYZE pgpubsub.notification' ;;
        raw)
            sql -c 'TRUNCATE raw_queue' -c 'VACUUM ANALYZE raw_queue' -c "INSERT INTO raw_queue (payload)
                SELECT jsonb_build_object('op', 'insert', 'table', 'media', 'new', jsonb_build_object('path', repeat('x', 80)))
                FROM generate_series(1, $2)" -c 'VACUUM ANALYZE raw_queue' ;;
        pgq) sql -c "CALL stock_pgq($2, $3)" -c "VACUUM ANALYZE" ;;
        pg-boss) node "$peer_programs/$1.mjs" load "$2"; sql -c 'VACUUM ANALYZE' ;;
        graphile-worker) node "$peer_programs/$1.mjs" load "$2"; sql -c 'VACUUM ANALYZE graphile_worker._private_jobs' ;;
        redis)
            redis-cli -s "$REDIS_SOCKET" >"$work/redis.out" EVAL "redis.call('DEL', 'bench') redis.call('XGROUP', 'CREATE', 'bench', 'workers', '0', 'MKSTREAM')
                for i = 1, ARGV[1] do redis.call('XADD', 'bench', '*', 'payload', ARGV[2]) end" 0 "$2" \
                "{\"op\": \"insert\", \"table\": \"media\", \"new\": {\"path\": \"$(printf 'x%.0s' {1..80})\"}}" ;;
    esac
    if [ "$1" != redis ]; then sql -c CHECKPOINT; fi
}

consumer() {
    case $1 in
        pg-boss | graphile-worker) echo "$(node_program) $peer_programs/$1.mjs drain $2 $4" ;;
        *) echo "$programs/consume $1 $2 $3 $4" ;;
    esac
}

race_for() {
    local i commands=() beside=() copies=1 consumed
    for ((i = 1; i <= $3; i++)); do commands+=("$(consumer "$1" "$2" "$i" "$4")"); done
    if [ "$1" = notify ]; then beside=(--beside "sh -c 'echo ready; read go; exec psql -qXc \"CALL send($2, $4)\"'"); fi
    # Each consumer gets all: what counts is how many there were, not how many copies.
    case $1 in pgq | notify) copies=$3 ;; esac
    consumed=$("$ROOT/bench/race.py" "$5" "$4" "${beside[@]}" "${commands[@]}")
    case $consumed in 0\ *) die "$1 consumed nothing" ;; esac
    echo "$consumed" | awk -v copies="$copies" '{ print $1 / copies, $2 }'
}

start_redis() {
    [ -z "$redis_pid" ] || return 0
    # redis-server is another name of this program; its package would have started a server of the system's own.
    (exec -a redis-server redis-check-rdb --port 0 --unixsocket "$REDIS_SOCKET" --save '' --appendonly no --daemonize no --dir "$work") \
        </dev/null >"$work/redis.log" 2>&1 &
    redis_pid=$!
    for _ in {1..100}; do if [ -S "$REDIS_SOCKET" ]; then return; fi; sleep 0.05; done
    die "redis-server does not start: $(tail -n 3 "$work/redis.log")"
}
stop_redis() {
    [ -n "$redis_pid" ] || return 0
    kill "$redis_pid" 2>/dev/null || true
    wait "$redis_pid" 2>/dev/null || true
    redis_pid=
}
