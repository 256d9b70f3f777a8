# Does a claim pay for the past? What a take or a claim and its ack cost, beside the same in a channel where nothing happened, where an old
# snapshot keeps all entries of what was consumed, and one more thing is so: many consumers with open transactions, many
# priorities, one row that stays in front. Each is a way to walk over what is gone.
#
# The time is the server's clock inside the session, the median of 200: no client, no network and no flush is in it. For each number of
# dead entries each channel is made anew.
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154
dead_counts=(100000)
if [ -z "${QUICK:-}" ]; then dead_counts+=(1000000); fi

start_server shared_buffers=4GB fsync=off max_prepared_transactions=10
sql <<'SQL'
-- Publishes so many, a thousand in a transaction.
CREATE PROCEDURE stock(channel text, count integer, prio integer DEFAULT 0) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. count / 1000 LOOP
    PERFORM pgpubsub.publish_batch(channel, array_fill('{"op": "insert", "path": "some payload of an ordinary length"}'::jsonb, ARRAY[1000]), priority => prio);
    COMMIT;
  END LOOP;
END $$;
-- Takes so many, a hundred in a transaction.
CREATE PROCEDURE drain(channel text, count integer) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. count / 100 LOOP PERFORM pgpubsub.take(channel, 100); COMMIT; END LOOP;
END $$;
-- The median time in milliseconds of 200 statements with their commits.
CREATE PROCEDURE cost(statement text, INOUT ms numeric DEFAULT NULL, commits boolean DEFAULT true) LANGUAGE plpgsql AS $$
DECLARE
  begun timestamptz;
  took float8[] := '{}';
BEGIN
  FOR i IN 1 .. 200 LOOP
    begun := clock_timestamp();
    EXECUTE statement;
    IF commits THEN COMMIT; END IF;
    took := took || 1000 * extract(epoch FROM clock_timestamp() - begun)::float8;
  END LOOP;
  ms := (SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY t)::numeric, 4) FROM unnest(took) t);
END $$;
SQL

declare -A statements=(
    ['take(1)']="SELECT pgpubsub.take('CHANNEL', 1)"
    ['take(100)']="SELECT count(*) FROM pgpubsub.take('CHANNEL', 100)"
    ['claim(1) and ack']="SELECT pgpubsub.ack(array_agg(receipt)) FROM pgpubsub.claim('CHANNEL', 1)"
)

# measure CASE CHANNEL [COMMITS]
measure() {
    local what
    for what in 'take(1)' 'take(100)' 'claim(1) and ack'; do
        record "$what" "$1" ms "$(sql -c 'SET pgpubsub.wakeup = off' -c "CALL cost(\$\$${statements[$what]//CHANNEL/$2}\$\$, commits => ${3:-true})")" fresh
    done
}

# new_channel NAME COUNT [ARGUMENTS]: with so many that wait.
new_channel() {
    sql -c "SELECT pgpubsub.create_channel('$1'${3:+, $3})" >/dev/null
    sql -c 'SET pgpubsub.wakeup = off' -c "CALL stock('$1', $2)"
}
release() {
    stop_helpers
    until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'")" = 0 ]; do sleep 0.05; done
}
take_in() { start_helper "$programs/hold" "SELECT count(*) FROM pgpubsub.take('$1', $2)"; }
drain() { sql -c 'SET pgpubsub.wakeup = off' -c "CALL drain('$1', $2)"; }
spare=30000  # what is measured on

for ((round = 1; round <= (ROUNDS + 1) / 2; round++)); do
    new_channel "fresh $round" $spare
    measure fresh "fresh $round"
    for dead in "${dead_counts[@]}"; do
        behind="$((dead / 1000))k dead entries"
        # begin NAME [ARGUMENTS]: a channel, and a snapshot from before anything of it is consumed.
        begin() {
            channel="$1 $dead $round"
            new_channel "$channel" $((dead + spare)) "${2:-}"
            start_helper "$programs/hold"
        }
        begin plain
        drain "$channel" "$dead"
        measure "$behind" "$channel"
        measure "$behind, all in one transaction" "$channel" false
        release

        for takers in 17 100 200; do
            begin "$takers takers"
            for ((i = 1; i <= takers; i++)); do
                take_in "$channel" 1
                if ((i % 10 == 0)); then drain "$channel" $((dead / takers * 5)); fi
            done
            drain "$channel" $((dead / 2))
            measure "$behind, $takers consumers with open transactions" "$channel"
            release
        done

        for priorities in 9 100; do
            begin "$priorities priorities"
            drain "$channel" "$dead"
            for ((p = 1; p <= priorities; p++)); do sql -c 'SET pgpubsub.wakeup = off' -c "CALL stock('$channel', 1000, $p)" -c "CALL drain('$channel', 1000)"; done
            measure "$behind, $priorities priorities" "$channel"
            release
        done

        begin 'in other hands'
        take_in "$channel" "$((dead < 200000 ? dead : 200000))"
        drain "$channel" $((dead - (dead < 200000 ? dead : 200000)))
        measure "$behind, up to 200,000 in another transaction's hands" "$channel"
        release

        channel="joined $dead $round"
        sql -c "SELECT pgpubsub.create_channel('$channel')" -c "SELECT pgpubsub.publish('$channel', '1', dedup_key => 'k')" >/dev/null
        sql -c 'SET pgpubsub.wakeup = off' -c "CALL stock('$channel', $((dead + spare)))"
        start_helper "$programs/hold"
        start_helper "$programs/hold" "SELECT pgpubsub.publish('$channel', '1', dedup_key => 'k')"
        drain "$channel" "$dead"
        measure "$behind, a joined dedup_key in front" "$channel"
        release

        begin ordered 'ordered => true'
        start_helper "$programs/hold" 'SELECT pg_current_xact_id()'
        drain "$channel" "$dead"
        measure "$behind, ordered, a transaction id held" "$channel"
        release
        sql -c "SELECT count(pgpubsub.drop_channel(name)) FROM pgpubsub.channels WHERE name NOT LIKE 'fresh%'" -c 'VACUUM pgpubsub.notification' >/dev/null
    done
done
