# From the writer's INSERT to the handler: four writers on a schedule (open loop), one consumer that waits to be woken; at 100 a second, and at
# half of the rate at which the system is saturated, that is of what it handles when the writers write as fast as they can.
#
# The clock is read before the writer's statement, and in the handler (programs/latency.cpp). pgpubsub's writers insert into a table with a
# capture, once with the wake-up by the worker and once with NOTIFY in the writer's transaction; the others store the job
# itself: pg-boss and graphile-worker by the SQL of their own functions, PgQ by insert_event() with a ticker every 50 ms that wakes the consumer, Redis by XADD.
# Everything is flushed at commit (fsync is on), but in Redis.
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154
read -r -a systems <<<"$(chosen pgpubsub pgpubsub-transaction notify pgq pg-boss graphile-worker redis | tr '\n' ' ')"
base='pgpubsub, NOTIFY in the transaction'
writer="of this, the writer's own INSERT"

latency_title() {
    case $1 in
        pgpubsub) echo 'pgpubsub, wake-up by the worker' ;;
        pgpubsub-transaction) echo "$base" ;;
        pgq) echo 'PgQ, a tick every 50 ms' ;;
        *) title "$1" ;;
    esac
}

# latency SYSTEM RATE SECONDS: p50, p99, max, handled a second, never handled; p50, p99, max of the writer's statement alone
latency() {
    local arguments=() wakeup=auto
    if [ "$1" = pgpubsub-transaction ]; then wakeup=transaction; fi
    sql -c 'SET pgpubsub.wakeup = off' -c 'TRUNCATE events, pgpubsub.notification' -c CHECKPOINT
    local text="{\"op\": \"insert\", \"table\": \"media\", \"new\": {\"sent\": %, \"path\": \"$filling\"}}"
    case $1 in
        pgpubsub*) arguments=(--source pgpubsub --statement "INSERT INTO events (sent, path) VALUES (\$1::bigint, repeat('x', 80))" --value %) ;;
        notify) arguments=(--source notify --statement "SELECT pg_notify('bench', \$1)" --value "$text") ;;
        pgq) arguments=(--source pgq --statement "SELECT pgq.insert_event('bench', 'insert', \$1)" --value "$text" --tick "SELECT pgq.ticker('bench'), pg_notify('bench', '')") ;;
        redis) arguments=(--source redis --redis --value "$text") ;;
        pg-boss) arguments=(--statement "$statement" --value "[{\"data\": {\"sent\": %, \"path\": \"$filling\"}}]") ;;
        graphile-worker) arguments=(--statement "SELECT graphile_worker.add_job('bench', \$1::json)" --value "{\"sent\": %, \"path\": \"$filling\"}") ;;
    esac
    case $1 in
        pg-boss | graphile-worker) arguments+=(--exec "$(node_program) $peer_programs/$1.mjs react") ;;
        pgq | redis) load "$1" 0 1 ;;
    esac
    if [[ $1 = pgpubsub* ]]; then export PGOPTIONS="-c pgpubsub.wakeup=$wakeup"; fi
    "$programs/latency" "${arguments[@]}" --rate "$2" --seconds "$3" || die "latency of $1 at $2/s"
    unset PGOPTIONS
}

start_server shared_buffers=1GB fsync=on
sql <<'SQL'
CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sent bigint, path text);
DO $$ BEGIN PERFORM pgpubsub.create_channel('bench'); PERFORM pgpubsub.attach('events', 'bench'); END $$;
SQL
statement='' filling=$(printf 'x%.0s' {1..80})
for system in "${systems[@]}"; do if [[ $system != pgpubsub* ]]; then set_up "$system"; fi; done
if wants pg-boss "$PEERS"; then statement=$(node "$peer_programs/pg-boss.mjs" statement); fi

declare -A half=()
round=1
for system in "${systems[@]}"; do
    read -r _ _ _ rate _ <<<"$(latency "$system" 0 1)"
    half[$system]=$((rate / 2 > 0 ? rate / 2 : 1))
    record 'saturated, 4 writers, 1 consumer' "$(latency_title "$system")" 'handled/s' "$rate" "$base"
done
for ((round = 1; round <= ROUNDS; round++)); do
    for load in 100 half; do
        for system in $(rotated $((round - 1)) "${systems[@]}"); do
            rate=100 group='at 100/s'
            if [ $load = half ]; then rate=${half[$system]} group='at half of the saturation'; fi
            seconds=$SECONDS_EACH
            if [ $load = 100 ]; then seconds=$(calculate "2.5 * $SECONDS_EACH" %.1f); fi     # of few values, p99 is but the worst
            read -r p50 p99 highest _ lost write_p50 write_p99 write_highest <<<"$(latency "$system" "$rate" "$seconds")"
            record "$group, p50" "$(latency_title "$system")" ms "$p50" "$base"
            record "$group, p99" "$(latency_title "$system")" ms "$p99" "$base"
            record "$group, longest" "$(latency_title "$system")" ms "$highest" "$base"
            if [ "$system" = pgpubsub ]; then
                record "$group, p50" "$writer" ms "$write_p50" "$base"
                record "$group, p99" "$writer" ms "$write_p99" "$base"
                record "$group, longest" "$writer" ms "$write_highest" "$base"
            fi
            if [ "$lost" != 0 ]; then record "$group, not handled within 30 s" "$(latency_title "$system")" '' "$lost"; fi
        done
    done
done
stop_redis
