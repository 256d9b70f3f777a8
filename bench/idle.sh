# What consumers cost that have nothing to do, and how many are woken for one notification.
#
#   idle: ten consumers, each a process of its own as its documentation starts it (pgpubsub listen; graphile-worker and pg-boss by their libraries'
#         defaults, woken by NOTIFY), and nothing to consume. The statements that they send (pg_stat_statements) for a consumer and minute, and the CPU time
#         that all of the server's processes use in a minute.
#   herd: fifty idle pgpubsub consumers of one channel, and notifications one at a time. How many claims found nothing, for each notification.
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154
read -r -a systems <<<"$(chosen pgpubsub pg-boss graphile-worker | tr '\n' ' ')"
idle_consumers=10 herd=50 notices=20

# An input on which nothing ever comes, and which does not end.
mkfifo "$work/input"
exec {input}<>"$work/input"

# start_consumers SYSTEM NUMBER, until stop_helpers.
start_consumers() {
    local i
    for ((i = 0; i < $2; i++)); do
        case $1 in
            pgpubsub) exec "$BUILD/client/pgpubsub" listen bench ;;
            *) exec "$(node_program)" "$peer_programs/$1.mjs" react <&"$input" ;;
        esac >>"$work/$1.out" 2>>"$work/consumers.log" &
        helpers+=($!)
    done
}

# wait_for_sessions SYSTEM NUMBER: all of them listen.
wait_for_sessions() {
    local count
    for _ in {1..300}; do
        count=$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
        if ((count >= $2)); then return; fi
        sleep 0.1
    done
    cat "$work/consumers.log" >&2
    die "idle: only $count of $2 consumers of $1 have connected"
}

# watch: the statements that others send and the seconds of CPU time that the server uses, in IDLE_SECONDS.
watch() {
    local before
    sql -c 'SELECT pg_stat_statements_reset()' >"$work/out"
    before=$(server_cpu)
    sleep "$IDLE_SECONDS"
    # Read before the session that counts the statements has begun.
    calculate "$(server_cpu) - $before" %.4f
    sql -c "SELECT ' ' || coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query !~ 'pg_stat_statements'"
}

PRELOAD=pgpubsub,pg_stat_statements start_server shared_buffers=1GB fsync=on
sql -c 'CREATE EXTENSION pg_stat_statements'
for system in "${systems[@]}"; do set_up "$system"; done
round=1
read -r alone _ <<<"$(watch)"
record "idle, $idle_consumers consumers" 'no consumers' 'ms of CPU a minute' "$(calculate "1000 * $alone * 60 / $IDLE_SECONDS" %.1f)"
for system in "${systems[@]}"; do
    start_consumers "$system" $idle_consumers
    wait_for_sessions "$system" $idle_consumers
    sleep 5                        # what they do when they start is over
    read -r cpu statements <<<"$(watch)"
    record "idle, $idle_consumers consumers" "${system/%pgpubsub/pgpubsub listen}" 'ms of CPU a minute' "$(calculate "1000 * $cpu * 60 / $IDLE_SECONDS" %.1f)"
    record "idle, $idle_consumers consumers" "${system/%pgpubsub/pgpubsub listen}" 'statements a consumer and minute' \
        "$(calculate "$statements * 60 / $IDLE_SECONDS / $idle_consumers" %.2f)"
    stop_helpers
    until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")" = 1 ]; do sleep 0.1; done
done

start_consumers pgpubsub $herd
wait_for_sessions pgpubsub $herd
sleep 3
for ((round = 1; round <= ROUNDS; round++)); do
    sql -c 'SELECT pg_stat_statements_reset()' >"$work/out"
    for ((i = 0; i < notices; i++)); do
        sql -c "SELECT pgpubsub.publish('bench', '{\"number\": $i}')" >"$work/out"
        sleep 0.1
    done
    sleep 1
    record "herd, $herd consumers" 'claims that found nothing' 'for each notification' \
        "$(sql -c "SELECT round((sum(calls) - sum(rows)) / $notices, 2) FROM pg_stat_statements WHERE query ~ 'pgpubsub\\.(take|claim)\\('")"
done
stop_helpers
exec {input}>&-
rm "$work/input"
